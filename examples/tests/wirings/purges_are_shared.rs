//! Two proxies share the stores: what one has fetched is a hit in the other, and what one has purged is a miss there.

use hyper::StatusCode;

use crate::Deployment;
use crate::deployment::{DEV, GLOBAL, Wiring};
use crate::objects::{content, origin, path, tier_of};
use crate::support::{Origin, Proxy, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_through_one_dev_is_a_miss_in_the_other() {
    share(&DEV).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_through_one_global_is_a_miss_in_the_other() {
    share(&GLOBAL).await;
}

async fn share(wiring: &'static Wiring) {
    let Some(deployment) = Deployment::start(wiring) else {
        return;
    };
    let origin = origin().await;
    without_memory(&deployment, &origin).await;
    with_memory(&deployment, &origin).await;
}

/// At once. The other one has no origin: what it serves was fetched by the first.
async fn without_memory(deployment: &Deployment, origin: &Origin) {
    let one = deployment.setup(origin.address).arg("--no-l0");
    let one = one.start().await;
    let other = deployment.without_origin().arg("--no-l0").start().await;
    for number in 0..8 {
        is_stored(&one, &other, number).await;
        purge(&one, number).await;
        let served = tier_of(&other, number).await;
        assert_eq!(served, None, "object {number} is back");
    }
}

/// When the copy in the other's memory is no longer believed.
async fn with_memory(deployment: &Deployment, origin: &Origin) {
    let one = deployment.setup(origin.address).start().await;
    let other = deployment.without_origin();
    let other = other.args(["--l0-max-age", "1s"]).start().await;
    let number = 100;
    is_stored(&one, &other, number).await;
    eventually("the other has it in memory", async || {
        tier_of(&other, number).await.as_deref() == Some("L0")
    })
    .await;
    purge(&one, number).await;
    eventually("the other does not serve it any more", async || {
        tier_of(&other, number).await.is_none()
    })
    .await;
}

async fn is_stored(by: &Proxy, other: &Proxy, number: u64) {
    eventually("it is a hit in the other", async || {
        by.get(&path(number)).await.expect(&content(number)).await;
        tier_of(other, number).await.is_some()
    })
    .await;
}

async fn purge(proxy: &Proxy, number: u64) {
    eventually("the purge is acknowledged", async || {
        proxy.purge(&path(number)).await == StatusCode::OK
    })
    .await;
}
