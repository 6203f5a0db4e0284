//! A server that dies under load, and comes back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "death/load.rs"]
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use load::Writer;
use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::SystemClock;
use terrace_testkit::{CurrentRuntime, OwnServers};

/// What is done to the server, and undone.
type Blow = (&'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_each_death() {
    survive(("kill", "revive")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_each_pause() {
    survive(("pause", "resume")).await;
}

async fn survive((strike, heal): Blow) {
    let Some(server) = OwnServers::start(&["postgres"]) else {
        return;
    };
    let mut config = CrdbConfig::new(server.variable("TERRACE_TEST_POSTGRES_URL"));
    config.response_timeout = Duration::from_secs(1);
    let index = CrdbIndex::connect(config, CurrentRuntime::port(), Arc::new(SystemClock));
    let index = index.await.unwrap();
    let mut writers: Vec<_> = (0..8).map(Writer::new).collect();
    let acknowledged = AtomicU64::new(0);
    for round in 1..=4 {
        let load = writers.iter_mut().map(async |writer| {
            // Until it notices that the server is gone.
            while writer.write(&index).await {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        });
        let blow = async {
            while acknowledged.load(Ordering::Relaxed) < round * 100 {
                tokio::task::yield_now().await;
            }
            server.disturb(strike, "postgres").await;
        };
        futures::join!(join_all(load), blow);
        server.disturb(heal, "postgres").await;
        for writer in &mut writers {
            writer.check(&index).await;
        }
    }
}
