//! P3, *a purged object never comes back*, shown for two memory tiers by enumerating interleavings of
//! a promotion with a purge, and shown to fail once each mechanism is taken out.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures::FutureExt;
use terrace_core::{
    Commit, Committed, Entry, Fence, Key, KeyDigest, Lookup, Replaces, Target, Tier, Timestamp,
};
use terrace_memory::MemoryTier;
use terrace_testkit::sample::{Object, generation, key};
use terrace_testkit::{Explorer, IgnoresFences, Limits, Report, Scenario, Stepped, explore};
use tokio::sync::oneshot;

/// The generation that is in the lower tier at first.
const OLD: u64 = 1;
/// When a soft purge makes it stale.
const PURGED_AT: Timestamp = Timestamp::from_millis(1_000);

/// What a scenario varies.
#[derive(Clone, Copy)]
struct Variant {
    key: Key,
    target: Target,
    purge: Purge,
    order: Order,
    fence: Taken,
    fences_are_kept: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purge {
    Hard,
    Soft,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    BottomUp,
    TopDown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    BeforeTheSource,
    AfterTheSource,
}

/// As Terrace does it.
fn sound(target: Target) -> Variant {
    Variant {
        key: key(1),
        target,
        purge: Purge::Hard,
        order: Order::BottomUp,
        fence: Taken::BeforeTheSource,
        fences_are_kept: true,
    }
}

fn variant_key() -> Key {
    key(1).variant(KeyDigest::of(&[b"gzip"]))
}

/// All targets that name the old object, and its key.
fn targets() -> [(Key, Target); 4] {
    let group = Target::AllVariants(key(1).primary());
    [
        (key(1), Target::Key(key(1))),
        (key(1), Target::Generation(key(1), generation(OLD))),
        (key(1), group),
        (variant_key(), group),
    ]
}

#[test]
fn p3_a_promotion_never_brings_a_purged_object_back() {
    for (key, target) in targets() {
        for purge in [Purge::Hard, Purge::Soft] {
            let variant = Variant {
                key,
                purge,
                ..sound(target)
            };
            run(&Limits::default(), variant, Grain::Coarse).assert_holds();
            run(&Limits::preemptions(2), variant, Grain::Fine).assert_holds();
        }
    }
}

#[test]
fn p3_fails_without_fences() {
    for (key, target) in targets() {
        for purge in [Purge::Hard, Purge::Soft] {
            assert_comes_back(Variant {
                key,
                purge,
                fences_are_kept: false,
                ..sound(target)
            });
        }
    }
}

#[test]
fn p3_fails_when_the_purge_goes_top_down() {
    for (key, target) in targets() {
        for purge in [Purge::Hard, Purge::Soft] {
            assert_comes_back(Variant {
                key,
                purge,
                order: Order::TopDown,
                ..sound(target)
            });
        }
    }
}

#[test]
fn p3_fails_when_the_fence_is_taken_after_the_source_was_read() {
    for (key, target) in targets() {
        assert_comes_back(Variant {
            key,
            fence: Taken::AfterTheSource,
            ..sound(target)
        });
    }
}

fn assert_comes_back(variant: Variant) {
    let report = run(&Limits::default(), variant, Grain::Coarse);
    let failure = report.assert_fails();
    assert!(failure.to_string().contains(CAME_BACK), "{failure}");
}

const CAME_BACK: &str = "the purged generation came back";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grain {
    Coarse,
    Fine,
}

fn run(limits: &Limits, variant: Variant, grain: Grain) -> Report {
    explore(limits, |explorer| scenario(explorer, variant, grain))
}

/// One actor promotes the object from the lower tier to the upper one, another purges it in both. From the
/// moment the purge is acknowledged, the upper tier must not return it: neither to a third who asks then, nor
/// in the end.
fn scenario(explorer: &Explorer, variant: Variant, grain: Grain) -> Scenario {
    let stepped = |name, tier: Arc<dyn Tier>| -> Arc<dyn Tier> {
        let tier = Stepped::new(name, tier, explorer);
        match grain {
            Grain::Coarse => Arc::new(tier.coarse()),
            Grain::Fine => Arc::new(tier),
        }
    };
    let lower = memory();
    let object = Object::new(100, OLD);
    let stored = object.store(&*lower, &variant.key).now_or_never();
    assert_eq!(stored.unwrap().unwrap(), Committed::Published);
    let upper: Arc<dyn Tier> = if variant.fences_are_kept {
        memory()
    } else {
        Arc::new(IgnoresFences::new(memory()))
    };
    let observed = Arc::clone(&upper);
    let (upper, lower) = (stepped("upper", upper), stepped("lower", lower));
    let (acknowledge, acknowledged) = oneshot::channel();
    let read = Arc::new(AtomicBool::new(false));

    Scenario::new()
        .actor("promoter", promote(upper.clone(), lower.clone(), variant))
        .actor("purger", purge(upper.clone(), lower, variant, acknowledge))
        .actor("reader", {
            let read = read.clone();
            async move {
                acknowledged.await.unwrap();
                read.store(returns_purged(&*upper, &variant).await, SeqCst);
            }
        })
        .check(async move {
            let found = read.load(SeqCst) || returns_purged(&*observed, &variant).await;
            (!found).then_some(()).ok_or(CAME_BACK.into())
        })
}

fn memory() -> Arc<dyn Tier> {
    Arc::new(MemoryTier::builder(1 << 16).epoch_slots(1).build())
}

async fn promote(upper: Arc<dyn Tier>, lower: Arc<dyn Tier>, variant: Variant) {
    let early = fence(&*upper, &variant.key).await;
    let Lookup::Hit(mut hit) = lower.lookup(&variant.key).await.unwrap() else {
        return;
    };
    if hit.expired_at.is_some() {
        return;
    }
    let fence = match variant.fence {
        Taken::BeforeTheSource => early,
        Taken::AfterTheSource => fence(&*upper, &variant.key).await,
    };
    let checksums = hit.checksums.take().unwrap();
    let entry = Entry {
        generation: hit.generation,
        meta: hit.meta,
        len: Some(checksums.len()),
        replaces: Replaces::Anything,
    };
    let mut fill = upper.admit(&variant.key, entry, fence).await.unwrap();
    while let Some(piece) = hit.body.read().await.unwrap() {
        fill.write(piece).await.unwrap();
    }
    let _published_or_fenced = fill.commit(Commit { checksums }).await.unwrap();
}

async fn purge(
    upper: Arc<dyn Tier>,
    lower: Arc<dyn Tier>,
    variant: Variant,
    acknowledge: oneshot::Sender<()>,
) {
    let order = match variant.order {
        Order::BottomUp => [lower, upper],
        Order::TopDown => [upper, lower],
    };
    for tier in order {
        match variant.purge {
            Purge::Hard => tier.purge(&variant.target).await.unwrap(),
            Purge::Soft => tier.expire(&variant.target, PURGED_AT).await.unwrap(),
        };
    }
    acknowledge.send(()).unwrap();
}

async fn fence(tier: &dyn Tier, key: &Key) -> Fence {
    match tier.lookup(key).await.unwrap() {
        Lookup::Miss(fence) => fence,
        Lookup::Hit(hit) => hit.fence,
    }
}

/// Whether the old generation is served although it was purged.
async fn returns_purged(tier: &dyn Tier, variant: &Variant) -> bool {
    match tier.lookup(&variant.key).await.unwrap() {
        Lookup::Hit(hit) if hit.generation == generation(OLD) => match variant.purge {
            Purge::Hard => true,
            Purge::Soft => hit.expired_at != Some(PURGED_AT),
        },
        _ => false,
    }
}
