use terrace_core::{
    BlobName, ErrorKind, IndexStore, Manifest, Record, Reservation, Target, Tier, Timestamp,
};
use terrace_testkit::sample::{Object, blob_name, generation, key, variant, version};

use super::{GcOptions, GcReport};
use crate::testing::{HOUR, MINUTE, World, now};

const LARGE: usize = 40_000;

/// A blob no manifest names, an hour and more old.
fn orphan(world: &World, n: u64) -> BlobName {
    let name = blob_name(1, n);
    world.overwrite(&name, Object::new(LARGE, n).body);
    world.clock.advance(2 * HOUR);
    name
}

fn collect(world: &World, options: &GcOptions) -> GcReport {
    now(world.tier.collect(options)).unwrap()
}

fn wet() -> GcOptions {
    GcOptions {
        dry_run: false,
        ..GcOptions::default()
    }
}

#[test]
fn a_dry_run_is_the_default_and_only_counts() {
    let world = World::new();
    let name = orphan(&world, 1);
    let report = collect(&world, &GcOptions::default());
    assert_eq!((report.scanned, report.orphans, report.deleted), (1, 1, 0));
    assert_eq!(
        (report.orphan_bytes, report.deleted_bytes),
        (LARGE as u64, 0)
    );
    assert_eq!(world.blobs(), [name]);
}

#[test]
fn orphans_go_and_what_is_named_stays() {
    let world = World::new();
    let objects = [(key(1), 1), (variant(key(1), 1), 2), (key(2), 3)];
    for (key, n) in objects {
        world.store(&key, &Object::new(LARGE, n));
    }
    orphan(&world, 99);
    let report = collect(&world, &wet());
    assert_eq!((report.scanned, report.orphans, report.deleted), (4, 1, 1));
    assert_eq!(report.deleted_bytes, LARGE as u64);
    assert!(!report.truncated);
    for (key, n) in objects {
        world.assert_holds(&key, &Object::new(LARGE, n));
    }
    assert_eq!(collect(&world, &wet()).orphans, 0);
}

#[test]
fn what_was_replaced_or_purged_is_an_orphan_when_it_is_old_enough() {
    let world = World::new();
    let one = variant(key(1), 1);
    for key in [key(1), one, key(2), key(3)] {
        world.store(&key, &Object::new(LARGE, 1));
    }
    world.store(&key(2), &Object::new(LARGE, 2));
    now(world.tier.purge(&Target::Key(key(3)))).unwrap();
    // Kills the variant as well, whose own manifest still names its blob.
    now(world.tier.purge(&Target::AllVariants(key(1).primary()))).unwrap();
    assert_eq!(collect(&world, &wet()).orphans, 0);
    world.clock.advance(HOUR + MINUTE);
    assert_eq!(collect(&world, &wet()).deleted, 4);
    world.assert_holds(&key(2), &Object::new(LARGE, 2));
}

#[test]
fn it_ends_at_the_bound() {
    let world = World::new();
    for n in 0..5 {
        orphan(&world, n);
    }
    let options = GcOptions {
        max_deletes: 3,
        ..wet()
    };
    let report = collect(&world, &options);
    assert_eq!((report.deleted, report.truncated), (3, true));
    let report = collect(&world, &options);
    assert_eq!((report.deleted, report.truncated), (2, false));
}

#[test]
fn p8_a_grace_below_the_one_fills_rely_on_is_refused() {
    let world = World::new();
    let options = GcOptions {
        grace: Some(59 * MINUTE),
        ..wet()
    };
    let error = now(world.tier.collect(&options)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn p8_a_longer_grace_spares_more() {
    let world = World::new();
    orphan(&world, 1);
    let options = GcOptions {
        grace: Some(3 * HOUR),
        ..wet()
    };
    assert_eq!(collect(&world, &options).orphans, 0);
    world.clock.advance(2 * HOUR);
    assert_eq!(collect(&world, &options).deleted, 1);
}

#[test]
fn p8_a_reserved_blob_stays_until_a_grace_after_its_reservation() {
    let world = World::new();
    let name = orphan(&world, 1);
    let until = terrace_core::Clock::now(&*world.clock).after(HOUR);
    let mut manifest = Manifest::empty(name.key, world.tier.shared.new_group());
    manifest.reservation = Some(Reservation {
        generation: name.generation,
        until,
    });
    let record = Record {
        version: version(1),
        retain_until: Timestamp::MAX,
        manifest: manifest.encode().unwrap(),
    };
    let _ = now(world.stores.index.put_new(&name.key, &record)).unwrap();
    world.clock.advance(2 * HOUR);
    assert_eq!(collect(&world, &wet()).orphans, 0);
    world.clock.advance(MINUTE);
    assert_eq!(collect(&world, &wet()).deleted, 1);
}

#[test]
fn p8_a_reservation_of_another_generation_protects_nothing() {
    let world = World::new();
    let name = orphan(&world, 1);
    let mut manifest = Manifest::empty(name.key, world.tier.shared.new_group());
    manifest.reservation = Some(Reservation {
        generation: generation(2),
        until: Timestamp::MAX,
    });
    let record = Record {
        version: version(1),
        retain_until: Timestamp::MAX,
        manifest: manifest.encode().unwrap(),
    };
    let _ = now(world.stores.index.put_new(&name.key, &record)).unwrap();
    assert_eq!(collect(&world, &wet()).deleted, 1);
}

#[test]
fn p8_what_cannot_be_read_keeps_its_blob() {
    for newer in [false, true] {
        for damaged in [key(1), variant(key(1), 1)] {
            let world = World::new();
            let one = variant(key(1), 1);
            world.store(&key(1), &Object::new(10, 1));
            world.store(&one, &Object::new(LARGE, 2));
            world.damage(&damaged, |bytes| bytes[if newer { 4 } else { 20 }] ^= 0x55);
            world.clock.advance(2 * HOUR);
            let report = collect(&world, &wet());
            assert_eq!((report.undecidable, report.deleted), (1, 0));
            assert_eq!(world.blobs().len(), 1);
        }
    }
}

#[test]
fn an_index_that_fails_ends_it() {
    let world = World::new();
    orphan(&world, 1);
    world.script().at(0, crate::testing::Fault::Refused);
    let error = now(world.tier.collect(&wet())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.blobs().len(), 1);
}
