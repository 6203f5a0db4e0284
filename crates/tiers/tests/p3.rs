//! P3, *a purged object never comes back*, shown for a whole stack by enumerating interleavings, and seen to fail
//! once a mechanism is taken out.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    reason = "test code: a panic is a failure, bodies are small"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use bytes::Bytes;
use futures::FutureExt;
use parking_lot::Mutex;
use support::{Remote, meta};
use terrace_core::{Committed, Generation, Key, KeyDigest, Meta, Target, Tier, Timestamp};
use terrace_memory::MemoryTier;
use terrace_testkit::sample::{Object, generation};
use terrace_testkit::{Explorer, IgnoresFences, Limits, Report, Scenario, Stepped, explore};
use terrace_tiers::{Intent, MultiTier, Stack};

const OLD: u64 = 1;
const CAME_BACK: &str = "the purged generation came back";

/// Whether fences are kept, per tier.
#[derive(Clone, Copy)]
struct Fences {
    upper: bool,
    lower: bool,
}

const KEPT: Fences = Fences {
    upper: true,
    lower: true,
};

fn key() -> Key {
    Key::named("https://example.com/")
}

fn variant() -> Key {
    key().variant(KeyDigest::of(&[b"gzip"]))
}

fn tier(kept: bool) -> Arc<dyn Tier> {
    let tier = MemoryTier::builder(1 << 20).epoch_slots(1).build();
    if kept {
        Arc::new(tier)
    } else {
        Arc::new(IgnoresFences::new(tier))
    }
}

/// A stack whose every call of a tier is a step, over tiers that can be observed from outside.
fn stack(explorer: &Explorer, upper: Arc<dyn Tier>, lower: Arc<dyn Tier>) -> Stack {
    let explorer_port = Arc::new(explorer.clone());
    let tiers = MultiTier::builder(Remote(Stepped::new("L3", lower, explorer).coarse()))
        .l0(Stepped::new("L0", upper, explorer).coarse())
        .runtime(explorer_port.clone())
        .clock(explorer_port.clone())
        .random(explorer_port)
        .limits(terrace_tiers::Limits {
            epoch_slots: 1,
            ..terrace_tiers::Limits::default()
        })
        .build();
    tiers.unwrap().stack().clone()
}

/// The stack itself, over the same tiers but without steps.
async fn holds(upper: &dyn Tier, lower: &dyn Tier, key: &Key, old: Generation) -> bool {
    for tier in [upper, lower] {
        if let terrace_core::Lookup::Hit(hit) = tier.lookup(key).await.unwrap()
            && hit.generation == old
        {
            return true;
        }
    }
    false
}

async fn read_through(stack: &Stack, key: &Key) -> Option<Generation> {
    let mut hit = stack.lookup(key, Intent::Serve).await.hit?;
    while hit.body.read().await.ok()?.is_some() {}
    Some(hit.generation)
}

/// A reader promotes the old object while somebody purges it.
fn promotion_against_purge(fences: Fences, key: Key, target: Target) -> Report {
    explore(&Limits::preemptions(2), |explorer| {
        let (upper, lower) = (tier(fences.upper), tier(fences.lower));
        let stored = Object::new(100, OLD).store(&*lower, &key).now_or_never();
        assert_eq!(stored.unwrap().unwrap(), Committed::Published);
        let stack = stack(explorer, Arc::clone(&upper), Arc::clone(&lower));
        let (reader, purger) = (stack.clone(), stack.clone());
        Scenario::new()
            .actor("reader", async move {
                read_through(&reader, &key).await;
            })
            .actor("purger", async move {
                purger.purge(&target).await.unwrap();
                let found = read_through(&purger, &key).await;
                assert_ne!(found, Some(generation(OLD)), "{CAME_BACK}, right after");
            })
            .check(async move {
                let back = holds(&*upper, &*lower, &key, generation(OLD)).await;
                (!back).then_some(()).ok_or(CAME_BACK.into())
            })
    })
}

#[test]
fn p3_a_promotion_never_brings_a_purged_object_back() {
    let group = Target::AllVariants(key().primary());
    let cases = [
        (key(), Target::Key(key())),
        (key(), group),
        (variant(), group),
        (key(), Target::Generation(key(), generation(OLD))),
    ];
    for (key, target) in cases {
        let report = promotion_against_purge(KEPT, key, target);
        report.assert_holds();
        println!("promotion against {target:?}: {report}");
    }
}

#[test]
fn p3_a_promotion_brings_it_back_without_fences() {
    let unfenced = Fences {
        upper: false,
        ..KEPT
    };
    let report = promotion_against_purge(unfenced, key(), Target::Key(key()));
    let failure = report.assert_fails();
    assert!(failure.to_string().contains(CAME_BACK), "{failure}");
}

/// How far the purge is.
const NOT_BEGUN: u8 = 0;
const BEGUN: u8 = 1;

/// The origin answers a request that was made before the purge, and the answer is stored meanwhile or after.
fn fill_against_purge(fences: Fences, key: Key, target: Target) -> Report {
    explore(&Limits::preemptions(2), |explorer| {
        let (upper, lower) = (tier(fences.upper), tier(fences.lower));
        let stack = stack(explorer, Arc::clone(&upper), Arc::clone(&lower));
        let purge = Arc::new(AtomicU8::new(NOT_BEGUN));
        let asked_before: Arc<Mutex<Option<Generation>>> = Arc::default();
        let (filler, purger, asked) = (stack.clone(), stack.clone(), explorer.clone());
        let (filler_sees, filler_notes) = (Arc::clone(&purge), Arc::clone(&asked_before));
        let purger_knows = Arc::clone(&asked_before);
        Scenario::new()
            .actor("filler", async move {
                let before = filler_sees.load(SeqCst) == NOT_BEGUN;
                let ticket = filler.lookup(&key, Intent::Serve).await.ticket;
                let before = before && filler_sees.load(SeqCst) == NOT_BEGUN;
                asked.step("the origin answers").await;
                let mut filling = filler.fill(&key, meta(), None, Some(ticket)).await;
                if before {
                    *filler_notes.lock() = Some(filling.generation());
                }
                filling.write(Bytes::from_static(b"old")).await;
                asked.step("the body is complete").await;
                filling.finish().await;
            })
            .actor("purger", async move {
                purge.store(BEGUN, SeqCst);
                purger.purge(&target).await.unwrap();
                let found = purger.lookup(&key, Intent::Serve).await.hit;
                let found = found.map(|hit| hit.generation);
                let old = *purger_knows.lock();
                assert!(old.is_none() || found != old, "{CAME_BACK}, right after");
            })
            .check(async move {
                let old = *asked_before.lock();
                let Some(old) = old else { return Ok(()) };
                let back = holds(&*upper, &*lower, &key, old).await;
                (!back).then_some(()).ok_or(CAME_BACK.into())
            })
    })
}

#[test]
fn p3_a_fill_asked_for_before_a_purge_never_outlives_it() {
    for target in [Target::Key(key()), Target::AllVariants(key().primary())] {
        let report = fill_against_purge(KEPT, key(), target);
        report.assert_holds();
        println!("fill against {target:?}: {report}");
    }
}

#[test]
fn p3_a_fill_outlives_a_purge_without_fences() {
    for fences in [
        Fences {
            upper: false,
            ..KEPT
        },
        Fences {
            lower: false,
            ..KEPT
        },
    ] {
        let report = fill_against_purge(fences, key(), Target::Key(key()));
        let failure = report.assert_fails();
        assert!(failure.to_string().contains(CAME_BACK), "{failure}");
    }
}

#[test]
fn p6_a_revalidation_never_undoes_a_soft_purge() {
    let report = explore(&Limits::preemptions(2), |explorer| {
        let (upper, lower) = (tier(true), tier(true));
        let object = Object::new(100, OLD);
        for tier in [&upper, &lower] {
            let stored = object.store(&**tier, &key()).now_or_never();
            assert_eq!(stored.unwrap().unwrap(), Committed::Published);
        }
        let stack = stack(explorer, Arc::clone(&upper), Arc::clone(&lower));
        let (revalidator, purger, asked) = (stack.clone(), stack.clone(), explorer.clone());
        let began_before = Arc::new(Mutex::new(None));
        let (seen, noted) = (Arc::clone(&began_before), Arc::clone(&began_before));
        Scenario::new()
            .actor("revalidator", async move {
                let looked = revalidator.lookup(&key(), Intent::Revalidate).await;
                noted.lock().get_or_insert(true);
                asked.step("the origin confirms").await;
                let Some(hit) = looked.hit else { return };
                let fresh = Meta::new(Timestamp::from_millis(9), support::FAR);
                revalidator
                    .update_meta(&key(), hit.generation, fresh, Some(&looked.ticket))
                    .await;
            })
            .actor("purger", async move {
                seen.lock().get_or_insert(false);
                purger.expire(&Target::Key(key())).await.unwrap();
            })
            .check(async move {
                // A revalidation that asked the origin after the purge began may make it fresh.
                if *began_before.lock() != Some(true) {
                    return Ok(());
                }
                for (name, tier) in [("L0", &upper), ("L3", &lower)] {
                    if let terrace_core::Lookup::Hit(hit) = tier.lookup(&key()).await.unwrap()
                        && hit.expired_at.is_none()
                    {
                        return Err(format!("{name} is fresh again"));
                    }
                }
                Ok(())
            })
    });
    report.assert_holds();
}
