use terrace_core::{
    Committed, Entry, ErrorKind, IndexStore, Location, Manifest, Record, Target, Tier, crc32c,
};
use terrace_testkit::sample::{LONG_AGO, Object, body, key, meta, variant, version};

use crate::testing::{World, now};

#[test]
fn a_damaged_record_is_a_miss_and_the_next_fill_replaces_it() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 4] = [
        Vec::clear,
        |bytes| bytes.truncate(20),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[30] ^= 0x40,
    ];
    for damage in damages {
        let world = World::new();
        for key in [key(1), variant(key(1), 1)] {
            world.store(&key, &Object::new(100, 1));
            world.damage(&key, damage);
            assert!(world.hit(&key).is_none());
            let next = Object::new(100, 2);
            world.store(&key, &next);
            world.assert_holds(&key, &next);
        }
    }
}

#[test]
fn p10_a_record_of_another_key_is_a_miss() {
    let world = World::new();
    world.store(&key(1), &Object::new(100, 1));
    world.store(&key(2), &Object::new(100, 2));
    let foreign = world.record(&key(2)).unwrap().manifest;
    world.damage(&key(1), |bytes| *bytes = foreign.to_vec());
    assert!(world.hit(&key(1)).is_none());
}

#[test]
fn a_damaged_record_can_be_purged_and_expired() {
    let world = World::new();
    for n in 0..2 {
        world.store(&key(1), &Object::new(100, 1));
        world.damage(&key(1), Vec::clear);
        let fence = world.fence(&key(1));
        let target = Target::Key(key(1));
        let outcome = match n {
            0 => now(world.tier.purge(&target)).unwrap(),
            _ => now(world.tier.expire(&target, LONG_AGO)).unwrap(),
        };
        assert_eq!(outcome.generation(), None);
        let late = Object::new(100, 2);
        let committed = now(late.store_under(&world.tier, &key(1), fence)).unwrap();
        assert_eq!(committed, Committed::Fenced);
    }
}

#[test]
fn a_group_whose_record_is_damaged_is_repaired_by_its_variants() {
    let world = World::new();
    let one = variant(key(1), 1);
    world.store(&key(1), &Object::new(100, 1));
    world.store(&one, &Object::new(100, 2));
    world.damage(&key(1), Vec::clear);
    assert!(world.hit(&one).is_none());
    let next = Object::new(100, 3);
    assert_eq!(
        now(next.store(&world.tier, &one)).unwrap(),
        Committed::Fenced
    );
    assert!(world.hit(&one).is_none());
    assert_eq!(
        now(next.store(&world.tier, &one)).unwrap(),
        Committed::Published
    );
    world.assert_holds(&one, &next);
}

#[test]
fn a_record_of_a_newer_version_is_never_replaced() {
    let world = World::new();
    world.store(&key(1), &Object::new(100, 1));
    let fence = world.fence(&key(1));
    world.damage(&key(1), |bytes| {
        bytes[4] = 2;
        let covered = bytes.len() - 4;
        let crc = crc32c(&bytes[..covered]);
        bytes[covered..].copy_from_slice(&crc.to_le_bytes());
    });
    let newer = world.record(&key(1)).unwrap();

    let one = variant(key(1), 1);
    let new = Object::new(100, 2);
    let errors = [
        now(world.tier.lookup(&key(1))).unwrap_err(),
        now(world.tier.lookup(&one)).unwrap_err(),
        now(world.tier.fence(&key(1))).unwrap_err(),
        now(world.tier.purge(&Target::Key(key(1)))).unwrap_err(),
        now(world.tier.expire(&Target::Key(key(1)), LONG_AGO)).unwrap_err(),
        now(world.tier.update_meta(&key(1), new.generation(), meta(1))).unwrap_err(),
        now(new.store_under(&world.tier, &key(1), fence)).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error.kind(), ErrorKind::Unsupported),
            "{error}: {:?}",
            error.kind()
        );
    }
    assert_eq!(world.record(&key(1)).unwrap(), newer);
}

#[test]
fn p2_an_inline_body_with_other_checksums_is_a_miss() {
    let world = World::new();
    world.store(&key(1), &Object::new(100, 1));
    let mut manifest = world.manifest(&key(1)).unwrap();
    let object = manifest.object.as_mut().unwrap();
    object.location = Location::Inline(body(100, 2));
    rewrite(&world, &manifest);
    assert!(world.hit(&key(1)).is_none());

    let next = Object::new(100, 3);
    world.store(&key(1), &next);
    world.assert_holds(&key(1), &next);
}

fn rewrite(world: &World, manifest: &Manifest) {
    let before = world.record(&manifest.key).unwrap();
    let record = Record {
        version: version(1234),
        manifest: manifest.encode().unwrap(),
        ..before
    };
    let swapped = world
        .stores
        .index
        .cas_update(&manifest.key, before.version, &record);
    assert_eq!(now(swapped).unwrap(), terrace_core::Cas::Applied);
}

#[test]
fn metadata_that_fits_into_no_record_is_refused_before_anything_is_written() {
    let world = World::new();
    let mut large = Object::new(100, 1).entry;
    large.meta.header = body(1024 * 1024, 1);
    let mut tagged = Object::new(100, 1).entry;
    tagged.meta.tags = vec!["tag".into(); 1000].into();
    let refused = |entry: Entry| {
        let fence = world.fence(&key(1));
        let Err(error) = now(world.tier.admit(&key(1), entry, fence)) else {
            panic!("it was admitted");
        };
        error.kind()
    };
    assert_eq!(refused(large), ErrorKind::Exhausted);
    assert_eq!(refused(tagged), ErrorKind::Exhausted);
    assert!(world.script().calls().is_empty());
}

#[test]
fn large_metadata_leaves_less_room_for_the_body_in_the_record() {
    let world = World::with(&crate::DurableConfig {
        inline_max: 512 * 1024,
        ..crate::DurableConfig::default()
    });
    let mut object = Object::new(300 * 1024, 1);
    object.entry.meta.header = body(800 * 1024, 2);
    world.store(&key(1), &object);
    assert_eq!(world.blobs().len(), 1);
    world.assert_holds(&key(1), &object);
}

#[test]
fn another_body_than_was_announced_is_invalid_and_leaves_nothing() {
    let world = World::new();
    for len in [100, 40_000] {
        let object = Object::new(len, 1);
        let fence = world.fence(&key(1));
        let mut fill = now(world.tier.admit(&key(1), object.entry.clone(), fence)).unwrap();
        now(fill.write(object.body.slice(1..))).unwrap();
        let error = now(fill.commit(object.commit())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(world.hit(&key(1)).is_none());
        assert!(world.blobs().is_empty());
    }
    assert_eq!(world.stores.blobs.used(), 0);
}
