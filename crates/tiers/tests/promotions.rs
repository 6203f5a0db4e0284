//! Which hits are copied upwards, and which are not.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test code: a panic is a failure, bodies are small"
)]

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use support::{Remote, ThreeTiers, body, fill, get, memory, meta, three_tiers, two_tiers};
use terrace_core::{Key, Level, Target, Tier};
use terrace_policy::{AdmissionRule, Policy, Promotion};
use terrace_testkit::{Faults, Faulty, Op};
use terrace_tiers::{Intent, Limits, Source, Stack};

const L0: Source = Source::Tier(Level::L0);
const L1: Source = Source::Tier(Level::L1);
const L3: Source = Source::Tier(Level::L3);

/// Stores `body` in `durable`, by another node.
async fn stored_by_another(key: &Key, body: &Bytes, durable: &Arc<terrace_memory::MemoryTier>) {
    let other = two_tiers(memory(), Arc::clone(durable), Limits::default());
    fill(other.stack(), key, body).await;
}

async fn sources(stack: &Stack, key: &Key, times: usize) -> Vec<Source> {
    let mut sources = Vec::new();
    for _ in 0..times {
        sources.push(get(stack, key).await.unwrap().0);
    }
    sources
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_promotion_gives_way_to_what_was_filled_since() {
    let (key, durable) = (Key::named("k"), memory());
    let (old, new) = (body(300_000, 1), body(1000, 2));
    stored_by_another(&key, &old, &durable).await;
    let tiers = three_tiers(Remote(memory()), durable, Policy::default());
    let stack = tiers.stack();
    let mut slow = stack.lookup(&key, Intent::Serve).await.hit.unwrap();

    let ticket = stack.lookup(&key, Intent::Revalidate).await.ticket;
    let mut refill = stack.fill(&key, meta(), None, Some(ticket)).await;
    refill.write(new.clone()).await;
    refill.finish().await;
    let mut read = 0;
    while let Some(piece) = slow.body.read().await.unwrap() {
        read += piece.len();
    }
    assert_eq!((slow.source, read), (L3, old.len()));
    drop(slow);
    assert!(stack.drain(Duration::from_mins(1)).await);

    let (source, found) = get(stack, &key).await.unwrap();
    assert!(source == L0 && found == new, "{source:?}");
    tiers.l0().purge(&Target::Key(key)).await.unwrap();
    let (source, found) = get(stack, &key).await.unwrap();
    assert!(source == L1 && found == new, "{source:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_n_hits_in_the_lower_tier_and_misses_do_not_count() {
    let after = |hits| Promotion::AfterHits(NonZeroU32::new(hits).unwrap());
    let policies = [
        (after(3), None),
        // Counting requests for the admission is another count.
        (after(3), Some(AdmissionRule::SecondRequest)),
    ];
    for (promotion, rule) in policies {
        let mut policy = Policy::builder().promotions(promotion);
        if let Some(rule) = rule {
            policy = policy.admission(rule);
        }
        let (key, body, durable) = (Key::named("k"), body(1000, 1), memory());
        let tiers = three_tiers(
            Remote(memory()),
            Arc::clone(&durable),
            policy.build().unwrap(),
        );
        for _ in 0..5 {
            assert!(get(tiers.stack(), &key).await.is_none());
        }
        stored_by_another(&key, &body, &durable).await;
        assert_eq!(
            sources(tiers.stack(), &key, 5).await,
            [L3, L3, L3, L0, L0],
            "{rule:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_are_counted_for_each_tier_by_itself() {
    let policy = Policy::builder()
        .promotion(
            Level::L1,
            Level::L0,
            Promotion::AfterHits(NonZeroU32::new(2).unwrap()),
        )
        .promotion(Level::L3, Level::L0, Promotion::Never);
    let (key, durable) = (Key::named("k"), memory());
    stored_by_another(&key, &body(1000, 2), &durable).await;
    let tiers = three_tiers(Remote(memory()), durable, policy.build().unwrap());
    let l1 = Source::Tier(Level::L1);
    // The hit in L3 is not one in L1.
    assert_eq!(sources(tiers.stack(), &key, 4).await, [L3, l1, l1, L0]);
}

/// The parts have as many bytes as the whole, in an order of their own.
#[tokio::test(flavor = "multi_thread")]
async fn p5_a_body_that_was_sought_is_promoted_nowhere_although_its_parts_add_up() {
    const LEN: u64 = 100_000;
    for halves in [[0..LEN / 2, LEN / 2..LEN], [LEN / 2..LEN, 0..LEN / 2]] {
        let (key, body, durable) = (Key::named("k"), body(LEN as usize, 3), memory());
        stored_by_another(&key, &body, &durable).await;
        let faults = Faults::new();
        let shared = Faulty::new(memory(), faults.clone());
        let tiers: ThreeTiers<_> = three_tiers(shared, durable, Policy::default());
        let mut hit = tiers.stack().lookup(&key, Intent::Serve).await.hit.unwrap();
        for half in halves {
            hit.body.seek(half.clone()).unwrap();
            let mut read = vec![];
            while let Some(piece) = hit.body.read().await.unwrap() {
                read.extend_from_slice(&piece);
            }
            assert_eq!(read, body[half.start as usize..half.end as usize]);
        }
        drop(hit);
        assert!(tiers.stack().drain(Duration::from_mins(1)).await);
        assert_eq!(faults.calls(Op::Commit), 0);
        assert_eq!(tiers.l0().len(), 0);
    }
}

/// Whether a body fits is known only when it has grown, and then that tier alone is left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_leaves_each_tier_whose_gate_it_outgrows() {
    let policy = Policy::builder().l0_max(100_000).l1_max(300_000);
    let policy = policy.build().unwrap();
    for (len, l0, l1) in [(100_000, 1, 1), (100_001, 0, 1), (300_001, 0, 0)] {
        let (key, body) = (Key::named("k"), body(len, 4));
        let tiers = three_tiers(Remote(memory()), memory(), policy.clone());
        fill(tiers.stack(), &key, &body).await;
        assert_eq!((tiers.l0().len(), tiers.l1().0.len()), (l0, l1), "{len}");
        assert_eq!(tiers.l3().0.len(), 1);
        assert_eq!(get(tiers.stack(), &key).await.unwrap().1, body);
    }
}
