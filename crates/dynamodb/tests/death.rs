//! A server that dies, or stops answering, under load, and comes back: what was acknowledged is there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use terrace_core::{Applied, Cas, IndexStore, Key, Record, Retry, SystemClock, Timestamp, Version};
use terrace_dynamodb::{Billing, DdbIndex};
use terrace_testkit::{CurrentRuntime, OwnServers};
use tokio::sync::Semaphore;

#[path = "support/local.rs"]
mod local;

use local::local;

const WRITERS: u64 = 8;
/// Writes that are acknowledged before the server is disturbed.
const LOAD: u32 = 200;
/// What no machine is too slow for.
const PATIENCE: Duration = Duration::from_mins(5);

/// What one writer knows of its key.
struct Known {
    key: Key,
    /// What may be there: what was last acknowledged, and what got no answer since.
    possible: Vec<Option<Version>>,
    written: u64,
}

impl Known {
    fn new(writer: u64) -> Self {
        Self {
            key: Key::named(format!("writer {writer}")),
            possible: vec![None],
            written: writer << 32,
        }
    }

    /// Writes once more, and notes what may be there then. Says whether there was an answer.
    async fn write(&mut self, index: &DdbIndex) -> bool {
        let Ok(present) = index.get(&self.key).await else {
            return false;
        };
        let present = present.map(|record| record.version);
        self.check(present);
        self.written += 1;
        let version = Version::from_u64(self.written).unwrap();
        let record = Record {
            version,
            retain_until: Timestamp::MAX,
            manifest: Bytes::from(self.written.to_string()),
        };
        let answer = match present {
            Some(present) => index.cas_update(&self.key, present, &record).await,
            None => index.put_new(&self.key, &record).await,
        };
        match answer {
            Ok(Cas::Applied) => {
                self.possible = vec![Some(version)];
                true
            }
            Ok(Cas::Conflict) => {
                let is_late = self.possible.iter().any(|&it| it != present);
                assert!(
                    is_late,
                    "nobody else writes, and no answer was lost: {present:?}"
                );
                true
            }
            Err(error) => {
                if error.applied() == Applied::Unknown {
                    self.possible.push(Some(version));
                }
                false
            }
        }
    }

    fn check(&self, present: Option<Version>) {
        assert!(
            self.possible.contains(&present),
            "there is {present:?}, and not one of {:?}",
            self.possible
        );
    }
}

/// A way to disturb the server, and the way back.
#[derive(Clone, Copy)]
struct Disturbance {
    verb: &'static str,
    remedy: &'static str,
}

async fn survives(disturbances: &[Disturbance]) {
    let Some(server) = OwnServers::start(&["dynamodb"]) else {
        return;
    };
    let index = index(server.variable("TERRACE_TEST_DYNAMODB_URL")).await;
    let mut writers: Vec<_> = (1..=WRITERS).map(Known::new).collect();
    for disturbance in disturbances {
        let acknowledged = Semaphore::new(0);
        let is_disturbed = AtomicBool::new(false);
        let load = writers.iter_mut().map(async |known| {
            // Until it notices that something is wrong.
            loop {
                if known.write(&index).await {
                    acknowledged.add_permits(1);
                } else if is_disturbed.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let disturb = async {
            acknowledged.acquire_many(LOAD).await.unwrap().forget();
            is_disturbed.store(true, Ordering::Relaxed);
            server.disturb(disturbance.verb, "dynamodb").await;
        };
        let load = tokio::time::timeout(PATIENCE, join_all(load));
        let (load, ()) = futures::join!(load, disturb);
        load.expect("the writers notice that the server is disturbed");
        server.disturb(disturbance.remedy, "dynamodb").await;
        for known in &writers {
            let present = tokio::time::timeout(PATIENCE, patiently(&index, &known.key)).await;
            known.check(present.expect("the index is back with its server"));
        }
    }
}

/// An index there, in a table that is ready.
async fn index(url: &str) -> DdbIndex {
    let mut config = local(url, "terrace");
    config.create = Some(Billing::OnDemand);
    config.attempt_timeout = PATIENCE;
    config.call_timeout = PATIENCE;
    config.start_timeout = PATIENCE;
    let connect = async |config| {
        DdbIndex::connect(config, CurrentRuntime::port(), Arc::new(SystemClock)).await
    };
    connect(config.clone()).await.unwrap();
    // That the server is slow, or stopped, is to be noticed from here on.
    config.create = None;
    config.attempt_timeout = Duration::from_secs(2);
    config.call_timeout = Duration::from_secs(2);
    connect(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_what_was_acknowledged_is_there_after_each_death() {
    let death = Disturbance {
        verb: "kill",
        remedy: "revive",
    };
    survives(&[death; 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_what_was_acknowledged_is_there_after_each_pause() {
    let pause = Disturbance {
        verb: "pause",
        remedy: "resume",
    };
    survives(&[pause; 2]).await;
}

/// What is stored, once the server is back.
async fn patiently(index: &DdbIndex, key: &Key) -> Option<Version> {
    loop {
        match index.get(key).await {
            Ok(record) => return record.map(|record| record.version),
            Err(error) if error.retry() == Retry::Later => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}
