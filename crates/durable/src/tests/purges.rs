use terrace_core::{ErrorKind, PurgeOutcome, Target, Tier, Timestamp};
use terrace_testkit::sample::{FAR_AHEAD, LONG_AGO, Object, generation, key, meta, variant};

use crate::DurableConfig;
use crate::testing::{HOUR, World, now};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn a_purge_of_a_generation_that_is_not_there_writes_nothing() {
    let world = World::new();
    let stranger = Target::Generation(key(1), generation(9));
    for expected in [None, Some(Object::new(100, 1))] {
        if let Some(object) = &expected {
            world.store(&key(1), object);
        }
        let before = world.record(&key(1));
        assert_eq!(
            now(world.tier.purge(&stranger)).unwrap(),
            PurgeOutcome::NotFound
        );
        let outcome = now(world.tier.expire(&stranger, LONG_AGO)).unwrap();
        assert_eq!(outcome, PurgeOutcome::NotFound);
        assert_eq!(world.record(&key(1)), before);
    }
}

#[test]
fn purges_say_what_they_found() {
    let world = World::new();
    let object = Object::new(100, 1);
    let generation = object.generation();
    for key in [key(1), variant(key(1), 1)] {
        for target in [Target::Key(key), Target::Generation(key, generation)] {
            world.store(&key, &object);
            let expired = now(world.tier.expire(&target, LONG_AGO)).unwrap();
            assert_eq!(expired, PurgeOutcome::Expired(generation));
            let purged = now(world.tier.purge(&target)).unwrap();
            assert_eq!(purged, PurgeOutcome::Purged(generation));
            assert_eq!(
                now(world.tier.purge(&target)).unwrap(),
                PurgeOutcome::NotFound
            );
        }
    }
}

#[test]
fn a_variant_that_died_with_its_group_is_not_found() {
    let world = World::new();
    let one = variant(key(1), 1);
    world.store(&one, &Object::new(100, 1));
    let group = Target::AllVariants(key(1).primary());
    assert_eq!(
        now(world.tier.purge(&group)).unwrap(),
        PurgeOutcome::NotFound
    );
    assert_eq!(
        now(world.tier.purge(&Target::Key(one))).unwrap(),
        PurgeOutcome::NotFound
    );
}

#[test]
fn the_earliest_soft_purge_counts() {
    let world = World::new();
    let object = Object::new(100, 1);
    for key in [key(1), variant(key(1), 1)] {
        let targets = [Target::Key(key), Target::AllVariants(key.primary())];
        for target in targets {
            world.store(&key, &object);
            for (moment, expected) in [(50, 50), (60, 50), (40, 40)] {
                now(world.tier.expire(&target, at(moment))).unwrap();
                assert_eq!(world.hit(&key).unwrap().expired_at, Some(at(expected)));
            }
            now(world.tier.purge(&targets[1])).unwrap();
        }
    }
}

#[test]
fn of_a_groups_and_an_objects_soft_purge_the_earlier_counts() {
    let world = World::new();
    let one = variant(key(1), 1);
    for (own, group) in [(50, 60), (60, 50)] {
        world.store(&one, &Object::new(100, 1));
        now(world.tier.expire(&Target::Key(one), at(own))).unwrap();
        let all = Target::AllVariants(key(1).primary());
        now(world.tier.expire(&all, at(group))).unwrap();
        assert_eq!(world.hit(&one).unwrap().expired_at, Some(at(50)));
        now(world.tier.purge(&all)).unwrap();
    }
}

#[test]
fn a_soft_purge_of_a_group_does_not_touch_what_is_filled_later() {
    let world = World::new();
    let one = variant(key(1), 1);
    world.store(&key(1), &Object::new(100, 1));
    now(world
        .tier
        .expire(&Target::AllVariants(key(1).primary()), LONG_AGO))
    .unwrap();
    world.store(&one, &Object::new(100, 2));
    assert_eq!(world.hit(&one).unwrap().expired_at, None);
    assert_eq!(world.hit(&key(1)).unwrap().expired_at, Some(LONG_AGO));
}

#[test]
fn a_soft_purge_of_nothing_voids_fences_too() {
    let world = World::new();
    for key in [key(1), variant(key(1), 1)] {
        let fence = world.fence(&key);
        let outcome = now(world.tier.expire(&Target::Key(key), LONG_AGO)).unwrap();
        assert_eq!(outcome, PurgeOutcome::NotFound);
        let committed = now(Object::new(100, 1).store_under(&world.tier, &key, fence)).unwrap();
        assert_eq!(committed, terrace_core::Committed::Fenced);
    }
}

#[test]
fn updated_metadata_lifts_soft_purges() {
    let world = World::new();
    let object = Object::new(40_000, 1);
    for key in [key(1), variant(key(1), 1)] {
        world.store(&key, &object);
        let group = Target::AllVariants(key.primary());
        now(world.tier.expire(&group, LONG_AGO)).unwrap();
        now(world.tier.expire(&Target::Key(key), LONG_AGO)).unwrap();

        let refreshed = meta(5);
        assert!(
            now(world
                .tier
                .update_meta(&key, object.generation(), refreshed.clone()))
            .unwrap()
        );

        let mut hit = world.hit(&key).unwrap();
        assert_eq!((hit.meta, hit.expired_at), (refreshed, None));
        assert_eq!(now(hit.body.read_all()).unwrap(), object.body);
    }
}

#[test]
fn metadata_of_what_is_not_current_is_not_updated() {
    let world = World::new();
    let object = Object::new(100, 1);
    let update = |of| now(world.tier.update_meta(&key(1), of, meta(5))).unwrap();
    assert!(!update(object.generation()));
    world.store(&key(1), &object);
    assert!(!update(generation(9)));
    world.assert_holds(&key(1), &object);
    now(world.tier.purge(&Target::Key(key(1)))).unwrap();
    assert!(!update(object.generation()));
    assert!(world.hit(&key(1)).is_none());
}

#[test]
fn a_record_everybody_changes_is_contended() {
    let world = World::with(&DurableConfig {
        max_attempts: 3,
        ..DurableConfig::default()
    });
    world.store(&key(1), &Object::new(100, 1));
    let other = world.clone();
    world.script().before_each(move |op| {
        if op == "index.cas_update" {
            now(other.witness.expire(&Target::Key(key(1)), FAR_AHEAD)).unwrap();
        }
    });
    let error = now(world.tier.purge(&Target::Key(key(1)))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contended);
    assert_eq!(world.script().calls().len(), 6);
    assert!(world.hit(&key(1)).is_some());
}

#[test]
fn a_tombstone_keeps_its_groups_variants_alive() {
    let world = World::new();
    let one = variant(key(1), 1);
    let object = Object::new(100, 1);
    world.store(&key(1), &object);
    world.store(&one, &object);
    now(world.tier.purge(&Target::Key(key(1)))).unwrap();
    world.clock.advance(100 * HOUR);
    world.assert_holds(&one, &object);
}

#[test]
fn a_tombstone_is_forgotten_in_the_end() {
    let world = World::new();
    now(world.tier.purge(&Target::Key(key(1)))).unwrap();
    assert!(world.record(&key(1)).is_some());
    world.clock.advance(HOUR);
    assert!(world.record(&key(1)).is_none());
}
