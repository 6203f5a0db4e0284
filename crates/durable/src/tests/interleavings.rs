//! Every order in which the calls of a few nodes can reach the stores.

use std::sync::Arc;

use parking_lot::Mutex;
use terrace_core::{Committed, Fence, Key, Lookup, Target, Tier};
use terrace_testkit::sample::{LONG_AGO, Object, key, meta, variant};
use terrace_testkit::{Explorer, Limits, Scenario, explore};

use crate::testing::{Lag, World, now};

/// At most so many switches away from a node that could have gone on.
fn limits(preemptions: usize) -> Limits {
    Limits::preemptions(preemptions)
}

fn one() -> Key {
    variant(key(1), 1)
}

fn two() -> Key {
    variant(key(1), 2)
}

fn world(explorer: &Explorer, lag: Lag) -> World {
    let world = World::new();
    world.script().explore(explorer, lag);
    world
}

fn group() -> Target {
    Target::AllVariants(key(1).primary())
}

/// Fills `key` under `fence`, and notes how that ended.
fn fills(
    world: &World,
    key: Key,
    object: Object,
    fence: Fence,
) -> (
    impl Future<Output = ()> + Send + use<>,
    Arc<Mutex<Option<Committed>>>,
) {
    let tier = world.tier.clone();
    let ending = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&ending);
    let acts = async move {
        let committed = object.store_under(&tier, &key, fence).await.unwrap();
        *noted.lock() = Some(committed);
    };
    (acts, ending)
}

/// Purges, and makes sure that none of `gone`, whose fences are older, is seen afterwards.
fn purges(
    world: &World,
    target: Target,
    gone: Vec<(Key, Object)>,
) -> impl Future<Output = ()> + Send + use<> {
    let tier = world.tier.clone();
    async move {
        tier.purge(&target).await.unwrap();
        for (key, object) in gone {
            if let Lookup::Hit(hit) = tier.lookup(&key).await.unwrap() {
                assert_ne!(hit.generation, object.generation(), "it came back");
            }
        }
    }
}

/// Reads what is there, and it is one of `objects`, whole.
fn reads(world: &World, key: Key, objects: Vec<Object>) -> impl Future<Output = ()> + Send + use<> {
    let tier = world.tier.clone();
    async move {
        if let Lookup::Hit(mut hit) = tier.lookup(&key).await.unwrap() {
            let is_it = |object: &&Object| object.generation() == hit.generation;
            let object = objects.iter().find(is_it).expect("an object of this key");
            assert_eq!(hit.body.read_all().await.unwrap(), object.body);
        }
    }
}

fn not_there(world: &World, key: &Key, object: &Object) -> Result<(), String> {
    match world.hit(key) {
        Some(hit) if hit.generation == object.generation() => Err("it came back".into()),
        _ => Ok(()),
    }
}

#[test]
fn p3_a_fill_and_purges_of_its_key_and_its_group() {
    let all = [
        (key(1), Lag::Neither),
        (one(), Lag::Neither),
        (one(), Lag::Variant),
        (one(), Lag::Primary),
    ];
    for (key, lag) in all {
        for is_first in [true, false] {
            let report = explore(&limits(4), |explorer| {
                let world = world(explorer, lag);
                if !is_first {
                    world.store(&key.group(), &Object::new(10, 8));
                    world.store(&key, &Object::new(10, 9));
                }
                let new = Object::new(10, 5);
                let fence = world.fence(&key);
                let (filler, ending) = fills(&world, key, new.clone(), fence);
                let gone = vec![(key, new.clone())];
                Scenario::new()
                    .actor("fill", filler)
                    .actor("purge", purges(&world, Target::Key(key), gone.clone()))
                    .actor("purge group", purges(&world, group(), gone))
                    .check(async move {
                        assert!(ending.lock().is_some());
                        not_there(&world, &key, &new)
                    })
            });
            report.assert_holds();
        }
    }
}

#[test]
fn p3_what_is_taken_back_does_not_reopen_the_door() {
    let report = explore(&limits(3), |explorer| {
        let world = world(explorer, Lag::Neither);
        world.store(&key(1), &Object::new(10, 8));
        let (purged, next) = (Object::new(10, 5), Object::new(10, 6));
        let (fill_purged, _) = fills(&world, one(), purged.clone(), world.fence(&one()));
        now(world.witness.purge(&Target::Key(one()))).unwrap();
        // The other fill replaces the tombstone, and takes itself back if the group is expired meanwhile.
        let (fill_next, _) = fills(&world, one(), next, world.fence(&one()));
        let (tier, other) = (world.tier.clone(), world.clone());
        let expirer = async move {
            tier.expire(&group(), LONG_AGO).await.unwrap();
        };
        let watched = purged.clone();
        let reader = async move {
            for _ in 0..3 {
                if let Lookup::Hit(hit) = other.tier.lookup(&one()).await.unwrap() {
                    assert_ne!(hit.generation, watched.generation(), "it came back");
                }
            }
        };
        Scenario::new()
            .actor("fill of what was purged", fill_purged)
            .actor("next fill", fill_next)
            .actor("expire group", expirer)
            .actor("reader", reader)
            .check(async move { not_there(&world, &one(), &purged) })
    });
    report.assert_holds();
}

#[test]
fn p3_first_fills_of_two_variants_and_a_purge_of_their_group() {
    let report = explore(&limits(4), |explorer| {
        let world = world(explorer, Lag::Neither);
        let (a, b) = (Object::new(10, 5), Object::new(10, 6));
        let (fill_a, _) = fills(&world, one(), a.clone(), world.fence(&one()));
        let (fill_b, _) = fills(&world, two(), b.clone(), world.fence(&two()));
        let gone = vec![(one(), a.clone()), (two(), b.clone())];
        Scenario::new()
            .actor("fill one", fill_a)
            .actor("fill two", fill_b)
            .actor("purge group", purges(&world, group(), gone))
            .check(async move {
                not_there(&world, &one(), &a)?;
                not_there(&world, &two(), &b)
            })
    });
    report.assert_holds();
}

#[test]
fn first_fills_of_two_variants_do_not_fence_each_other() {
    let report = explore(&limits(4), |explorer| {
        let world = world(explorer, Lag::Neither);
        let (a, b) = (Object::new(10, 5), Object::new(10, 6));
        let (fill_a, end_a) = fills(&world, one(), a.clone(), world.fence(&one()));
        let (fill_b, end_b) = fills(&world, two(), b.clone(), world.fence(&two()));
        Scenario::new()
            .actor("fill one", fill_a)
            .actor("fill two", fill_b)
            .check(async move {
                assert_eq!(*end_a.lock(), Some(Committed::Published));
                assert_eq!(*end_b.lock(), Some(Committed::Published));
                world.assert_holds(&one(), &a);
                world.assert_holds(&two(), &b);
                Ok(())
            })
    });
    report.assert_holds();
}

#[test]
fn p4_rivals_and_a_reader() {
    let report = explore(&limits(4), |explorer| {
        let world = world(explorer, Lag::Neither);
        let old = Object::new(10, 4);
        world.store(&key(1), &old);
        let (a, mut b) = (Object::new(9000, 5), Object::new(10, 6));
        // Answers of one moment: neither is the later one.
        b.entry.meta.updated = a.entry.meta.updated;
        let (fill_a, end_a) = fills(&world, key(1), a.clone(), world.fence(&key(1)));
        let (fill_b, end_b) = fills(&world, key(1), b.clone(), world.fence(&key(1)));
        let reader = reads(&world, key(1), vec![old, a.clone(), b.clone()]);
        Scenario::new()
            .actor("fill a", fill_a)
            .actor("fill b", fill_b)
            .actor("reader", reader)
            .check(async move {
                let ends = (end_a.lock().unwrap(), end_b.lock().unwrap());
                let winner = match ends {
                    (Committed::Published, Committed::Fenced) => &a,
                    (Committed::Fenced, Committed::Published) => &b,
                    both => return Err(format!("{both:?}")),
                };
                world.assert_holds(&key(1), winner);
                world.assert_named_blobs_are_there();
                Ok(())
            })
    });
    report.assert_holds();
}

/// A key, and whether something is there before its fills.
fn keys_empty_or_not() -> [(Key, bool); 4] {
    [
        (key(1), false),
        (key(1), true),
        (one(), false),
        (one(), true),
    ]
}

/// A world in which `key` has an object, or not.
fn world_with(explorer: &Explorer, key: Key, has_object: bool) -> World {
    let world = world(explorer, Lag::Neither);
    if has_object {
        world.store(&key.group(), &Object::new(10, 1));
        world.store(&key, &Object::new(10, 2));
    }
    world
}

#[test]
fn p4_the_later_answer_stays_whichever_fill_commits_first() {
    for (key, has_object) in keys_empty_or_not() {
        let report = explore(&limits(4), |explorer| {
            let world = world_with(explorer, key, has_object);
            let (earlier, later) = (Object::new(9000, 5), Object::new(10, 6));
            let (fill_earlier, _) = fills(&world, key, earlier, world.fence(&key));
            let (fill_later, ending) = fills(&world, key, later.clone(), world.fence(&key));
            Scenario::new()
                .actor("earlier answer", fill_earlier)
                .actor("later answer", fill_later)
                .check(async move {
                    assert_eq!(*ending.lock(), Some(Committed::Published));
                    world.assert_holds(&key, &later);
                    world.assert_named_blobs_are_there();
                    Ok(())
                })
        });
        report.assert_holds();
    }
}

#[test]
fn p4_of_a_row_of_fills_the_latest_answer_stays() {
    for (key, has_object) in keys_empty_or_not() {
        let report = explore(&limits(2), |explorer| {
            let world = world_with(explorer, key, has_object);
            let fence = world.fence(&key);
            let mut scenario = Scenario::new();
            for (name, seed) in [("first", 5), ("second", 6), ("third", 7)] {
                let (fill, _) = fills(&world, key, Object::new(10, seed), fence.clone());
                scenario = scenario.actor(name, fill);
            }
            scenario.check(async move {
                world.assert_holds(&key, &Object::new(10, 7));
                Ok(())
            })
        });
        report.assert_holds();
    }
}

/// The fill that is refused because of the other one must still notice the purge.
#[test]
fn p3_a_purge_wins_over_fills_that_follow_one_another() {
    for (key, has_object) in keys_empty_or_not() {
        for target in [Target::Key(key), group()] {
            let report = explore(&limits(3), |explorer| {
                let world = world_with(explorer, key, has_object);
                let (earlier, later) = (Object::new(10, 5), Object::new(10, 6));
                let fence = world.fence(&key);
                let (fill_earlier, _) = fills(&world, key, earlier.clone(), fence.clone());
                let (fill_later, _) = fills(&world, key, later.clone(), fence);
                let gone = vec![(key, earlier.clone()), (key, later.clone())];
                Scenario::new()
                    .actor("earlier answer", fill_earlier)
                    .actor("later answer", fill_later)
                    .actor("purge", purges(&world, target, gone))
                    .check(async move {
                        not_there(&world, &key, &earlier)?;
                        not_there(&world, &key, &later)
                    })
            });
            report.assert_holds();
        }
    }
}

#[test]
fn p3_a_variants_commit_tells_the_truth_about_its_group() {
    let report = explore(&limits(4), |explorer| {
        let world = world(explorer, Lag::Neither);
        world.store(&key(1), &Object::new(10, 8));
        let new = Object::new(10, 5);
        let (filler, ending) = fills(&world, one(), new.clone(), world.fence(&one()));
        // The purge is over before the commit's own swap, in some schedules; noted by whether
        // anything was published when it ended.
        let seen = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&seen);
        let (tier, other) = (world.tier.clone(), world.clone());
        let purger = async move {
            tier.purge(&group()).await.unwrap();
            *noted.lock() = Some(other.record(&one()).is_some());
        };
        Scenario::new()
            .actor("fill", filler)
            .actor("purge group", purger)
            .check(async move {
                let was_written_before_the_purge = seen.lock().unwrap();
                let ending = ending.lock().unwrap();
                if ending == Committed::Published && !was_written_before_the_purge {
                    return Err("published, though the purge was over before".into());
                }
                not_there(&world, &one(), &new)
            })
    });
    report.assert_holds();
}

#[test]
fn p6_a_refresh_and_soft_purges() {
    for key in [key(1), one()] {
        let report = explore(&limits(4), |explorer| {
            let world = world(explorer, Lag::Neither);
            let object = Object::new(10, 5);
            world.store(&key.group(), &Object::new(10, 8));
            if key.variance().is_some() {
                world.store(&key, &object);
            }
            let generation = world.hit(&key).unwrap().generation;
            let tier = world.tier.clone();
            let updater = async move {
                tier.update_meta(&key, generation, meta(3)).await.unwrap();
            };
            let tier = world.tier.clone();
            let gone = Arc::new(Mutex::new(false));
            let noted = Arc::clone(&gone);
            let purger = async move {
                tier.expire(&group(), LONG_AGO).await.unwrap();
                tier.purge(&Target::Key(key)).await.unwrap();
                *noted.lock() = true;
            };
            let reader = reads(&world, key, vec![object, Object::new(10, 8)]);
            Scenario::new()
                .actor("update", updater)
                .actor("expire, purge", purger)
                .actor("reader", reader)
                .check(async move {
                    assert!(*gone.lock());
                    match world.hit(&key) {
                        Some(_) => Err("an update brought it back".into()),
                        None => Ok(()),
                    }
                })
        });
        report.assert_holds();
    }
}
