//! Servers of the tier die and hang, and no request notices (P7); what was purged stays purged (P3).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use terrace_core::{
    Committed, Key, Level, Lookup, Meta, NoTier, ReadBody, Result, Target, Tier, Timestamp,
};
use terrace_durable::DurableTier;
use terrace_memcached::{MemcachedConfig, MemcachedTier};
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore};
use terrace_policy::Policy;
use terrace_testkit::{CurrentRuntime, ManualClock, OwnServers, sample::Object};
use terrace_tiers::{Intent, Limits, MultiTier, Rescue, Source, Stack, TokioRuntime};

use crate::{addresses, disturb};

const OBJECTS: u64 = 24;
/// Between two looks at a server that is coming back.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(2);
const FAR: Timestamp = Timestamp::from_millis(4_000_000_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn p7_no_request_fails_when_a_server_dies_or_hangs_and_it_serves_again_when_it_is_back() {
    let Some(servers) = OwnServers::start(&["memcached"]) else {
        return;
    };
    let tiers = stack(&servers);
    let stack = tiers.stack();
    for (number, (end, back)) in [("kill", "revive"), ("pause", "resume"), ("kill", "revive")]
        .into_iter()
        .enumerate()
    {
        let requests = AtomicU64::new(0);
        let since = AtomicU64::new(0);
        let load = (0..8_u64).map(async |client| {
            let mut number = client;
            // Some with the server, and some without.
            while since.load(Ordering::Acquire) < 100 {
                number += 1;
                request(stack, number % OBJECTS).await;
                requests.fetch_add(1, Ordering::Relaxed);
                let is_gone = since.load(Ordering::Acquire) > 0;
                since.fetch_add(is_gone.into(), Ordering::AcqRel);
            }
        });
        let blow = async {
            while requests.load(Ordering::Relaxed) < 200 {
                tokio::task::yield_now().await;
            }
            disturb(&servers, end, number).await;
            since.store(1, Ordering::Release);
        };
        futures::join!(join_all(load), blow);

        disturb(&servers, back, number).await;
        for object in 0..OBJECTS {
            // The guard tries again after a while, and then the tier is filled from below.
            let served = async {
                while request(stack, object).await != Some(Source::Tier(Level::L1)) {
                    tokio::time::sleep(PAUSE).await;
                }
            };
            let served = tokio::time::timeout(PATIENCE, served).await;
            served.expect("the tier serves in the end");
            // A purge is acknowledged again, and holds.
            let target = Target::Key(key(object));
            let purged = stack.purge(&target).await;
            purged.unwrap_or_else(|error| panic!("after {end} {number}: {error}"));
            assert!(
                stack
                    .lookup(&key(object), Intent::Serve)
                    .await
                    .hit
                    .is_none()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_fence_does_not_outlive_the_memory_of_its_server() {
    let Some(servers) = OwnServers::start(&["memcached"]) else {
        return;
    };
    let one = MemcachedConfig::new([addresses(&servers)[0]]);
    let tier = |config: MemcachedConfig| {
        let tier = MemcachedTier::builder(config, CurrentRuntime::port());
        tier.build().unwrap()
    };
    let (key, object) = (key(1), Object::new(100, 1));
    let (early, late) = (tier(one.clone()), tier(one));
    // The first lookup of a server's life; its lease has one of the first CAS values.
    let Lookup::Miss(fence) = patiently(&early, &key).await else {
        panic!("nothing was stored");
    };
    let purged = early.purge(&Target::Key(key)).await;
    purged.unwrap();
    disturb(&servers, "kill", 0).await;
    disturb(&servers, "revive", 0).await;
    // The first of its next life; it has the same.
    let Lookup::Miss(_) = patiently(&late, &key).await else {
        panic!("nothing was stored");
    };
    patiently(&early, &key).await;
    let committed = object.store_under(&early, &key, fence).await.unwrap();
    assert_eq!(committed, Committed::Fenced);
    assert!(matches!(late.lookup(&key).await.unwrap(), Lookup::Miss(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_that_cannot_be_made_is_not_acknowledged_and_others_are() {
    let Some(servers) = OwnServers::start(&["memcached"]) else {
        return;
    };
    let tier = MemcachedTier::builder(
        MemcachedConfig::new(addresses(&servers)),
        CurrentRuntime::port(),
    );
    let tier = tier.build().unwrap();
    let object = Object::new(300_000, 1);
    for number in 0..OBJECTS {
        let stored = object.store(&tier, &key(number)).await.unwrap();
        assert_eq!(stored, Committed::Published);
    }
    disturb(&servers, "kill", 2).await;
    let mut lost = Vec::new();
    for number in 0..OBJECTS {
        match tier.purge(&Target::Key(key(number))).await {
            Ok(outcome) => assert_eq!(outcome.generation(), Some(object.generation())),
            Err(_) => lost.push(number),
        }
    }
    assert!(
        !lost.is_empty() && (lost.len() as u64) < OBJECTS,
        "{lost:?}"
    );
    disturb(&servers, "revive", 2).await;
    for number in lost {
        assert!(matches!(
            patiently(&tier, &key(number)).await,
            Lookup::Miss(_)
        ));
    }
}

/// What is there, once there is a connection.
async fn patiently(tier: &MemcachedTier, key: &Key) -> Lookup {
    let answered = async {
        loop {
            match tier.lookup(key).await {
                Ok(lookup) => return lookup,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answered).await;
    answered.expect("the server answers in the end")
}

type Tiers =
    MultiTier<NoTier, MemcachedTier, NoTier, DurableTier<InMemoryBlobStore, InMemoryIndexStore>>;

fn stack(servers: &OwnServers) -> Tiers {
    let clock = Arc::new(ManualClock::default());
    let durable = DurableTier::builder(
        InMemoryBlobStore::new(Arc::clone(&clock) as _, 256 << 20),
        InMemoryIndexStore::new(clock),
    );
    let config = MemcachedConfig::new(addresses(servers));
    let l1 = MemcachedTier::builder(config, CurrentRuntime::port());
    MultiTier::builder(durable.build().unwrap())
        .l1(l1.build().unwrap())
        .policy(Policy::builder().build().unwrap())
        .limits(Limits::default())
        .runtime(Arc::new(TokioRuntime::current()))
        .build()
        .unwrap()
}

fn key(number: u64) -> Key {
    Key::named(format!("object {number}"))
}

/// From nothing to a few chunks.
fn body(number: u64) -> Bytes {
    let len = usize::try_from(number * number * 2_000).unwrap();
    std::iter::repeat_n(number.to_le_bytes(), len / 8 + 1)
        .flatten()
        .take(len)
        .collect()
}

/// What a proxy does: serves what is stored, byte by byte right, or fetches and stores it.
async fn request(stack: &Stack, number: u64) -> Option<Source> {
    let (key, body) = (key(number), body(number));
    let looked = stack.lookup(&key, Intent::Serve).await;
    let Some(mut hit) = looked.hit else {
        let meta = Meta::new(Timestamp::EPOCH, FAR);
        let mut filling = stack.fill(&key, meta, None, Some(looked.ticket)).await;
        for piece in body.chunks(60_000) {
            filling.write(body.slice_ref(piece)).await;
        }
        filling.finish().await;
        return None;
    };
    hit.body.set_rescue(Arc::new(Origin(body.clone())));
    let mut read = Vec::new();
    while let Some(piece) = hit.body.read().await.expect("the origin has it") {
        read.extend_from_slice(&piece);
    }
    assert!(read == body, "object {number} has {} bytes", read.len());
    Some(hit.source)
}

/// Where the bodies come from. The tiers may hold two fills of one object, and then neither goes on with the other's.
struct Origin(Bytes);

#[async_trait]
impl Rescue for Origin {
    async fn resume(&self, range: Range<u64>, _: u64) -> Result<Box<dyn ReadBody>> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(Box::new(Self(self.0.slice(range))))
    }
}

#[async_trait]
impl ReadBody for Origin {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let rest = std::mem::take(&mut self.0);
        Ok((!rest.is_empty()).then_some(rest))
    }

    fn seek(&mut self, _: Range<u64>) -> Result<()> {
        unreachable!("a rescue is read forwards")
    }
}
