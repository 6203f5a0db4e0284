//! Lists of servers that change.

use std::env;
use std::time::Duration;

use terrace_core::{Committed, ErrorKind, Key, Lookup, Target, Tier};
use terrace_memcached::{MemcachedConfig, MemcachedTier};
use terrace_testkit::{CurrentRuntime, sample::Object};

const OBJECTS: u64 = 60;

/// The servers there are; nothing, said loudly, where there are too few.
fn servers() -> Option<Vec<String>> {
    let addresses = env::var("TERRACE_TEST_MEMCACHED_ADDRS").unwrap_or_default();
    let addresses: Vec<_> = addresses.split(',').map(str::to_owned).collect();
    if addresses.len() < 3 {
        eprintln!(
            "SKIPPED: TERRACE_TEST_MEMCACHED_ADDRS does not name three servers: cargo xtask services up memcached"
        );
        return None;
    }
    Some(addresses)
}

/// A process with this list.
fn process(servers: &[String], test: &str) -> MemcachedTier {
    let mut config = MemcachedConfig::new(servers);
    config.prefix = format!("test-{}-{test}", std::process::id());
    config.absence = Duration::from_secs(30);
    let tier = MemcachedTier::builder(config, CurrentRuntime::port());
    tier.build().unwrap()
}

fn keys() -> impl Iterator<Item = Key> {
    (0..OBJECTS).map(|number| Key::named(format!("object {number}")))
}

async fn hits(tier: &MemcachedTier) -> Vec<Key> {
    let mut hits = Vec::new();
    for key in keys() {
        if let Lookup::Hit(_) = tier.lookup(&key).await.unwrap() {
            hits.push(key);
        }
    }
    hits
}

async fn store_all(tier: &MemcachedTier, seed: u64) {
    for key in keys() {
        let committed = Object::new(1000, seed).store(tier, &key).await.unwrap();
        assert_eq!(committed, Committed::Published);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_what_was_purged_under_another_list_does_not_come_back() {
    let Some(servers) = servers() else { return };
    let two = &servers[..2];
    let before = process(two, "purged");
    store_all(&before, 1).await;
    drop(before);
    // Three servers for a time; a third of the groups are the third's.
    let during = process(&servers, "purged");
    for key in keys() {
        during.purge(&Target::Key(key)).await.unwrap();
    }
    drop(during);
    let after = process(two, "purged");
    assert_eq!(hits(&after).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_costs_the_groups_it_takes_and_no_others() {
    let Some(servers) = servers() else { return };
    let before = process(&servers[..2], "grown");
    store_all(&before, 1).await;
    drop(before);
    let after = process(&servers, "grown");
    let left = hits(&after).await.len();
    assert!((25..55).contains(&left), "{left} of {OBJECTS} are left");
    store_all(&after, 2).await;
    assert_eq!(hits(&after).await.len(), keys().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_process_with_an_older_list_notices() {
    let Some(servers) = servers() else { return };
    let old = process(&servers[..2], "older");
    store_all(&old, 1).await;
    let new = process(&servers, "older");
    store_all(&new, 2).await;
    // It asks its servers every few seconds.
    let noticed = async {
        loop {
            match refused(&old).await {
                0 => tokio::time::sleep(Duration::from_millis(100)).await,
                refused => return refused,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_mins(1), noticed).await;
    let refused = refused.expect("it notices in the end");
    assert!(refused < keys().count(), "what did not move is as it was");
}

/// How many purges a process with an older list cannot make.
async fn refused(old: &MemcachedTier) -> usize {
    let mut refused = 0;
    for key in keys() {
        if let Err(error) = old.purge(&Target::Key(key)).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            refused += 1;
        }
    }
    refused
}
