//! Fills that take longer than the index remembers.

use std::time::Duration;

use terrace_core::{Committed, Fill, Key, State, Target, Tier};
use terrace_testkit::sample::{Object, key, variant};

use crate::testing::{HOUR, MINUTE, World, now};

const LARGE: usize = 40_000;

fn begin(world: &World, key: &Key, object: &Object) -> Box<dyn Fill> {
    let fence = world.fence(key);
    let mut fill = now(world.tier.admit(key, object.entry.clone(), fence)).unwrap();
    now(fill.write(object.body.slice(..10_000))).unwrap();
    fill
}

fn go_on(fill: &mut Box<dyn Fill>, object: &Object) {
    now(fill.write(object.body.slice(10_000..20_000))).unwrap();
}

fn finish(mut fill: Box<dyn Fill>, object: &Object) -> Committed {
    now(fill.write(object.body.slice(20_000..))).unwrap();
    now(fill.commit(object.commit())).unwrap()
}

fn keys() -> [Key; 2] {
    [key(1), variant(key(1), 1)]
}

#[test]
fn a_fill_announces_itself_when_it_is_slow_and_not_before() {
    for key in keys() {
        let world = World::new();
        let new = Object::new(LARGE, 1);
        let mut fill = begin(&world, &key, &new);
        world.clock.advance(14 * MINUTE);
        go_on(&mut fill, &new);
        assert!(world.manifest(&key).is_none());
        world.clock.advance(MINUTE);
        go_on(&mut fill, &new);
        let manifest = world.manifest(&key).unwrap();
        assert_eq!(manifest.state(), State::Pending);
        assert_eq!(manifest.reservation.unwrap().generation, new.generation());
        assert!(world.hit(&key).is_none());
    }
}

#[test]
fn a_fill_of_a_day_is_published_whole() {
    for key in keys() {
        let world = World::new();
        let new = Object::new(LARGE, 1);
        let fence = world.fence(&key);
        let mut fill = now(world.tier.admit(&key, new.entry.clone(), fence)).unwrap();
        for piece in new.body.chunks(LARGE / 60) {
            world.clock.advance(25 * MINUTE);
            world.collect();
            now(fill.write(new.body.slice_ref(piece))).unwrap();
        }
        let committed = now(fill.commit(new.commit())).unwrap();
        assert_eq!(committed, Committed::Published);
        world.assert_holds(&key, &new);
        world.assert_no_orphans_stay();
        world.assert_holds(&key, &new);
    }
}

#[test]
fn the_old_object_is_served_while_its_successor_is_reserved() {
    for key in keys() {
        let world = World::new();
        let old = Object::new(LARGE, 1);
        world.store(&key, &old);
        let new = Object::new(LARGE, 2);
        let mut fill = begin(&world, &key, &new);
        world.clock.advance(20 * MINUTE);
        go_on(&mut fill, &new);
        assert!(world.manifest(&key).unwrap().reservation.is_some());
        world.assert_holds(&key, &old);
        drop(fill);
        world.assert_no_orphans_stay();
        world.assert_holds(&key, &old);
    }
}

#[test]
fn p3_a_purge_takes_the_reservation_away_for_ever() {
    let targets: [fn(&Key) -> Target; 2] = [
        |key| Target::Key(*key),
        |key| Target::AllVariants(key.primary()),
    ];
    for key in keys() {
        for target in targets {
            let world = World::new();
            let new = Object::new(LARGE, 1);
            let fence = world.fence(&key);
            let mut fill = now(world.tier.admit(&key, new.entry.clone(), fence)).unwrap();
            for (n, piece) in new.body.chunks(LARGE / 20).enumerate() {
                world.clock.advance(25 * MINUTE);
                now(fill.write(new.body.slice_ref(piece))).unwrap();
                if n == 5 {
                    assert_eq!(world.manifest(&key).unwrap().state(), State::Pending);
                    now(world.witness.purge(&target(&key))).unwrap();
                }
            }
            let committed = now(fill.commit(new.commit())).unwrap();
            assert_eq!(committed, Committed::Fenced);
            assert!(world.hit(&key).is_none());
            world.assert_no_orphans_stay();
        }
    }
}

#[test]
fn p3_a_purge_of_a_reserved_generation_fences_it_and_spares_the_old_object() {
    let world = World::new();
    let (old, new) = (Object::new(LARGE, 1), Object::new(LARGE, 2));
    world.store(&key(1), &old);
    let mut fill = begin(&world, &key(1), &new);
    world.clock.advance(20 * MINUTE);
    go_on(&mut fill, &new);
    let target = Target::Generation(key(1), new.generation());
    assert_eq!(
        now(world.witness.purge(&target)).unwrap().generation(),
        None
    );
    assert_eq!(finish(fill, &new), Committed::Fenced);
    world.assert_holds(&key(1), &old);
}

#[test]
fn p3_a_fence_that_has_outlived_the_index_memory_is_void() {
    for key in keys() {
        for (age, committed) in [
            (29 * MINUTE, Committed::Published),
            (31 * MINUTE, Committed::Fenced),
            (100 * HOUR, Committed::Fenced),
        ] {
            let world = World::new();
            let fence = world.fence(&key);
            world.clock.advance(age);
            let object = Object::new(100, 1);
            let ending = now(object.store_under(&world.tier, &key, fence)).unwrap();
            assert_eq!(ending, committed, "{age:?}");
        }
    }
}

#[test]
fn p3_what_replaces_a_tombstone_is_remembered_as_long_as_the_tombstone() {
    // Short-lived objects without slack: without the floor, their records would vanish in ten seconds.
    let world = World::with(&crate::DurableConfig {
        retain_slack: Duration::ZERO,
        ..crate::DurableConfig::default()
    });
    for key in keys() {
        let before = world.fence(&key);
        now(world.witness.purge(&Target::Key(key))).unwrap();
        let mut short = Object::new(100, 1);
        let soon = terrace_core::Clock::now(&*world.clock).after(Duration::from_secs(10));
        short.entry.meta.stale_until = soon;
        world.store(&key, &short);
        world.clock.advance(MINUTE);
        let late = Object::new(100, 2);
        let committed = now(late.store_under(&world.tier, &key, before)).unwrap();
        assert_eq!(committed, Committed::Fenced);
    }
}

#[test]
fn p8_a_reservation_that_ran_out_is_not_committed() {
    let world = World::new();
    let new = Object::new(LARGE, 1);
    let mut fill = begin(&world, &key(1), &new);
    world.clock.advance(20 * MINUTE);
    go_on(&mut fill, &new);
    world.clock.advance(HOUR);
    assert_eq!(finish(fill, &new), Committed::Fenced);
    world.assert_no_orphans_stay();
    assert!(world.blobs().is_empty());
}
