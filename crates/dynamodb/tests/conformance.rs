//! The index, held to the text of its trait on a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::process::ExitCode;
use std::sync::Arc;

use terrace_core::SystemClock;
use terrace_dynamodb::{Billing, DdbIndex};
use terrace_testkit::{CurrentRuntime, Fixture, index_conformance, run};

#[path = "support/local.rs"]
mod local;
#[path = "support/server.rs"]
mod server;

fn main() -> ExitCode {
    let Some(server) = server::Server::of_environment() else {
        return run(Vec::new());
    };
    let theirs = server.clone();
    let trials = index_conformance("dynamodb", move || {
        let mut config = theirs.own_table();
        config.create = Some(Billing::OnDemand);
        async move {
            let (runtime, clock) = (CurrentRuntime::port(), Arc::new(SystemClock));
            Fixture::new(DdbIndex::connect(config, runtime, clock).await.unwrap())
        }
    });
    let ended = run(trials);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(server.remove_tables());
    ended
}
