//! Something overtakes a fill before each of its calls, and between each call's effect and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use terrace_core::{BlobName, Committed, Fence, Key, Result, Target, Tier};
use terrace_testkit::sample::{LONG_AGO, Object, key, variant};

use crate::testing::{Fault, MINUTE, World, fill, now};

const LARGE: usize = 40_000;

/// A key, the time between two writes of its fill, and whether something is there before.
fn cases() -> impl Iterator<Item = (Key, Duration, bool)> {
    let keys = [key(1), variant(key(1), 1)];
    keys.into_iter().flat_map(|key| {
        [Duration::ZERO, 16 * MINUTE]
            .into_iter()
            .flat_map(move |pace| [false, true].map(|before| (key, pace, before)))
    })
}

/// A world with the case's objects, and a fence of its key.
fn set_up(key: &Key, before: bool) -> (World, Fence) {
    let world = World::new();
    if before {
        world.store(&key.group(), &Object::new(10, 8));
        if key.variance().is_some() {
            world.store(key, &Object::new(LARGE, 9));
        }
    }
    let fence = world.fence(key);
    (world, fence)
}

/// Where something happens: before a call's effect, or between it and the answer.
#[derive(Debug, Clone, Copy)]
enum Place {
    Before,
    After,
}

const BOTH: &[Place] = &[Place::Before, Place::After];

/// Runs a fill of every case once per call and place, with `act` happening there, and lets `check` judge. Returns how
/// many were fenced and how many published.
fn overtake(
    places: &[Place],
    act: impl Fn(&World, &Key, &Fence) + Clone + Send + 'static,
    check: impl Fn(&World, &Key, &Object, Result<Committed>, &str),
) -> [usize; 2] {
    let mut counts = [0; 2];
    for (key, pace, before) in cases() {
        for n in 0.. {
            let mut is_over = false;
            for place in places {
                let (world, fence) = set_up(&key, before);
                let acted = Arc::new(AtomicBool::new(false));
                let action: Box<dyn FnOnce() + Send> = {
                    let (world, fence) = (world.clone(), fence.clone());
                    let (act, acted) = (act.clone(), Arc::clone(&acted));
                    Box::new(move || {
                        act(&world, &key, &fence);
                        acted.store(true, Ordering::Relaxed);
                    })
                };
                let fault = match place {
                    Place::Before => Fault::Overtaken(action),
                    Place::After => Fault::Followed(action),
                };
                world.script().at(n, fault);
                let new = Object::new(LARGE, 5);
                let ending = fill(&world, &key, &new, fence, pace).expect("it ends");
                if !acted.load(Ordering::Relaxed) {
                    is_over = true;
                    break;
                }
                let calls = world.script().calls();
                let at = format!("{key}, {pace:?}, {before}, {place:?}, {n} of {calls:?}");
                match &ending {
                    Ok(Committed::Fenced) => counts[0] += 1,
                    Ok(Committed::Published) => counts[1] += 1,
                    Err(error) => panic!("{at}: {error}"),
                }
                check(&world, &key, &new, ending, &at);
                world.assert_named_blobs_are_there();
                world.assert_no_orphans_stay();
                let next = Object::new(LARGE, 6);
                world.store(&key, &next);
                world.assert_holds(&key, &next);
            }
            if is_over {
                assert!(n > 2, "{n} calls");
                break;
            }
        }
    }
    counts
}

fn assert_gone(world: &World, key: &Key, new: &Object, _: Result<Committed>, at: &str) {
    let found = world.hit(key).map(|hit| hit.generation);
    assert_ne!(found, Some(new.generation()), "{at}: it came back");
}

#[test]
fn p3_a_purge_of_the_key_at_any_moment_wins() {
    let purge = |world: &World, key: &Key, _: &Fence| {
        now(world.witness.purge(&Target::Key(*key))).unwrap();
        assert!(world.hit(key).is_none());
    };
    let [fenced, published] = overtake(BOTH, purge, assert_gone);
    // After the swap, before its answer: published, and purged.
    assert!(fenced > published && published > 0, "{fenced}, {published}");
}

#[test]
fn p3_a_purge_of_all_variants_at_any_moment_wins() {
    let purge = |world: &World, key: &Key, _: &Fence| {
        let target = Target::AllVariants(key.primary());
        now(world.witness.purge(&target)).unwrap();
        assert!(world.hit(key).is_none());
    };
    let [fenced, published] = overtake(BOTH, purge, assert_gone);
    assert!(fenced > published && published > 0, "{fenced}, {published}");
}

#[test]
fn p3_a_soft_purge_at_any_moment_leaves_nothing_fresh() {
    let targets: [fn(&Key) -> Target; 2] = [
        |key| Target::Key(*key),
        |key| Target::AllVariants(key.primary()),
    ];
    for target in targets {
        let expire = move |world: &World, key: &Key, _: &Fence| {
            now(world.witness.expire(&target(key), LONG_AGO)).unwrap();
        };
        let [fenced, _] = overtake(BOTH, expire, |world, key, new, ending, at| {
            if let Some(hit) = world.hit(key) {
                assert_eq!(hit.expired_at, Some(LONG_AGO), "{at}");
                let is_new = hit.generation == new.generation();
                assert_eq!(is_new, matches!(ending, Ok(Committed::Published)), "{at}");
            }
        });
        assert!(fenced > 10, "{fenced}");
    }
}

#[test]
fn p4_of_two_fills_under_one_fence_exactly_one_wins() {
    let winner = Arc::new(Mutex::new(None));
    let rival = Object::new(LARGE, 99);
    let act = {
        let (winner, rival) = (Arc::clone(&winner), rival.clone());
        move |world: &World, key: &Key, fence: &Fence| {
            let committed = now(rival.store_under(&world.witness, key, fence.clone())).unwrap();
            *winner.lock() = Some(committed);
        }
    };
    let [fenced, published] = overtake(BOTH, act, |world, key, new, ending, at| {
        let rivals = winner.lock().take();
        let found = world.hit(key).unwrap_or_else(|| panic!("{at}: nobody won"));
        let (winner, loser) = match (ending.unwrap(), rivals.unwrap()) {
            (Committed::Published, Committed::Fenced) => (new, &rival),
            (Committed::Fenced, Committed::Published) => (&rival, new),
            both => panic!("{at}: {both:?}"),
        };
        assert_eq!(found.generation, winner.generation(), "{at}");
        // The loser's blob is gone without a collection.
        let generation = loser.generation();
        assert!(
            !world.blobs().contains(&BlobName {
                key: *key,
                generation
            }),
            "{at}"
        );
    });
    assert!(fenced > 10 && published > 2, "{fenced}, {published}");
}

#[test]
fn p8_a_collection_at_any_moment_of_a_fill_costs_it_nothing() {
    // Blobs are dated by the beginning of their upload here, the oldest a store may claim.
    for wait in [0, 25] {
        let collect = move |world: &World, _: &Key, _: &Fence| {
            world.clock.advance(wait * MINUTE);
            world.collect();
        };
        let [_, published] = overtake(BOTH, collect, |world, key, new, ending, _| {
            if matches!(ending, Ok(Committed::Published)) {
                world.assert_holds(key, new);
            }
        });
        assert!(published > 5, "{wait}: {published}");
    }
}

#[test]
fn p3_tombstones_that_were_forgotten_do_not_reopen_the_door() {
    let purge_and_forget = |world: &World, key: &Key, _: &Fence| {
        now(world.witness.purge(&Target::AllVariants(key.primary()))).unwrap();
        now(world.witness.purge(&Target::Key(*key))).unwrap();
        world.clock.advance(100 * 24 * 60 * MINUTE);
    };
    // Not in the middle of the commit's swap: one call of the index does not take a hundred days.
    let [fenced, _] = overtake(&[Place::After], purge_and_forget, assert_gone);
    assert!(fenced > 10, "{fenced}");
}
