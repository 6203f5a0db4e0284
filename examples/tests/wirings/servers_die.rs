//! The whole life of a deployment: it serves, is restarted, loses each of its servers under load, and gets it back.

use crate::Deployment;
use crate::deployment::{DEV, Wiring};
use crate::fsck::fsck;
use crate::load::Load;
use crate::objects::{L1_GATE, OBJECTS, content, is_blob, origin, path};
use crate::support::{Origin, Proxy, Setup, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn p7_dev_lives_through_the_death_of_each_server() {
    lives(&DEV).await;
}

async fn lives(wiring: &'static Wiring) {
    let Some(deployment) = Deployment::start(wiring) else {
        return;
    };
    let origin = origin().await;
    it_serves_after_a_restart(&deployment, &origin).await;

    let proxy = setup(&deployment, &origin).start().await;
    let mut new = OBJECTS;
    for server in wiring.mortal {
        let mut load = Load::begin(proxy.listen, new);
        load.goes_on(50).await;
        deployment.servers.kill(server);
        load.goes_on(100).await;
        deployment.servers.revive(server);
        recovers(&proxy, wiring).await;
        load.goes_on(50).await;
        new = load.end().await;
    }
    deployment.told_no_secret(&proxy);
    assert!(proxy.terminate().await.success());
    nothing_is_torn_or_stored_twice(&deployment, &origin, new).await;
}

/// Without memory, so that each request reaches the servers; and collecting garbage all the time.
fn setup(deployment: &Deployment, origin: &Origin) -> Setup {
    let setup = deployment.setup(origin.address);
    let setup = setup.args(["--no-l0", "--gc-interval", "1"]);
    if deployment.wiring.has_l1 {
        setup.args(["--l1-gate", &L1_GATE.to_string()])
    } else {
        setup
    }
}

async fn it_serves_after_a_restart(deployment: &Deployment, origin: &Origin) {
    let proxy = setup(deployment, origin).start().await;
    for (number, commits) in (0..OBJECTS).zip(1..) {
        let reply = proxy.get(&path(number)).await;
        assert_eq!(reply.cache(), "fwd=uri-miss; stored", "object {number}");
        reply.expect(&content(number)).await;
        proxy.durable_commits(commits).await;
    }
    assert!(proxy.terminate().await.success());

    let proxy = setup(deployment, origin).start().await;
    for number in 0..OBJECTS {
        let reply = proxy.get(&path(number)).await;
        let in_l1 = deployment.wiring.has_l1 && content(number).len() <= L1_GATE;
        let expected = if in_l1 {
            "hit; detail=L1"
        } else {
            "hit; detail=L3"
        };
        assert_eq!(reply.cache(), expected, "object {number}");
        reply.expect(&content(number)).await;
        assert_eq!(origin.count(&path(number)), 1, "object {number}");
    }
    assert!(proxy.terminate().await.success());
}

/// By itself: every tier takes what is new, and answers purges.
async fn recovers(proxy: &Proxy, wiring: &Wiring) {
    let tiers: &[&str] = if wiring.has_l1 {
        &["L1", "L3"]
    } else {
        &["L3"]
    };
    for tier in tiers {
        let commits = async || {
            let labels = [("tier", *tier), ("outcome", "committed")];
            let metrics = proxy.metrics().await;
            metrics.sum("terrace_fill_lanes_total", &labels)
        };
        let before = commits().await;
        eventually("it is stored again", async || {
            commits().await > before + 4.0
        })
        .await;
    }
    eventually("all is well", async || {
        let health = proxy.admin("/healthz").await.whole().await;
        health.starts_with(b"{\"status\":\"ok\"")
    })
    .await;
}

/// Every body that is left is some object's, once, and is whole; and nothing is left that no object names, but what garbage
/// collection finds.
async fn nothing_is_torn_or_stored_twice(deployment: &Deployment, origin: &Origin, new: u64) {
    let blobs = fsck(deployment).await;
    let mut setup = setup(deployment, origin);
    if deployment.wiring.has_l1 {
        setup = setup.arg("--no-l1");
    }
    let proxy = setup.start().await;
    let mut named = 0;
    for number in 0..new {
        let reply = proxy.get(&path(number)).await;
        let is_hit = reply.cache() == "hit; detail=L3";
        reply.expect(&content(number)).await;
        // What the dead server did not take was fetched again, or is to be now.
        assert!(
            is_hit || number >= OBJECTS,
            "object {number} was there before"
        );
        named += u64::from(is_hit && is_blob(number));
    }
    assert_eq!(
        blobs, named,
        "bodies in the store, and objects that name one"
    );
    let requests = [("outcome", "continued")];
    let rescues = proxy
        .metrics()
        .await
        .sum("terrace_proxy_rescues_total", &requests);
    assert!(rescues < 1.0, "{rescues} bodies were not whole");
}
