//! A whole stack is held to what every tier is held to.

use std::process::ExitCode;
use std::sync::Arc;

use terrace_core::{Clock, SystemClock};
use terrace_durable::DurableTier;
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore, MemoryTier};
use terrace_testkit::{Fixture, tier_conformance};
use terrace_tiers::{MultiTier, TokioRuntime};

fn main() -> ExitCode {
    terrace_testkit::run(tier_conformance("stack", || async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let blobs = InMemoryBlobStore::new(Arc::clone(&clock), 64 << 20);
        let durable = DurableTier::builder(blobs, InMemoryIndexStore::new(clock)).build();
        let tiers = MultiTier::builder(durable.expect("the default configuration is valid"))
            .l0(MemoryTier::new(64 << 20))
            .runtime(Arc::new(TokioRuntime::current()))
            .build();
        Fixture::new(tiers.expect("a valid stack").stack().clone())
    }))
}
