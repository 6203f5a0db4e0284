//! The tier is held to the text of its trait, over the reference stores.

use std::process::ExitCode;
use std::sync::Arc;

use terrace_core::SystemClock;
use terrace_durable::{DurableConfig, DurableTier};
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore};
use terrace_testkit::{Fixture, run, tier_conformance};

type Tier = DurableTier<InMemoryBlobStore, InMemoryIndexStore>;

fn tier(inline_max: usize, max_record_bytes: usize) -> Tier {
    let clock = Arc::new(SystemClock);
    let blobs = InMemoryBlobStore::new(clock.clone(), 64 << 20);
    let index = InMemoryIndexStore::new(clock).with_max_record_bytes(max_record_bytes);
    let config = DurableConfig {
        inline_max,
        ..DurableConfig::default()
    };
    let tier = DurableTier::builder(blobs, index).config(config).build();
    tier.expect("the configuration is valid")
}

fn main() -> ExitCode {
    let mut trials = tier_conformance("durable", || async {
        Fixture::new(tier(8 * 1024, 1024 * 1024))
    });
    trials.extend(tier_conformance(
        "durable_without_inline_bodies",
        || async { Fixture::new(tier(0, 1024 * 1024)) },
    ));
    trials.extend(tier_conformance("durable_with_small_records", || async {
        Fixture::new(tier(256 * 1024, 48 * 1024))
    }));
    run(trials)
}
