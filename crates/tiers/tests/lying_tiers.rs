//! Tiers that fail a lookup, or answer it with something else than they stored.

#![allow(
    clippy::unwrap_used,
    reason = "test code: a panic is a failure, bodies are small"
)]

mod support;

use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use support::{ThreeTiers, body, fill, get, memory, three_tiers, two_tiers};
use terrace_core::{
    Body, Entry, ErrorKind, Fence, Fill, Generation, Key, Level, Lookup, Meta, PurgeOutcome,
    ReadBody, Result, Target, Tier, TierKind, Timestamp,
};
use terrace_memory::MemoryTier;
use terrace_policy::Policy;
use terrace_testkit::{Faults, Faulty, Op};
use terrace_tiers::{Intent, Limits, Source};

#[tokio::test(flavor = "multi_thread")]
async fn p7_a_tier_that_fails_a_lookup_hides_no_tier_below_it() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Corrupt] {
        let (key, body, durable) = (Key::named("k"), body(1000, 1), memory());
        let other = two_tiers(memory(), Arc::clone(&durable), Limits::default());
        fill(other.stack(), &key, &body).await;
        let faults = Faults::new();
        let shared = Faulty::new(memory(), faults.clone());
        let tiers: ThreeTiers<_> = three_tiers(shared, durable, Policy::default());
        faults.on(Op::Lookup).fail(kind);
        let found = get(tiers.stack(), &key).await;
        assert!(
            found == Some((Source::Tier(Level::L3), body)),
            "{kind:?} in L1"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_what_ends_early_or_late_is_an_error_and_never_a_clean_end() {
    let whole = body(100_000, 2);
    let longer: Bytes = [&whole[..], b"!"].concat().into();
    let lies = [
        ("early", Body::from_bytes(whole.slice(..60_000))),
        ("early, in pieces", in_pieces(whole.slice(..60_000))),
        ("at once", in_pieces(Bytes::new())),
        ("late", Body::from_bytes(longer.clone())),
        ("late, in pieces", in_pieces(longer)),
    ];
    for (lie, told) in lies {
        let (key, lying) = (Key::named("k"), Lying::new());
        let other = two_tiers(memory(), Arc::clone(&lying), Limits::default());
        fill(other.stack(), &key, &whole).await;
        lying.tell(told);
        let tiers = two_tiers(memory(), lying, Limits::default());
        let mut hit = tiers.stack().lookup(&key, Intent::Serve).await.hit.unwrap();
        let mut got = Vec::new();
        let end = loop {
            match hit.body.read().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                end => break end,
            }
        };
        assert!(end.is_err(), "{lie}: a clean end after {}", got.len());
        assert_eq!(got, whole[..got.len()], "{lie}: what came was right");
        assert_eq!(tiers.l0().len(), 0, "{lie}: it was copied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_p7_what_ends_early_goes_on_from_the_tier_below() {
    for cut in [0, 1, 60_000, 99_999] {
        let (key, body, lying) = (Key::named("k"), body(100_000, 3), Lying::new());
        let policy = Policy::builder().l0_max(0).build().unwrap();
        let tiers = three_tiers(Arc::clone(&lying), memory(), policy);
        fill(tiers.stack(), &key, &body).await;
        lying.tell(in_pieces(body.slice(..cut)));
        let (source, got) = get(tiers.stack(), &key).await.unwrap();
        assert!(
            source == Source::Tier(Level::L1) && got == body,
            "cut at {cut}"
        );
    }
}

/// A tier that answers the next hit with another body than it has.
struct Lying {
    truth: MemoryTier,
    lie: Mutex<Option<Body>>,
}

impl Lying {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            truth: MemoryTier::new(1 << 20),
            lie: Mutex::new(None),
        })
    }

    fn tell(&self, lie: Body) {
        *self.lie.lock().unwrap() = Some(lie);
    }
}

#[async_trait]
impl Tier for Lying {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let mut looked = self.truth.lookup(key).await?;
        if let Lookup::Hit(hit) = &mut looked
            && let Some(lie) = self.lie.lock().unwrap().take()
        {
            hit.body = lie;
        }
        Ok(looked)
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        self.truth.fence(key).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        self.truth.admit(key, entry, fence).await
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        self.truth.purge(target).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.truth.expire(target, at).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        self.truth.update_meta(key, generation, meta).await
    }
}

fn in_pieces(bytes: Bytes) -> Body {
    Body::Stream(Box::new(InPieces(bytes)))
}

struct InPieces(Bytes);

#[async_trait]
impl ReadBody for InPieces {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let piece = self.0.split_to(self.0.len().min(7000));
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn seek(&mut self, _: Range<u64>) -> Result<()> {
        unreachable!("nobody seeks here")
    }
}
