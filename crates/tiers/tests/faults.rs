//! P7, *a sick tier never fails a request the origin could serve*: faults at every call of the durable tier's
//! stores, one at a time.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    reason = "test code: a panic is a failure, bodies are small"
)]

mod support;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use support::{body, meta};
use terrace_core::{Body, Clock, ErrorKind, Key, Level, NoTier, ReadBody, Result, Timestamp};
use terrace_durable::DurableTier;
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore};
use terrace_testkit::{Faults, Faulty, ManualClock, Op};
use terrace_tiers::{BreakerState, Intent, Limits, MultiTier, Rescue, Source, Stack, TokioRuntime};
use tokio::sync::Notify;
use tokio::time::timeout;

type Durable = DurableTier<Faulty<InMemoryBlobStore>, Faulty<InMemoryIndexStore>>;

struct Setup {
    tiers: MultiTier<NoTier, NoTier, NoTier, Durable>,
    faults: Faults,
    clock: Arc<ManualClock>,
}

/// The durable tier alone, so that nothing above hides what it does.
fn setup() -> Setup {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
    let (port, faults) = (Arc::clone(&clock) as Arc<dyn Clock>, Faults::new());
    let blobs = InMemoryBlobStore::new(Arc::clone(&port), 64 << 20);
    let index = InMemoryIndexStore::new(Arc::clone(&port));
    let durable = DurableTier::builder(
        Faulty::new(blobs, faults.clone()),
        Faulty::new(index, faults.clone()),
    );
    let deadline = Duration::from_millis(100);
    let tiers = MultiTier::builder(durable.clock(Arc::clone(&port)).build().unwrap())
        .clock(port)
        .runtime(Arc::new(TokioRuntime::current()))
        .limits(Limits {
            lookup_deadline: deadline,
            read_deadline: deadline,
            write_deadline: deadline,
            stall_budget: deadline,
            ..Limits::default()
        })
        .build();
    Setup {
        tiers: tiers.unwrap(),
        faults,
        clock,
    }
}

/// An origin that is well.
struct Origin(Bytes);

#[async_trait]
impl Rescue for Origin {
    async fn resume(&self, range: Range<u64>, len: u64) -> Result<Box<dyn ReadBody>> {
        assert_eq!(len, self.0.len() as u64);
        let rest = self.0.slice(range.start as usize..range.end as usize);
        Ok(Box::new(InPieces(rest)))
    }
}

struct InPieces(Bytes);

#[async_trait]
impl ReadBody for InPieces {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let piece = self.0.split_to(self.0.len().min(10_000));
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn seek(&mut self, _: Range<u64>) -> Result<()> {
        unreachable!("a rescue is read forwards")
    }
}

/// What a proxy does with a request: serves a hit, or fetches, stores and serves. Answers what the client got.
async fn request(stack: &Stack, key: &Key, origin: &Bytes) -> (Option<Source>, Bytes) {
    let looked = stack.lookup(key, Intent::Serve).await;
    if let Some(mut hit) = looked.hit {
        hit.body.set_rescue(Arc::new(Origin(origin.clone())));
        let mut body: Body = hit.body.into();
        return (
            Some(hit.source),
            body.read_all().await.expect("a hit is served whole"),
        );
    }
    let len = Some(origin.len() as u64);
    let mut filling = stack.fill(key, meta(), len, Some(looked.ticket)).await;
    let mut own = stack
        .filling(filling.id())
        .expect("its own body is there")
        .body;
    let mut got = Vec::new();
    for chunk in origin.chunks(30_000) {
        filling.write(Bytes::copy_from_slice(chunk)).await;
        got.extend_from_slice(&own.read().await.unwrap().unwrap());
    }
    filling.finish().await;
    assert!(
        stack.drain(Duration::from_mins(1)).await,
        "background work ends (P9)"
    );
    (None, got.into())
}

/// Requests while `break_it` holds, and after it, with the object stored before or not.
async fn survive(case: &str, len: usize, warm: bool, break_it: impl Fn(&Faults)) {
    let Setup {
        tiers,
        faults,
        clock,
    } = setup();
    let (stack, key, origin) = (tiers.stack(), Key::named("k"), body(len, 1));
    if warm {
        request(stack, &key, &origin).await;
    }
    break_it(&faults);
    for nth in 0..3 {
        let (_, got) = request(stack, &key, &origin).await;
        assert_eq!(
            got, origin,
            "{case}, {len} bytes, warm: {warm}, request {nth}"
        );
    }
    faults.clear();
    clock.advance(Duration::from_mins(1));
    // Once the faults have stopped it becomes a durable hit again, if not at the first request.
    for nth in 0.. {
        let (source, got) = request(stack, &key, &origin).await;
        assert_eq!(
            got, origin,
            "{case}, {len} bytes, warm: {warm}, after the fault"
        );
        if source == Some(Source::Tier(Level::L3)) {
            break;
        }
        assert!(
            nth < 10,
            "{case}, {len} bytes, warm: {warm}: never a hit again"
        );
        clock.advance(Duration::from_mins(1));
    }
    assert!(
        stack.drain(Duration::from_mins(1)).await,
        "background work ends (P9)"
    );
}

const OPS: [Op; 7] = [
    Op::IndexGet,
    Op::PutNew,
    Op::CasUpdate,
    Op::BlobGet,
    Op::BlobPut,
    Op::BlobWrite,
    Op::BlobFinish,
];
/// An inline body, and one of several blocks.
const LENS: [usize; 2] = [100, 200_000];

async fn at_every_call(case: &str, break_it: impl Fn(&Faults, Op)) {
    for op in OPS {
        for len in LENS {
            for warm in [false, true] {
                let case = format!("{case} {op:?}");
                survive(&case, len, warm, |faults| break_it(faults, op)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_calls_that_fail() {
    at_every_call("fail", |faults, op| {
        faults.on(op).fail(ErrorKind::Unavailable)
    })
    .await;
    at_every_call("once", |faults, op| {
        faults.on(op).first(1).fail(ErrorKind::Internal)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_requests_and_answers_that_are_lost() {
    at_every_call("request", |faults, op| {
        faults.on(op).lose_request(ErrorKind::Timeout)
    })
    .await;
    at_every_call("answer", |faults, op| {
        faults.on(op).lose_answer(ErrorKind::Timeout)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_calls_that_hang() {
    at_every_call("hang before", |faults, op| faults.on(op).hang()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_calls_that_hang_after_their_effect() {
    at_every_call("hang after", |faults, op| faults.on(op).hang_after()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_p2_p7_bodies_that_are_corrupt_or_break_off_are_rescued() {
    for offset in [0, 1, 70_000, 199_999] {
        survive("flip", 200_000, true, |faults| {
            faults.on(Op::BlobGet).flip_bit(offset)
        })
        .await;
        survive("end", 200_000, true, |faults| {
            faults.on(Op::BlobGet).end_early(offset)
        })
        .await;
        survive("hang", 200_000, true, |faults| {
            faults.on(Op::BlobGet).hang_at(offset)
        })
        .await;
        survive("die", 200_000, true, |faults| {
            faults
                .on(Op::BlobGet)
                .die_at(offset, ErrorKind::Unavailable);
        })
        .await;
    }
    for offset in [0, 5, 40] {
        survive("damaged record", 100, true, |faults| {
            faults.on(Op::IndexGet).flip_bit(offset)
        })
        .await;
    }
}

/// An origin that answers when it may.
struct Held {
    origin: Origin,
    asked: AtomicU32,
    was_asked: Notify,
    may_answer: Notify,
}

#[async_trait]
impl Rescue for Held {
    async fn resume(&self, range: Range<u64>, len: u64) -> Result<Box<dyn ReadBody>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.was_asked.notify_one();
        self.may_answer.notified().await;
        self.origin.resume(range, len).await
    }
}

/// As Pingora does in its loops, when something else happens.
#[tokio::test(flavor = "multi_thread")]
async fn p7_a_read_that_is_dropped_while_another_source_is_asked_loses_nothing() {
    let (key, origin) = (Key::named("k"), body(200_000, 1));
    for cut in [0, 70_000, 199_999] {
        let Setup { tiers, faults, .. } = setup();
        request(tiers.stack(), &key, &origin).await;
        faults.on(Op::BlobGet).end_early(cut);
        let mut hit = tiers.stack().lookup(&key, Intent::Serve).await.hit.unwrap();
        let held = Arc::new(Held {
            origin: Origin(origin.clone()),
            asked: AtomicU32::new(0),
            was_asked: Notify::new(),
            may_answer: Notify::new(),
        });
        let rescue: Arc<dyn Rescue> = Arc::<Held>::clone(&held);
        hit.body.set_rescue(rescue);
        let mut got = Vec::new();
        while got.len() < origin.len() {
            let piece = tokio::select! {
                piece = timeout(Duration::from_mins(1), hit.body.read()) => piece.expect("it does not hang"),
                () = held.was_asked.notified() => {
                    // The read is dropped.
                    held.may_answer.notify_one();
                    continue;
                }
            };
            got.extend_from_slice(&piece.unwrap().expect("there is more"));
        }
        assert_eq!(got, origin, "cut at {cut}");
        assert_eq!(held.asked.load(Ordering::SeqCst), 1, "cut at {cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_body_that_nobody_can_complete_is_an_error_and_never_a_clean_end() {
    let (key, origin) = (Key::named("k"), body(200_000, 1));
    // The origin's content may have changed: its bytes must not be patched into the old body.
    for rescue in [None, Some(body(200_000, 2))] {
        let Setup { tiers, faults, .. } = setup();
        let stack = tiers.stack();
        request(stack, &key, &origin).await;
        faults.on(Op::BlobGet).flip_bit(100_000);
        let mut hit = stack.lookup(&key, Intent::Serve).await.hit.unwrap();
        if let Some(changed) = rescue {
            hit.body.set_rescue(Arc::new(Origin(changed)));
        }
        let mut got = Vec::new();
        let end = loop {
            match hit.body.read().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                end => break end,
            }
        };
        assert!(end.is_err(), "it ended cleanly after {} bytes", got.len());
        assert_eq!(got, origin[..got.len()], "what came was right");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_a_corrupt_generation_is_evicted() {
    let Setup { tiers, faults, .. } = setup();
    let (stack, key, origin) = (tiers.stack(), Key::named("k"), body(200_000, 1));
    request(stack, &key, &origin).await;
    faults.on(Op::BlobGet).first(1).flip_bit(3);
    assert_eq!(request(stack, &key, &origin).await.1, origin);
    assert!(stack.drain(Duration::from_mins(1)).await);
    assert_eq!(request(stack, &key, &origin).await.0, None, "fetched anew");
    assert_eq!(
        request(stack, &key, &origin).await.0,
        Some(Source::Tier(Level::L3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_a_tier_that_hangs_costs_its_deadline_once_then_it_is_left_alone() {
    let Setup {
        tiers,
        faults,
        clock,
    } = setup();
    let (stack, key, origin) = (tiers.stack(), Key::named("k"), body(100, 1));
    faults.on(Op::IndexGet).hang();
    request(stack, &key, &origin).await;
    let asked = faults.calls(Op::IndexGet);
    for _ in 0..20 {
        assert_eq!(request(stack, &key, &origin).await.1, origin);
    }
    assert_eq!(faults.calls(Op::IndexGet), asked, "nobody else waited");
    assert_eq!(stack.health()[0].breaker, BreakerState::Open);
    faults.clear();
    clock.advance(Duration::from_mins(1));
    request(stack, &key, &origin).await;
    assert_eq!(stack.health()[0].breaker, BreakerState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_that_the_durable_tier_did_not_do_is_not_acknowledged() {
    let Setup { tiers, faults, .. } = setup();
    let (stack, key, origin) = (tiers.stack(), Key::named("k"), body(100, 1));
    request(stack, &key, &origin).await;
    let target = terrace_core::Target::Key(key);
    faults.on(Op::CasUpdate).fail(ErrorKind::Unavailable);
    assert!(stack.purge(&target).await.is_err());
    assert!(
        request(stack, &key, &origin).await.0.is_some(),
        "as the error said"
    );
    faults.clear();
    stack.purge(&target).await.unwrap();
    assert_eq!(request(stack, &key, &origin).await.0, None);
}
