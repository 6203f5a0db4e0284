//! The index and the tier, held to the text of their traits, on every kind of server there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use terrace_redis::{RedisConfig, RedisIndex, RedisTier};
use terrace_testkit::{CurrentRuntime, Fixture, index_conformance, run, tier_conformance};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, config) in servers() {
        let for_tier = config.clone();
        trials.extend(index_conformance(&format!("{name}_index"), move || {
            let config = own(config.clone());
            async move { Fixture::new(RedisIndex::new(&config).unwrap()) }
        }));
        trials.extend(tier_conformance(&format!("{name}_tier"), move || {
            let config = own(for_tier.clone());
            async move {
                let tier = RedisTier::builder(config, CurrentRuntime::port());
                Fixture::new(tier.build().unwrap())
            }
        }));
    }
    run(trials)
}

fn servers() -> Vec<(&'static str, RedisConfig)> {
    let urls = |variable: &str| -> Option<Vec<String>> {
        let value = env::var(variable).ok();
        if value.is_none() {
            eprintln!("SKIPPED: {variable} is not set: cargo xtask services up");
        }
        Some(value?.split(',').map(str::to_owned).collect())
    };
    let mut servers = Vec::new();
    if let Some(urls) = urls("TERRACE_TEST_REDIS_URL") {
        servers.push(("single", RedisConfig::single(&urls[0])));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_TLS_URL") {
        let mut config = RedisConfig::single(&urls[0]);
        config.authority = env::var("TERRACE_TEST_REDIS_TLS_CA")
            .ok()
            .map(|path| fs::read(path).unwrap());
        servers.push(("tls", config));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_SENTINEL_URLS") {
        let name = env::var("TERRACE_TEST_REDIS_SENTINEL_NAME").unwrap();
        servers.push(("sentinel", RedisConfig::sentinel(name, urls)));
    }
    if let Some(urls) = urls("TERRACE_TEST_REDIS_CLUSTER_URLS") {
        servers.push(("cluster", RedisConfig::cluster(urls)));
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
