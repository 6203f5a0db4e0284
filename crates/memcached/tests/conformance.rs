//! The tier, held to the text of its trait, on one server and over several.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use terrace_memcached::{MemcachedConfig, MemcachedTier};
use terrace_testkit::{CurrentRuntime, Fixture, run, tier_conformance};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, config) in servers() {
        trials.extend(tier_conformance(name, move || {
            let config = own(config.clone());
            async move {
                let tier = MemcachedTier::builder(config, CurrentRuntime::port());
                Fixture::new(tier.build().unwrap())
            }
        }));
    }
    run(trials)
}

fn servers() -> Vec<(&'static str, MemcachedConfig)> {
    const VARIABLE: &str = "TERRACE_TEST_MEMCACHED_ADDRS";
    let Ok(addresses) = env::var(VARIABLE) else {
        eprintln!("SKIPPED: {VARIABLE} is not set: cargo xtask services up memcached");
        return Vec::new();
    };
    let addresses: Vec<_> = addresses.split(',').collect();
    let mut servers = vec![("memcached_single", MemcachedConfig::new([addresses[0]]))];
    if addresses.len() > 1 {
        servers.push(("memcached_several", MemcachedConfig::new(addresses)));
    }
    servers
}

/// Each trial is alone under a prefix of its own.
fn own(mut config: MemcachedConfig) -> MemcachedConfig {
    static TRIALS: AtomicU64 = AtomicU64::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    config.prefix = format!("test-{}-{trial}", std::process::id());
    config
}
