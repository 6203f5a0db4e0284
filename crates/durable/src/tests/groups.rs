use terrace_core::{Cas, Clock, Committed, IndexStore, Tier};
use terrace_testkit::sample::{Object, key, variant};

use crate::testing::{HOUR, MINUTE, World, now};

#[test]
fn fills_of_variants_of_a_new_group_do_not_fence_each_other() {
    let group = [key(1), variant(key(1), 1), variant(key(1), 2)];
    // Where a variant is first, the primary slot's fence, which saw no record, meets the variant's anchor: a step of a fill.
    for order in [[0, 1, 2], [1, 2, 0]] {
        let world = World::new();
        let fences = group.map(|key| world.fence(&key));
        let published = order.map(|n| {
            let object = Object::new(100, 1 + n as u64);
            let fence = fences[n].clone();
            let committed = now(object.store_under(&world.tier, &group[n], fence)).unwrap();
            committed == Committed::Published
        });
        assert_eq!(published, [true; 3], "{order:?}");
    }
}

#[test]
fn a_group_lives_as_long_as_its_longest_variant() {
    let world = World::new();
    let one = variant(key(1), 1);
    let mut short = Object::new(100, 1);
    short.entry.meta.stale_until = world.clock.now().after(MINUTE);
    world.store(&key(1), &short);
    let long = Object::new(100, 2);
    world.store(&one, &long);
    world.clock.advance(1000 * HOUR);
    world.assert_holds(&one, &long);
    // A primary slot that is filled anew keeps the group, and for as long.
    world.store(&key(1), &short);
    world.assert_holds(&one, &long);
    world.clock.advance(1000 * HOUR);
    world.assert_holds(&one, &long);
}

#[test]
fn variants_of_a_forgotten_group_are_dead_even_when_it_is_made_anew() {
    let world = World::new();
    let one = variant(key(1), 1);
    world.store(&one, &Object::new(100, 1));
    let group = world.record(&key(1)).unwrap();
    let deleted = now(world.stores.index.delete(&key(1), group.version)).unwrap();
    assert_eq!(deleted, Cas::Applied);
    assert!(world.hit(&one).is_none());
    world.store(&key(1), &Object::new(100, 2));
    assert!(world.hit(&one).is_none());
}

#[test]
fn a_lookup_reads_a_variant_and_its_group_in_one_round() {
    let world = World::new();
    let one = variant(key(1), 1);
    world.store(&one, &Object::new(100, 1));
    now(world.tier.lookup(&one)).unwrap();
    assert_eq!(world.script().calls(), ["index.get"; 2]);
}

#[test]
fn small_bodies_need_no_blob_store() {
    let world = World::new();
    let object = Object::new(8 * 1024, 1);
    let committed = now(object.store(&world.tier, &key(1))).unwrap();
    assert_eq!(committed, Committed::Published);
    assert_eq!(world.script().calls(), ["index.get", "index.put_new"]);
    assert!(world.blobs().is_empty());
    let larger = Object::new(8 * 1024 + 1, 2);
    world.store(&key(2), &larger);
    assert_eq!(world.blobs().len(), 1);
}
