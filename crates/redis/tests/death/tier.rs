//! The tier's server dies, and no request notices (P7).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use terrace_core::{Key, Level, Meta, NoTier, ReadBody, Result, Target, Timestamp};
use terrace_durable::DurableTier;
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore};
use terrace_policy::Policy;
use terrace_redis::{RedisConfig, RedisTier};
use terrace_testkit::{CurrentRuntime, ManualClock, OwnServers};
use terrace_tiers::{Intent, Limits, MultiTier, Rescue, Source, Stack, TokioRuntime};

const OBJECTS: u64 = 24;
const FAR: Timestamp = Timestamp::from_millis(4_000_000_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn p7_no_request_fails_when_the_shared_tier_dies_and_it_serves_again_when_it_is_back() {
    let Some(server) = OwnServers::start(&["redis"]) else {
        return;
    };
    let tiers = stack(&server);
    let stack = tiers.stack();
    for death in 1..=3 {
        let requests = AtomicU64::new(0);
        let is_dead = AtomicU64::new(0);
        let load = (0..8_u64).map(async |client| {
            let mut number = client;
            // Some with the server, and some without.
            while is_dead.load(Ordering::Acquire) < 100 {
                number += 1;
                request(stack, number % OBJECTS).await;
                requests.fetch_add(1, Ordering::Relaxed);
                is_dead.fetch_add(
                    u64::from(is_dead.load(Ordering::Acquire) > 0),
                    Ordering::AcqRel,
                );
            }
        });
        let kill = async {
            while requests.load(Ordering::Relaxed) < 200 {
                tokio::task::yield_now().await;
            }
            server.disturb("kill", "redis").await;
            is_dead.store(1, Ordering::Release);
        };
        futures::join!(join_all(load), kill);

        server.disturb("revive", "redis").await;
        // The guard tries again after a while, and then the tier is filled from below.
        while request(stack, 0).await != Some(Source::Tier(Level::L1)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // A purge is acknowledged again, and holds.
        let target = Target::Key(key(1));
        stack
            .purge(&target)
            .await
            .unwrap_or_else(|error| panic!("after death {death}: {error}"));
        assert!(stack.lookup(&key(1), Intent::Serve).await.hit.is_none());
    }
}

type Tiers =
    MultiTier<NoTier, RedisTier, NoTier, DurableTier<InMemoryBlobStore, InMemoryIndexStore>>;

fn stack(server: &OwnServers) -> Tiers {
    let clock = Arc::new(ManualClock::default());
    let durable = DurableTier::builder(
        InMemoryBlobStore::new(Arc::clone(&clock) as _, 256 << 20),
        InMemoryIndexStore::new(clock),
    );
    let config = RedisConfig::single(server.variable("TERRACE_TEST_REDIS_URL"));
    let l1 = RedisTier::builder(config, CurrentRuntime::port());
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
