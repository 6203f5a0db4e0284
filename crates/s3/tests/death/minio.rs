use terrace_minio::{Credentials, MinioBlob, MinioConfig};
use terrace_testkit::{CurrentRuntime, OwnServers};

use crate::load::{Load, options, swept};

#[tokio::test(flavor = "multi_thread")]
async fn p1_no_body_is_torn_when_minio_is_killed_or_stopped_and_it_serves_again_when_it_is_back() {
    let Some(server) = OwnServers::start(&["minio"]) else {
        return;
    };
    let of = |name: &str| server.variable(&format!("TERRACE_TEST_MINIO_{name}"));
    let keys = Credentials::keys(of("ACCESS_KEY"), of("SECRET_KEY"));
    let mut config = MinioConfig::new(of("URL"), "bodies", keys);
    config.options = options();
    let connect = || MinioBlob::connect(config.clone(), CurrentRuntime::port());
    let store = connect().await.unwrap();

    let load = Load::default();
    for _ in 0..2 {
        load.until_disturbed(&store, server.disturb("kill", "minio"))
            .await;
        server.disturb("revive", "minio").await;
        load.check(&store).await;
    }
    load.until_disturbed(&store, server.disturb("pause", "minio"))
        .await;
    server.disturb("resume", "minio").await;
    load.check(&store).await;

    swept(async || connect().await.unwrap().unfinished().await.unwrap()).await;
}
