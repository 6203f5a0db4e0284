//! What a proxy does that is started while a server is away, and what it says of one that refuses it.

use std::path::Path;

use hyper::StatusCode;

use crate::Deployment;
use crate::deployment::{AWS, DEV, GLOBAL, ONPREM, Wiring};
use crate::objects::{content, origin, path};
use crate::support::{Setup, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn p7_dev_starts_without_its_servers() {
    starts_without_its_servers(&DEV).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_global_starts_without_its_servers() {
    starts_without_its_servers(&GLOBAL).await;
}

async fn starts_without_its_servers(wiring: &'static Wiring) {
    let Some(deployment) = Deployment::start(wiring) else {
        return;
    };
    let origin = origin().await;
    for server in wiring.mortal {
        deployment.servers.disturb("kill", *server).await;
    }
    let proxy = deployment.setup(origin.address).start().await;
    for number in 0..4 {
        let reply = proxy.get(&path(number)).await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.expect(&content(number)).await;
    }
    let purged = proxy.purge(&path(0)).await;
    assert!(purged.is_server_error(), "{purged}: nobody knows that");
    for server in wiring.mortal {
        deployment.servers.disturb("revive", *server).await;
    }
    eventually("it is stored", async || {
        let reply = proxy.get(&path(4)).await;
        reply.expect(&content(4)).await;
        let labels = [("tier", "L3"), ("outcome", "committed")];
        let commits = proxy.metrics().await;
        let is_stored = commits.sum("terrace_fill_lanes_total", &labels) >= 1.0;
        // Otherwise memory alone would have it.
        is_stored || {
            proxy.purge(&path(4)).await;
            false
        }
    })
    .await;
    eventually("a purge is acknowledged", async || {
        proxy.purge(&path(4)).await == StatusCode::OK
    })
    .await;
    deployment.told_no_secret(&proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_says_which_setting_is_wrong() {
    let Some(mut deployment) = Deployment::start(&DEV) else {
        return;
    };
    let right = deployment.settings.clone();
    for (key, value, told) in [
        ("minio.secret_key", "wrong", "`minio."),
        ("minio.bucket", "no/bucket", "`minio.bucket`"),
        ("minio.endpoint", "127.0.0.1:9000", "`minio.endpoint`"),
        ("redis.url", "127.0.0.1:6379", "`redis.url`"),
        ("redis.prefix", "{a}", "`redis.prefix`"),
    ] {
        deployment.set(key, value);
        let upstream = "127.0.0.1:9".parse().expect("an address");
        let ended = deployment.setup(upstream).ends().await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        deployment.settings.clone_from(&right);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_files_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for wiring in [&DEV, &AWS, &GLOBAL, &ONPREM] {
        let checked = Setup::of(Path::new(wiring.program))
            .arg("--check-config")
            .arg("--config")
            .arg(folder.join(format!("{}.toml", wiring.name)))
            .env("TERRACE_MINIO_SECRET_KEY", "canary")
            .env("TERRACE_CEPH_SECRET_KEY", "canary")
            .ends()
            .await;
        assert!(checked.status.success(), "{checked:?}");
    }
}
