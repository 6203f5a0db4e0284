//! The index survives the death of its server: what was acknowledged is there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use terrace_core::{Applied, Cas, IndexStore, Key, Record, Retry, Timestamp, Version};
use terrace_redis::{RedisConfig, RedisIndex};
use terrace_testkit::OwnServers;

/// What one writer knows of its key.
struct Known {
    key: Key,
    /// Versions of which one must be there: the last acknowledged, and those whose answers were lost since.
    possible: Vec<Version>,
}

impl Known {
    /// Writes once more, and notes what may be there then. Says whether it was acknowledged.
    async fn write(&mut self, index: &RedisIndex, number: u64) -> bool {
        let version = Version::from_u64(number).unwrap();
        let record = Record {
            version,
            retain_until: Timestamp::MAX,
            manifest: Bytes::from(number.to_string()),
        };
        let Ok(present) = index.get(&self.key).await else {
            return false;
        };
        let answer = match &present {
            Some(present) => index.cas_update(&self.key, present.version, &record).await,
            None => index.put_new(&self.key, &record).await,
        };
        match answer {
            Ok(Cas::Applied) => {
                self.possible = vec![version];
                true
            }
            // Nobody else writes this key, so that it is there as it was read.
            Ok(Cas::Conflict) => panic!("a conflict without another writer: {present:?}"),
            Err(error) => {
                if error.applied() == Applied::Unknown {
                    self.possible.push(version);
                }
                false
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_each_death() {
    let Some(server) = OwnServers::start(&["redis"]) else {
        return;
    };
    let mut config = RedisConfig::single(server.variable("TERRACE_TEST_REDIS_URL"));
    config.response_timeout = Duration::from_secs(2);
    let index = RedisIndex::new(&config).unwrap();

    let mut writers: Vec<_> = (0..8)
        .map(|number| Known {
            key: Key::named(format!("writer {number}")),
            possible: Vec::new(),
        })
        .collect();
    let acknowledged = AtomicU64::new(0);
    for death in 0..5 {
        let load = writers
            .iter_mut()
            .zip(1_u64..)
            .map(async |(known, writer)| {
                let mut number = (death << 32) | (writer << 24);
                // Until it notices that the server is gone.
                loop {
                    number += 1;
                    if !known.write(&index, number).await {
                        return;
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        let kill = async {
            while acknowledged.load(Ordering::Relaxed) < (death + 1) * 200 {
                tokio::task::yield_now().await;
            }
            server.disturb("kill", "redis").await;
        };
        futures::join!(futures::future::join_all(load), kill);
        server.disturb("revive", "redis").await;
        for known in &writers {
            let record = patiently(&index, &known.key).await;
            let version = record.map(|record| record.version);
            assert!(
                known.possible.is_empty() || known.possible.iter().any(|&it| Some(it) == version),
                "after death {death} there is {version:?}, and not one of {:?}",
                known.possible
            );
        }
    }
}

/// What is stored, once the server has read its log.
async fn patiently(index: &RedisIndex, key: &Key) -> Option<Record> {
    loop {
        match index.get(key).await {
            Ok(record) => return record,
            Err(error) if error.retry() == Retry::Later => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}
