//! What the documentation says of memory, asked of the allocator.

#![expect(clippy::unwrap_used, reason = "a test")]

use futures::FutureExt;
use terrace_core::{Committed, Lookup, Tier};
use terrace_memory::MemoryTier;
use terrace_testkit::sample::{Object, key};

/// Memory never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    future.now_or_never().unwrap()
}

fn store(tier: &MemoryTier, n: u64, object: &Object) {
    let committed = at_once(object.store(tier, &key(n))).unwrap();
    assert_eq!(committed, Committed::Published);
}

#[test]
fn a_hit_allocates_its_future_and_nothing_else() {
    let tier = MemoryTier::new(64 << 20);
    let object = Object::new(1 << 20, 1);
    store(&tier, 1, &object);
    let key = key(1);
    let hit = || match at_once(tier.lookup(&key)).unwrap() {
        Lookup::Hit(hit) => drop(hit),
        Lookup::Miss(_) => panic!("it was stored"),
    };
    hit();
    let used = allocation_counter::measure(hit);
    assert_eq!(used.count_total, 1);
    assert!(used.bytes_total < 1024, "{} bytes", used.bytes_total);
    assert_eq!(used.bytes_current, 0);
}

#[test]
fn objects_take_no_more_memory_than_they_weigh() {
    const OBJECTS: u64 = 3_000;
    for len in [0, 100, 5_000, 70_000] {
        let tier = MemoryTier::new(1 << 30);
        let objects: Vec<_> = (0..OBJECTS).map(|n| Object::new(len, n)).collect();
        let used = allocation_counter::measure(|| {
            for (n, object) in (0..).zip(&objects) {
                store(&tier, n, object);
                // The first hit makes the body shareable, which takes a reference count.
                drop(at_once(tier.lookup(&key(n))).unwrap());
            }
        });
        let used = u64::try_from(used.bytes_current).unwrap();
        let weight = tier.weight();
        assert_eq!(tier.len() as u64, OBJECTS);
        println!(
            "{len}: {} used, {} weighed",
            used / OBJECTS,
            weight / OBJECTS
        );
        assert!(
            used <= weight,
            "{used} bytes used, {weight} weighed, for bodies of {len}"
        );
    }
}
