//! A server that dies, or stops answering, under load, and comes back: what was acknowledged is there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use terrace_core::{Applied, Cas, IndexStore, Key, Record, Retry, SystemClock, Timestamp, Version};
use terrace_dynamodb::{Billing, DdbIndex};
use terrace_testkit::CurrentRuntime;

#[path = "support/local.rs"]
mod local;
#[path = "death/server.rs"]
mod server;

use local::local;
use server::OwnServer;

const WRITERS: u64 = 8;

/// What one writer knows of its key.
struct Known {
    key: Key,
    /// Versions of which one must be there: the last acknowledged, and those whose answers were lost since.
    possible: Vec<Version>,
    written: u64,
}

impl Known {
    fn new(writer: u64) -> Self {
        Self {
            key: Key::named(format!("writer {writer}")),
            possible: Vec::new(),
            written: writer << 32,
        }
    }

    /// Writes once more, and notes what may be there then. Says whether it was acknowledged.
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
                self.possible = vec![version];
                true
            }
            Ok(Cas::Conflict) => {
                let late = self.possible.iter().any(|&it| Some(it) != present);
                assert!(
                    late,
                    "nobody else writes, and no answer was lost: {present:?}"
                );
                true
            }
            Err(error) => {
                if error.applied() == Applied::Unknown {
                    self.possible.push(version);
                }
                false
            }
        }
    }

    fn check(&self, present: Option<Version>) {
        assert!(
            self.possible.is_empty() || self.possible.iter().any(|&it| Some(it) == present),
            "there is {present:?}, and not one of {:?}",
            self.possible
        );
    }
}

/// Ways to disturb the server, and the way back.
#[derive(Clone, Copy)]
struct Disturbance {
    verb: &'static str,
    remedy: &'static str,
}

async fn survives(disturbances: &[Disturbance]) {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let mut config = local(server.url(), "terrace");
    config.create = Some(Billing::OnDemand);
    config.attempt_timeout = Duration::from_secs(2);
    config.call_timeout = Duration::from_secs(2);
    let (runtime, clock) = (CurrentRuntime::port(), Arc::new(SystemClock));
    let index = DdbIndex::connect(config, runtime, clock).await.unwrap();

    let mut writers: Vec<_> = (1..=WRITERS).map(Known::new).collect();
    let acknowledged = AtomicU64::new(0);
    for (round, disturbance) in (1..).zip(disturbances) {
        let load = writers.iter_mut().map(async |known| {
            // Until it notices that something is wrong.
            while known.write(&index).await {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        });
        let disturb = async {
            while acknowledged.load(Ordering::Relaxed) < round * 200 {
                tokio::task::yield_now().await;
            }
            server.run(disturbance.verb);
        };
        futures::join!(join_all(load), disturb);
        server.run(disturbance.remedy);
        for known in &writers {
            known.check(patiently(&index, &known.key).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_each_death() {
    let death = Disturbance {
        verb: "kill",
        remedy: "revive",
    };
    survives(&[death; 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_each_pause() {
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
