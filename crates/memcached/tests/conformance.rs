//! The tier, held to the text of its trait, on one server and over several.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use terrace_memcached::{MemcachedConfig, MemcachedTier};
use terrace_testkit::{
    CurrentRuntime, FaultProxy, Fixture, Trial, run, tier_conformance, tier_under_faults,
};

fn main() -> ExitCode {
    const VARIABLE: &str = "TERRACE_TEST_MEMCACHED_ADDRS";
    let Ok(addresses) = env::var(VARIABLE) else {
        eprintln!("SKIPPED: {VARIABLE} is not set: cargo xtask services up memcached");
        return run(Vec::new());
    };
    let addresses: Vec<_> = addresses.split(',').collect();
    let single = MemcachedConfig::new([addresses[0]]);
    let mut trials = conformance("memcached_single", single);
    let server = addresses[0].parse().unwrap();
    trials.extend(behind_a_slow_network(server));
    trials.extend(behind_a_bad_network(server));
    if addresses.len() > 1 {
        let several = MemcachedConfig::new(addresses);
        trials.extend(conformance("memcached_several", several));
    }
    run(trials)
}

fn conformance(name: &str, config: MemcachedConfig) -> Vec<Trial> {
    tier_conformance(name, move || {
        let config = own(config.clone());
        async move { tier(config) }
    })
}

fn tier(config: MemcachedConfig) -> Fixture<MemcachedTier> {
    let tier = MemcachedTier::builder(config, CurrentRuntime::port());
    Fixture::new(tier.build().unwrap())
}

/// Everything holds where everything takes its time.
fn behind_a_slow_network(server: SocketAddr) -> Vec<Trial> {
    tier_conformance("memcached_slow", move || async move {
        let proxy = FaultProxy::slow_to(server).await.unwrap();
        // No trial of these is about deadlines, and a machine may have much else to do.
        tier(at(proxy.address(), Duration::from_mins(1))).keeping(proxy)
    })
}

/// Where connections break and answers are lost, nothing that is said is wrong.
fn behind_a_bad_network(server: SocketAddr) -> Vec<Trial> {
    tier_under_faults("memcached_faulty", server, |proxy| async move {
        tier(at(proxy, Duration::from_secs(1)))
    })
}

/// The server at `address`, with so much patience.
fn at(address: SocketAddr, patience: Duration) -> MemcachedConfig {
    let mut config = own(MemcachedConfig::new([address.to_string()]));
    config.connect_timeout = patience;
    config.response_timeout = patience;
    config
}

/// Each trial is alone under a prefix of its own.
fn own(mut config: MemcachedConfig) -> MemcachedConfig {
    static TRIALS: AtomicU64 = AtomicU64::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    config.prefix = format!("test-{}-{trial}", std::process::id());
    config
}
