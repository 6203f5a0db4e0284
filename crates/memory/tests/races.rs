//! Purges, commits, refreshes and lookups of one group, on threads that really run at the same time.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use futures::FutureExt;
use terrace_core::{Committed, Generation, Key, KeyDigest, Lookup, Target, Tier, Timestamp};
use terrace_memory::MemoryTier;
use terrace_testkit::sample::{Object, generation, key};

const ROUNDS: u64 = 5_000;
const READERS: usize = 2;
/// Turns given away before a test that makes no progress gives up.
const PATIENCE: usize = 1_000_000;

/// Memory never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    future.now_or_never().unwrap()
}

/// The origin has version *n*; a purge makes it *n* + 1. Writers copy the version they read under a
/// fence they took before. No reader may see a version older than the last purge acknowledged before it asked.
#[test]
fn p3_nobody_sees_what_was_purged_before_they_asked() {
    let group = key(1).primary();
    let variant = key(1).variant(KeyDigest::of(&[b"gzip"]));
    for (key, target) in [
        (key(1), Target::Key(key(1))),
        (key(1), Target::AllVariants(group)),
        (variant, Target::AllVariants(group)),
    ] {
        race(key, target);
    }
}

fn race(key: Key, target: Target) {
    let tier = MemoryTier::builder(1 << 20).epoch_slots(1).build();
    let objects: Vec<Object> = (0..=ROUNDS).map(|n| Object::new(100, n)).collect();
    let versions: HashMap<Generation, u64> = (0..=ROUNDS).map(|n| (generation(n), n)).collect();
    let (origin, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let hits = AtomicU64::new(0);

    thread::scope(|threads| {
        threads.spawn(|| {
            for version in 1..=ROUNDS {
                origin.store(version, SeqCst);
                at_once(tier.purge(&target)).unwrap();
                acknowledged.store(version, SeqCst);
                // So that there is something to purge.
                let before = hits.load(SeqCst);
                let mut turns = (0..PATIENCE).inspect(|_| thread::yield_now());
                if !turns.any(|_| hits.load(SeqCst) > before) {
                    break;
                }
            }
            over.store(true, SeqCst);
        });
        threads.spawn(|| {
            while !over.load(SeqCst) {
                thread::yield_now();
                let fence = at_once(tier.fence(&key)).unwrap();
                let object = &objects[usize::try_from(origin.load(SeqCst)).unwrap()];
                let _published_or_fenced = at_once(object.store_under(&tier, &key, fence)).unwrap();
            }
        });
        for _ in 0..READERS {
            threads.spawn(|| {
                while !over.load(SeqCst) {
                    thread::yield_now();
                    let purged = acknowledged.load(SeqCst);
                    if let Lookup::Hit(hit) = at_once(tier.lookup(&key)).unwrap() {
                        let version = versions[&hit.generation];
                        assert!(version >= purged, "{version} was purged by {purged}");
                        hits.fetch_add(1, SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(acknowledged.into_inner(), ROUNDS, "no hits after a purge");
}

/// A refresh and a soft purge race; whichever comes last decides, and the object is never lost or torn.
#[test]
fn p6_a_refresh_and_a_soft_purge_take_effect_one_after_the_other() {
    let tier = MemoryTier::builder(1 << 20).epoch_slots(1).build();
    let object = Object::new(100, 1);
    let stored = at_once(object.store(&tier, &key(1))).unwrap();
    assert_eq!(stored, Committed::Published);
    let key = key(1);
    for round in 1..500 {
        let at = Timestamp::from_millis(round);
        let mut refreshed = object.entry.meta.clone();
        refreshed.updated = at;
        thread::scope(|threads| {
            threads.spawn(|| at_once(tier.expire(&Target::Key(key), at)).unwrap());
            threads.spawn(|| {
                let refresh = tier.update_meta(&key, object.generation(), refreshed);
                assert!(at_once(refresh).unwrap());
            });
        });
        let Lookup::Hit(hit) = at_once(tier.lookup(&key)).unwrap() else {
            panic!("it was lost in round {round}");
        };
        assert_eq!(hit.meta.updated, at);
        assert!([None, Some(at)].contains(&hit.expired_at), "{hit:?}");
    }
}
