//! A two-tier stack over memory, the lower tier playing a remote one.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test support"
)]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    Entry, Fence, Fill, Generation, Key, Lookup, Meta, NoTier, PurgeOutcome, Result, Target, Tier,
    TierKind, Timestamp,
};
use terrace_memory::MemoryTier;
use terrace_policy::Policy;
use terrace_tiers::{Intent, Limits, MultiTier, Source, Stack, TokioRuntime};

/// A tier that is called like a remote one: as a task, under a guard.
pub(crate) struct Remote<T>(pub(crate) T);

/// A memory tier, called like a remote one.
pub(crate) type Shared = Remote<Arc<MemoryTier>>;

pub(crate) type ThreeTiers<L1> = MultiTier<Arc<MemoryTier>, L1, NoTier, Shared>;

pub(crate) type TwoTiers<L3> = MultiTier<Arc<MemoryTier>, NoTier, NoTier, Remote<L3>>;

pub(crate) const FAR: Timestamp = Timestamp::from_millis(4_000_000_000_000);

pub(crate) fn meta() -> Meta {
    Meta::new(Timestamp::EPOCH, FAR)
}

pub(crate) fn memory() -> Arc<MemoryTier> {
    Arc::new(MemoryTier::new(256 << 20))
}

pub(crate) fn two_tiers<L3: Tier>(l0: Arc<MemoryTier>, l3: L3, limits: Limits) -> TwoTiers<L3> {
    MultiTier::builder(Remote(l3))
        .l0(l0)
        .limits(limits)
        .runtime(Arc::new(TokioRuntime::current()))
        .build()
        .unwrap()
}

pub(crate) fn three_tiers<L1: Tier>(l1: L1, l3: Arc<MemoryTier>, policy: Policy) -> ThreeTiers<L1> {
    MultiTier::builder(Remote(l3))
        .l0(memory())
        .l1(l1)
        .policy(policy)
        .runtime(Arc::new(TokioRuntime::current()))
        .build()
        .unwrap()
}

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn body(len: usize, seed: u8) -> Bytes {
    (0..len)
        .map(|at| (at % 251) as u8 ^ (at / 251 % 256) as u8 ^ seed)
        .collect()
}

pub(crate) async fn fill(stack: &Stack, key: &Key, body: &Bytes) {
    let ticket = stack.lookup(key, Intent::Serve).await.ticket;
    let mut filling = stack.fill(key, meta(), None, Some(ticket)).await;
    for chunk in body.chunks(60_000) {
        filling.write(Bytes::copy_from_slice(chunk)).await;
    }
    filling.finish().await;
    assert!(stack.drain(std::time::Duration::from_mins(1)).await);
}

pub(crate) async fn get(stack: &Stack, key: &Key) -> Option<(Source, Bytes)> {
    let mut hit = stack.lookup(key, Intent::Serve).await.hit?;
    let mut body = Vec::new();
    while let Some(piece) = hit.body.read().await.unwrap() {
        body.extend_from_slice(&piece);
    }
    let source = hit.source;
    // Its reader runs as long as it is there.
    drop(hit);
    assert!(stack.drain(std::time::Duration::from_mins(1)).await);
    Some((source, body.into()))
}

#[async_trait]
impl<T: Tier> Tier for Remote<T> {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        self.0.lookup(key).await
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        self.0.fence(key).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        self.0.admit(key, entry, fence).await
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        self.0.purge(target).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.0.expire(target, at).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        self.0.update_meta(key, generation, meta).await
    }
}
