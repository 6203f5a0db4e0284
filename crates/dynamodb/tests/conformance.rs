//! The index, held to the text of its trait on a real server, and on the other side of a bad network.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use terrace_core::SystemClock;
use terrace_dynamodb::{Billing, DdbConfig, DdbIndex};
use terrace_testkit::{
    CurrentRuntime, FaultProxy, Fixture, index_conformance, index_under_faults, run,
};

#[path = "support/local.rs"]
mod local;
#[path = "support/server.rs"]
mod server;

use server::Server;

fn main() -> ExitCode {
    let Some(server) = Server::of_environment() else {
        return run(Vec::new());
    };
    let theirs = server.clone();
    let mut trials = index_conformance("dynamodb", move || {
        let config = made(&theirs);
        async move { Fixture::new(connect(config).await) }
    });
    if let Some(address) = server.address() {
        let theirs = server.clone();
        trials.extend(index_conformance("dynamodb_slow", move || {
            let mut config = made(&theirs);
            async move {
                let proxy = FaultProxy::slow_to(address).await.unwrap();
                config.endpoint = Some(format!("http://{}", proxy.address()));
                Fixture::new(connect(config).await).keeping(proxy)
            }
        }));
        let theirs = server.clone();
        let impatient = move |proxy| opened_by_way_of(proxy, theirs.clone());
        trials.extend(index_under_faults("dynamodb_faulty", address, impatient));
    }
    let ended = run(trials);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(server.remove_tables());
    ended
}

/// A table that is to be made.
fn made(server: &Server) -> DdbConfig {
    let mut config = server.own_table();
    config.create = Some(Billing::OnDemand);
    config
}

async fn connect(config: DdbConfig) -> DdbIndex {
    let (runtime, clock) = (CurrentRuntime::port(), Arc::new(SystemClock));
    DdbIndex::connect(config, runtime, clock).await.unwrap()
}

/// An index with little patience, in a table that is there.
async fn opened_by_way_of(proxy: SocketAddr, server: Server) -> Fixture<DdbIndex> {
    let mut config = made(&server);
    connect(config.clone()).await;
    config.create = None;
    config.endpoint = Some(format!("http://{proxy}"));
    config.connect_timeout = Duration::from_secs(1);
    config.attempt_timeout = Duration::from_secs(1);
    config.call_timeout = Duration::from_secs(1);
    Fixture::new(connect(config).await)
}
