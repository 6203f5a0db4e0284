//! The reference stores and the memory tier are held to the text of their traits.

use std::process::ExitCode;
use std::sync::Arc;

use terrace_core::SystemClock;
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore, MemoryTier};
use terrace_testkit::{Fixture, blob_conformance, index_conformance, run, tier_conformance};

fn main() -> ExitCode {
    let clock = || Arc::new(SystemClock);
    let mut trials = index_conformance("memory_index", move || async move {
        Fixture::new(InMemoryIndexStore::new(clock()))
    });
    trials.extend(blob_conformance("memory_blob", move || async move {
        Fixture::new(InMemoryBlobStore::new(clock(), 256 << 20))
    }));
    trials.extend(tier_conformance("memory_tier", || async {
        Fixture::new(MemoryTier::new(64 << 20))
    }));
    run(trials)
}
