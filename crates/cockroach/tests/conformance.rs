//! The index, held to the text of its trait, on each server there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::SystemClock;
use terrace_testkit::{
    CurrentRuntime, FaultProxy, Fixture, Trial, index_conformance, index_under_faults, run,
};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, variable) in [
        ("postgres", "TERRACE_TEST_POSTGRES_URL"),
        ("cockroach", "TERRACE_TEST_COCKROACH_URL"),
    ] {
        let Ok(url) = env::var(variable) else {
            eprintln!("SKIPPED: {variable} is not set: no trials on {name}");
            continue;
        };
        trials.extend(behind_other_networks(name, &url));
        trials.extend(index_conformance(name, move || {
            let config = own(&url);
            async move { index(config).await }
        }));
    }
    run(trials)
}

async fn index(config: CrdbConfig) -> Fixture<CrdbIndex> {
    let runtime = CurrentRuntime::port();
    let index = CrdbIndex::connect(config, runtime, Arc::new(SystemClock)).await;
    Fixture::new(index.unwrap())
}

/// Everything holds where everything takes its time; and where connections break and answers are lost, nothing that is said
/// is wrong. For this, the server's URL must have its address, and no TLS: a certificate is for one address, and the proxy has
/// another.
fn behind_other_networks(name: &str, url: &str) -> Vec<Trial> {
    let address = |part: &str| part.parse::<SocketAddr>().ok();
    let Some(server) = url.split(['/', '@']).find_map(address) else {
        eprintln!(
            "SKIPPED: no trials of {name} by way of a proxy: its URL does not have an address"
        );
        return Vec::new();
    };
    let (url, server_text) = (url.to_owned(), server.to_string());
    let by_way_of = move |proxy: SocketAddr| own(&url.replace(&server_text, &proxy.to_string()));
    let slowly = by_way_of.clone();
    let mut trials = index_conformance(&format!("{name}_slow"), move || {
        let by_way_of = slowly.clone();
        async move {
            let proxy = FaultProxy::slow_to(server).await.unwrap();
            index(by_way_of(proxy.address())).await.keeping(proxy)
        }
    });
    trials.extend(index_under_faults(
        &format!("{name}_faulty"),
        server,
        move |proxy| {
            let mut config = by_way_of(proxy);
            config.acquire_timeout = Duration::from_secs(1);
            config.connect_timeout = Duration::from_secs(1);
            config.response_timeout = Duration::from_secs(1);
            async move { index(config).await }
        },
    ));
    trials
}

/// Each trial is alone in a table of its own, and there are many trials at a time.
fn own(url: &str) -> CrdbConfig {
    static TRIALS: AtomicU64 = AtomicU64::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    let mut config = CrdbConfig::new(url);
    config.table = format!("test_{}_{trial}", std::process::id());
    config.max_connections = 8;
    config
}
