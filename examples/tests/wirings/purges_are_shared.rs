//! Two proxies share the stores: what one has fetched is a hit in the other, and what one has purged is a miss there.

use hyper::StatusCode;

use crate::Deployment;
use crate::deployment::{DEV, Wiring};
use crate::objects::{content, origin, path};
use crate::support::{Origin, Proxy};

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_through_one_dev_is_a_miss_in_the_other() {
    share(&DEV).await;
}

async fn share(wiring: &'static Wiring) {
    let Some(deployment) = Deployment::start(wiring) else {
        return;
    };
    let origin = origin().await;
    without_memory(&deployment, &origin).await;
}

/// At once.
async fn without_memory(deployment: &Deployment, origin: &Origin) {
    let start = async || {
        deployment
            .setup(origin.address)
            .arg("--no-l0")
            .start()
            .await
    };
    let (one, other) = (start().await, start().await);
    for (number, commits) in (0..8).zip(1..) {
        fetch(&one, number).await;
        one.durable_commits(commits).await;
        assert!(is_hit(&other, number).await, "object {number}");
        assert_eq!(origin.count(&path(number)), 1);
        assert_eq!(one.purge(&path(number)).await, StatusCode::OK);
        assert!(!is_hit(&other, number).await, "object {number} is back");
    }
}

async fn fetch(proxy: &Proxy, number: u64) {
    let reply = proxy.get(&path(number)).await;
    assert_eq!(reply.cache(), "fwd=uri-miss; stored", "object {number}");
    reply.expect(&content(number)).await;
}

async fn is_hit(proxy: &Proxy, number: u64) -> bool {
    let reply = proxy.get(&path(number)).await;
    let is_hit = reply.cache().starts_with("hit");
    reply.expect(&content(number)).await;
    is_hit
}
