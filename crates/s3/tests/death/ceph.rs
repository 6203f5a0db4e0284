use terrace_ceph::{CephBlob, CephConfig, Credentials};
use terrace_testkit::{CurrentRuntime, OwnServers};

use crate::load::{Load, options, swept};

#[tokio::test(flavor = "multi_thread")]
async fn p1_no_body_is_torn_when_cephs_gateway_is_killed_or_its_store_stopped_and_it_serves_again()
{
    let Some(server) = OwnServers::start(&["ceph"]) else {
        return;
    };
    let of = |name: &str| server.variable(&format!("TERRACE_TEST_CEPH_{name}"));
    let keys = Credentials::keys(of("ACCESS_KEY"), of("SECRET_KEY"));
    let mut config = CephConfig::new(of("URL"), "bodies", keys);
    config.options = options();
    let connect = || CephBlob::connect(config.clone(), CurrentRuntime::port());
    let store = connect().await.unwrap();

    let load = Load::default();
    load.until_disturbed(&store, server.disturb("kill", "ceph/gateway"))
        .await;
    server.disturb("revive", "ceph/gateway").await;
    load.check(&store).await;
    // The gateway does not fail then, but hangs: only deadlines end a call.
    load.until_disturbed(&store, server.disturb("pause", "ceph/osd"))
        .await;
    server.disturb("resume", "ceph/osd").await;
    load.check(&store).await;

    swept(async || connect().await.unwrap().unfinished().await.unwrap()).await;
}
