//! The index and the tier, held to the text of their traits, on every kind of server there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use terrace_redis::{RedisConfig, RedisIndex, RedisTier, Replicas};
use terrace_testkit::{
    CurrentRuntime, FaultProxy, Fixture, Trial, index_conformance, index_under_faults, run,
    tier_conformance, tier_under_faults,
};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, config) in servers() {
        let for_tier = config.clone();
        trials.extend(index_conformance(&format!("{name}_index"), move || {
            let config = own(config.clone());
            async move { index(&config) }
        }));
        trials.extend(tier_conformance(&format!("{name}_tier"), move || {
            let config = own(for_tier.clone());
            async move { tier(config) }
        }));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_URL") {
        let server = urls[0].trim_start_matches("redis://").parse().unwrap();
        trials.extend(behind_a_slow_network(server));
        trials.extend(behind_a_bad_network(server));
    }
    run(trials)
}

fn index(config: &RedisConfig) -> Fixture<RedisIndex> {
    Fixture::new(RedisIndex::new(config).unwrap())
}

fn tier(config: RedisConfig) -> Fixture<RedisTier> {
    let tier = RedisTier::builder(config, CurrentRuntime::port());
    Fixture::new(tier.build().unwrap())
}

/// Everything holds where everything takes its time.
fn behind_a_slow_network(server: SocketAddr) -> Vec<Trial> {
    let slow = move || async move {
        let proxy = FaultProxy::slow_to(server).await.unwrap();
        (patient(proxy.address()), proxy)
    };
    let mut trials = index_conformance("redis_slow_index", move || async move {
        let (config, proxy) = slow().await;
        index(&config).keeping(proxy)
    });
    trials.extend(tier_conformance("redis_slow_tier", move || async move {
        let (config, proxy) = slow().await;
        tier(config).keeping(proxy)
    }));
    trials
}

/// Where connections break and answers are lost, nothing that is said is wrong.
fn behind_a_bad_network(server: SocketAddr) -> Vec<Trial> {
    let mut trials = index_under_faults("redis_faulty_index", server, |proxy| async move {
        index(&at(proxy))
    });
    trials.extend(tier_under_faults(
        "redis_faulty_tier",
        server,
        |proxy| async move { tier(at(proxy)) },
    ));
    trials
}

/// The same, with writes that wait for a replica.
fn waiting(mut config: RedisConfig) -> RedisConfig {
    config.response_timeout = Duration::from_mins(1);
    config.replicas = Some(Replicas {
        count: 1,
        timeout: Duration::from_secs(30),
    });
    config
}

/// The server at `address`.
fn patient(address: SocketAddr) -> RedisConfig {
    let mut config = own(RedisConfig::single(format!("redis://{address}")));
    // No trial of these is about deadlines, and a machine may have much else to do.
    config.connect_timeout = Duration::from_mins(1);
    config.response_timeout = Duration::from_mins(1);
    config
}

/// The server at `address`, with little patience.
fn at(address: SocketAddr) -> RedisConfig {
    let mut config = patient(address);
    config.connect_timeout = Duration::from_secs(1);
    config.response_timeout = Duration::from_secs(1);
    config
}

/// What a variable names; nothing, said loudly, where it is not set.
fn urls(variable: &str) -> Option<Vec<String>> {
    let value = env::var(variable).ok();
    if value.is_none() {
        eprintln!("SKIPPED: {variable} is not set: cargo xtask services up");
    }
    Some(value?.split(',').map(str::to_owned).collect())
}

fn servers() -> Vec<(&'static str, RedisConfig)> {
    let mut servers = Vec::new();
    if let Some(urls) = urls("TERRACE_TEST_REDIS_URL") {
        servers.push(("redis", RedisConfig::single(&urls[0])));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_TLS_URL") {
        let mut config = RedisConfig::single(&urls[0]);
        config.authority = env::var("TERRACE_TEST_REDIS_TLS_CA")
            .ok()
            .map(|path| fs::read(path).unwrap());
        servers.push(("redis-tls", config));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_SENTINEL_URLS") {
        let name = env::var("TERRACE_TEST_REDIS_SENTINEL_NAME").unwrap();
        let config = RedisConfig::sentinel(name, urls);
        servers.push(("redis-sentinel_waiting", waiting(config.clone())));
        servers.push(("redis-sentinel", config));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_CLUSTER_URLS") {
        servers.push(("redis-cluster", RedisConfig::cluster(urls)));
    }
    servers
}

/// Each trial is alone under a prefix of its own.
fn own(mut config: RedisConfig) -> RedisConfig {
    static TRIALS: AtomicU64 = AtomicU64::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    config.prefix = format!("test-{}-{trial}", std::process::id());
    config
}
