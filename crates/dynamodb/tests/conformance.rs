//! The index, held to the text of its trait on a real server, in tables of either kind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

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
    let provisioned = Billing::Provisioned {
        read_units: 100,
        write_units: 100,
    };
    let mut trials = Vec::new();
    for (name, billing) in [
        ("on_demand", Billing::OnDemand),
        ("provisioned", provisioned),
    ] {
        let server = server.clone();
        trials.extend(index_conformance(name, move || {
            let mut config = server.own_table();
            config.create = Some(billing);
            // No trial is about deadlines, and a machine may have much else to do.
            config.attempt_timeout = Duration::from_mins(1);
            config.call_timeout = Duration::from_mins(1);
            async move {
                let (runtime, clock) = (CurrentRuntime::port(), Arc::new(SystemClock));
                Fixture::new(DdbIndex::connect(config, runtime, clock).await.unwrap())
            }
        }));
    }
    let ended = run(trials);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(server.remove_tables());
    ended
}
