//! The whole life of a deployment: it serves, is restarted, loses each of its servers under load, and gets it back.

use crate::Deployment;
use crate::deployment::{AWS, DEV, GLOBAL, ONPREM, ONPREM_WITH_REDIS, Wiring};
use crate::fsck::fsck;
use crate::load::Load;
use crate::objects::{L1_GATE, OBJECTS, content, is_blob, origin, tier_of};
use crate::support::{Proxy, Setup, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn p7_dev_lives_through_the_death_of_each_server() {
    Box::pin(lives(&DEV)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_global_lives_through_the_death_of_each_server() {
    Box::pin(lives(&GLOBAL)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_aws_lives_through_the_death_of_each_server() {
    Box::pin(lives(&AWS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_onprem_lives_through_the_death_of_each_server() {
    Box::pin(lives(&ONPREM)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_onprem_with_redis_lives_through_the_death_of_each_server() {
    Box::pin(lives(&ONPREM_WITH_REDIS)).await;
}

async fn lives(wiring: &'static Wiring) {
    let Some(deployment) = Deployment::start(wiring) else {
        return;
    };
    let origin = origin().await;
    it_fetches(&deployment, deployment.setup(origin.address)).await;
    it_serves_after_a_restart(&deployment).await;

    let setup = busy(&deployment, deployment.setup(origin.address));
    let proxy = setup.start().await;
    let mut new = OBJECTS;
    for server in wiring.mortal {
        let mut load = Load::begin(proxy.listen, new);
        load.goes_on(50).await;
        deployment.servers.disturb("kill", *server).await;
        load.goes_on(100).await;
        deployment.servers.disturb("revive", *server).await;
        recovers(&proxy, wiring).await;
        load.goes_on(50).await;
        new = load.end().await;
    }
    deployment.told_no_secret(&proxy);
    assert!(proxy.terminate().await.success());
    Box::pin(nothing_is_torn_or_stored_twice(&deployment, new)).await;
}

/// Without memory, so that each request reaches the servers; and collecting garbage all the time.
fn busy(deployment: &Deployment, setup: Setup) -> Setup {
    let setup = setup.args(["--no-l0", "--gc-interval", "1"]);
    if deployment.wiring.has_l1 {
        setup.args(["--l1-gate", &L1_GATE.to_string()])
    } else {
        setup
    }
}

/// With the durable tier alone.
fn durable(deployment: &Deployment, setup: Setup) -> Setup {
    let setup = busy(deployment, setup);
    if deployment.wiring.has_l1 {
        setup.arg("--no-l1")
    } else {
        setup
    }
}

async fn it_fetches(deployment: &Deployment, setup: Setup) {
    let proxy = durable(deployment, setup).start().await;
    for number in 0..OBJECTS {
        eventually("it is stored", async || {
            tier_of(&proxy, number).await.as_deref() == Some("L3")
        })
        .await;
    }
    assert!(proxy.terminate().await.success());
}

async fn it_serves_after_a_restart(deployment: &Deployment) {
    let setup = busy(deployment, deployment.without_origin());
    let proxy = setup.start().await;
    for number in 0..OBJECTS {
        let in_l1 = deployment.wiring.has_l1 && content(number).len() <= L1_GATE;
        let expected = if in_l1 { "L1" } else { "L3" };
        // On its way up, if there is one.
        eventually("it is a hit", async || {
            tier_of(&proxy, number).await.as_deref() == Some(expected)
        })
        .await;
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
async fn nothing_is_torn_or_stored_twice(deployment: &Deployment, new: u64) {
    let blobs = Box::pin(fsck(deployment)).await;
    let setup = durable(deployment, deployment.without_origin());
    let proxy = setup.start().await;
    for number in 0..OBJECTS {
        // It was there before.
        eventually("it is still a hit", async || {
            tier_of(&proxy, number).await.is_some()
        })
        .await;
    }
    // What the dead servers did not take is not there; what they did must all be found.
    eventually("every body in the store is an object's", async || {
        let mut named = 0;
        for number in 0..new {
            let is_hit = tier_of(&proxy, number).await.is_some();
            named += u64::from(is_hit && is_blob(number));
        }
        assert!(named <= blobs, "{named} objects share {blobs} bodies");
        named == blobs
    })
    .await;
}
