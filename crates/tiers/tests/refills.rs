//! A fill that begins before the one before it is durable, and one that a tier below refuses.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    reason = "test code: a panic is a failure, bodies are small"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use support::{FAR, Remote, body, get, memory, meta, three_tiers};
use terrace_core::{Clock, Generation, Key, Level, Lookup, Meta, Target, Tier, Timestamp};
use terrace_durable::DurableTier;
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore, MemoryTier};
use terrace_policy::Policy;
use terrace_testkit::{
    Explorer, Faults, Faulty, ManualClock, Op, Scenario, SeededRandom, Stepped, explore,
};
use terrace_tiers::{Filling, Intent, Limits, MultiTier, Source, Stack, TokioRuntime};

const L0: Source = Source::Tier(Level::L0);
const L3: Source = Source::Tier(Level::L3);

fn key() -> Key {
    Key::named("https://example.com/")
}

/// The metadata of an answer that came at `millis`.
fn answered(millis: u64) -> Meta {
    Meta::new(Timestamp::from_millis(millis), FAR)
}

/// Asks the origin whatever is there, and takes its answer, whose body is complete but for its end.
async fn refill(stack: &Stack, millis: u64, body: &Bytes) -> Filling {
    let ticket = stack.lookup(&key(), Intent::Revalidate).await.ticket;
    let mut filling = stack
        .fill(&key(), answered(millis), None, Some(ticket))
        .await;
    filling.write(body.clone()).await;
    filling
}

type Durable = DurableTier<InMemoryBlobStore, Faulty<InMemoryIndexStore>>;

fn durable(clock: &Arc<dyn Clock>, faults: &Faults) -> Durable {
    let blobs = InMemoryBlobStore::new(Arc::clone(clock), 64 << 20);
    let index = InMemoryIndexStore::new(Arc::clone(clock));
    DurableTier::builder(blobs, Faulty::new(index, faults.clone()))
        .clock(Arc::clone(clock))
        .random(Arc::new(SeededRandom::new(1)))
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refill_that_begins_before_the_last_one_is_durable_takes_its_place() {
    for (swap, is_first, len) in [
        (Op::PutNew, true, 100),
        (Op::CasUpdate, false, 100),
        (Op::PutNew, true, 40_000),
        (Op::CasUpdate, false, 40_000),
    ] {
        let (clock, faults) = (
            Arc::new(ManualClock::default()) as Arc<dyn Clock>,
            Faults::new(),
        );
        let below = durable(&clock, &faults);
        let stack = |below: Durable| {
            let tiers = MultiTier::builder(below)
                .l0(MemoryTier::new(64 << 20))
                .clock(Arc::clone(&clock))
                .runtime(Arc::new(TokioRuntime::current()))
                .build();
            tiers.unwrap().stack().clone()
        };
        let here = stack(below.clone());
        if !is_first {
            refill(&here, 1, &body(len, 1)).await.finish().await;
            assert!(here.drain(Duration::from_mins(1)).await);
        }

        faults.on(swap).first(1).hang();
        let earlier = refill(&here, 2, &body(len, 2)).await;
        let overtaken = earlier.generation();
        earlier.finish().await;
        faults.until_hanging(1).await;
        let later = refill(&here, 3, &body(len, 3)).await;
        faults.clear();
        while generation_in(&below).await != Some(overtaken) {
            tokio::task::yield_now().await;
        }
        later.finish().await;

        assert_eq!(get(&here, &key()).await, Some((L0, body(len, 3))));
        let after_a_restart = stack(below);
        let found = get(&after_a_restart, &key()).await;
        assert_eq!(found, Some((L3, body(len, 3))), "{swap:?}, {len}");
    }
}

/// A stack of L0 and a durable tier whose every call is a step.
fn stepped(explorer: &Explorer, upper: &Arc<MemoryTier>, lower: &Durable) -> Stack {
    let port = Arc::new(explorer.clone());
    let lower = Stepped::new("L3", lower.clone(), explorer).coarse();
    let tiers = MultiTier::builder(Remote(lower))
        .l0(Stepped::new("L0", Arc::clone(upper), explorer).coarse())
        .runtime(port.clone())
        .clock(port.clone())
        .random(port)
        .limits(Limits {
            epoch_slots: 1,
            ..Limits::default()
        })
        .build();
    tiers.unwrap().stack().clone()
}

async fn generation_in(tier: &dyn Tier) -> Option<Generation> {
    match tier.lookup(&key()).await.unwrap() {
        Lookup::Hit(hit) => Some(hit.generation),
        Lookup::Miss(_) => None,
    }
}

/// The second request is made when the first one's body has come; what is durable when is up to the schedule.
#[test]
fn of_two_refills_the_later_answer_stays_in_every_tier() {
    let report = explore(&terrace_testkit::Limits::preemptions(1), |explorer| {
        let clock = Arc::new(explorer.clone()) as Arc<dyn Clock>;
        let upper = Arc::new(MemoryTier::builder(1 << 20).epoch_slots(1).build());
        let lower = durable(&clock, &Faults::new());
        let stack = stepped(explorer, &upper, &lower);
        let stays = Arc::new(parking_lot::Mutex::new(None));
        let noted = Arc::clone(&stays);
        Scenario::new()
            .actor("requests", async move {
                let first = refill(&stack, 1, &body(100, 1)).await;
                first.finish().await;
                let second = refill(&stack, 2, &body(100, 2)).await;
                *noted.lock() = Some(second.generation());
                second.finish().await;
            })
            .check(async move {
                let stays = *stays.lock();
                for (name, found) in [
                    ("L0", generation_in(&*upper).await),
                    ("L3", generation_in(&lower).await),
                ] {
                    if found != stays {
                        return Err(format!("{name} has {found:?} instead of {stays:?}"));
                    }
                }
                Ok(())
            })
    });
    report.assert_holds();
    println!("{report}");
}

/// Another process, which shares L3 and not L1, purges the object before it is durable.
#[tokio::test(flavor = "multi_thread")]
async fn p3_what_a_tier_below_refuses_lives_on_in_none_above() {
    let (between, below) = (memory(), memory());
    let tiers = three_tiers(
        Remote(Arc::clone(&between)),
        Arc::clone(&below),
        Policy::default(),
    );
    let stack = tiers.stack();
    let ticket = stack.lookup(&key(), Intent::Serve).await.ticket;
    let mut filling = stack.fill(&key(), meta(), None, Some(ticket)).await;
    filling.write(body(100, 1)).await;
    below.purge(&Target::Key(key())).await.unwrap();
    filling.finish().await;
    assert!(stack.drain(Duration::from_mins(1)).await);
    assert_eq!(generation_in(&**tiers.l0()).await, None);
    assert_eq!(generation_in(&*between).await, None);
    assert_eq!(get(stack, &key()).await, None);
}
