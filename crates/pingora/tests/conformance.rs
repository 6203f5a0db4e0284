//! A Pingora storage as a tier is held to the text of the trait.

use std::process::ExitCode;

use pingora_cache::MemCache;
use terrace_core::OsRandom;
use terrace_pingora::StorageTier;
use terrace_testkit::{Fixture, run, tier_conformance};

fn main() -> ExitCode {
    run(tier_conformance("mem_cache", || async {
        // Pingora's storages live as long as the program.
        let storage: &'static MemCache = Box::leak(Box::new(MemCache::new()));
        Fixture::new(StorageTier::new(storage, &OsRandom))
    }))
}
