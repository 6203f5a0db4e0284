//! Writes that count only when replicas have them.

use std::time::Duration;

use bytes::Bytes;
use terrace_core::{
    Applied, Cas, IndexStore, Key, Record, Retry, Target, Tier, Timestamp, Version,
};
use terrace_redis::{RedisConfig, RedisIndex, RedisTier, Replicas};
use terrace_testkit::{CurrentRuntime, OwnServers, sample};

/// Both replicas.
fn waiting_for_both(server: &OwnServers) -> RedisConfig {
    let urls = server.variable("TERRACE_TEST_REDIS_SENTINEL_URLS");
    let mut config = RedisConfig::sentinel("terrace", urls.split(','));
    config.response_timeout = Duration::from_mins(1);
    config.replicas = Some(Replicas {
        count: 2,
        timeout: Duration::from_secs(2),
    });
    config
}

fn record(number: u64) -> Record {
    Record {
        version: Version::from_u64(number).unwrap(),
        retain_until: Timestamp::MAX,
        manifest: Bytes::from(number.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_too_few_replicas_have_is_not_acknowledged() {
    let Some(server) = OwnServers::start(&["redis-sentinel"]) else {
        return;
    };
    let index = RedisIndex::new(&waiting_for_both(&server)).unwrap();
    let key = Key::named("a key");
    let put = index.put_new(&key, &record(1)).await.unwrap();
    assert_eq!(put, Cas::Applied, "both have it");

    server.disturb("pause", "redis-sentinel/replica-2").await;
    let update = index.cas_update(&key, record(1).version, &record(2)).await;
    let error = update.expect_err("one replica hears nothing");
    assert_eq!(error.applied(), Applied::Unknown, "{error}");
    assert_eq!(error.retry(), Retry::Later, "{error}");
    // Who reads back whether it took effect is not told so, either.
    index.get(&key).await.expect_err("nor has it heard since");

    server.disturb("resume", "redis-sentinel/replica-2").await;
    let read = loop {
        // It may have been given up, and then has to catch up first.
        match index.get(&key).await {
            Ok(read) => break read,
            Err(error) => assert_eq!(error.retry(), Retry::Later, "{error}"),
        }
    };
    assert_eq!(read, Some(record(2)), "now both have it");
    let next = index.cas_update(&key, record(2).version, &record(3)).await;
    assert_eq!(next.unwrap(), Cas::Applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_that_too_few_replicas_have_is_not_acknowledged() {
    let Some(server) = OwnServers::start(&["redis-sentinel"]) else {
        return;
    };
    let tier = RedisTier::builder(waiting_for_both(&server), CurrentRuntime::port());
    let tier = tier.build().unwrap();
    let key = Key::named("an object");
    sample::fill(&tier, &key, "its body").await.unwrap();

    server.disturb("pause", "redis-sentinel/replica-1").await;
    let target = Target::Key(key);
    let error = tier
        .purge(&target)
        .await
        .expect_err("a replica hears nothing");
    assert_eq!(error.applied(), Applied::Unknown, "{error}");

    server.disturb("resume", "redis-sentinel/replica-1").await;
    while let Err(error) = tier.purge(&target).await {
        assert_eq!(error.retry(), Retry::Later, "{error}");
    }
}
