//! The index, held to the text of its trait, on each server there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::SystemClock;
use terrace_testkit::{CurrentRuntime, Fixture, index_conformance, run};

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
        trials.extend(index_conformance(name, move || {
            let config = own(&url);
            async move {
                let runtime = CurrentRuntime::port();
                let index = CrdbIndex::connect(config, runtime, Arc::new(SystemClock)).await;
                Fixture::new(index.unwrap())
            }
        }));
    }
    run(trials)
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
