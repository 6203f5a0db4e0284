use futures::FutureExt;
use terrace_core::{BlockChecksums, Commit, Committed, ErrorKind, KeyDigest};
use terrace_testkit::sample::{self, Object as Sample, key};

use super::*;

/// Memory never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    future.now_or_never().unwrap()
}

fn tier(capacity_bytes: u64) -> MemoryTier {
    MemoryTier::builder(capacity_bytes).epoch_slots(16).build()
}

fn store(tier: &MemoryTier, key: &Key, object: &Sample) {
    let committed = at_once(object.store(tier, key)).unwrap();
    assert_eq!(committed, Committed::Published);
}

fn lookup(tier: &MemoryTier, key: &Key) -> Option<Hit> {
    match at_once(tier.lookup(key)).unwrap() {
        Lookup::Hit(hit) => Some(hit),
        Lookup::Miss(_) => None,
    }
}

#[test]
fn weight_stays_within_capacity_and_the_hot_survive() {
    let tier = tier(8 << 20);
    let hot = key(u64::MAX);
    store(&tier, &hot, &Sample::new(10_000, 1));
    for n in 0..5_000 {
        assert!(lookup(&tier, &hot).is_some(), "evicted by object {n}");
        store(&tier, &key(n), &Sample::new(10_000, n));
        assert!(tier.weight() <= tier.capacity());
    }
    assert!(tier.len() < 1_000, "{} objects of 10 kB", tier.len());
    assert!(tier.weight() > tier.capacity() / 2, "{}", tier.weight());
}

#[test]
fn the_heaviest_object_that_is_admitted_is_kept() {
    for capacity in [0, 1, 5_000, 1 << 20, 100 << 20] {
        let tier = tier(capacity);
        let empty = Sample::new(0, 1);
        let overhead = object::weight(&empty.entry.meta, 0) + 4 * 256;
        let Some(room) = tier.max_object_bytes().checked_sub(overhead) else {
            let refused = at_once(empty.store(&tier, &key(1)));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Exhausted);
            continue;
        };
        let largest = Sample::new(room.try_into().unwrap(), 2);
        store(&tier, &key(2), &largest);
        assert_eq!(
            lookup(&tier, &key(2)).map(|hit| hit.generation),
            Some(largest.generation()),
            "capacity {capacity}"
        );
    }
}

#[test]
fn what_is_too_heavy_is_refused_announced_or_not() {
    let tier = tier(1 << 20);
    let mut large = Sample::new(2 << 20, 1);
    let announced = at_once(large.store(&tier, &key(1)));
    assert_eq!(announced.unwrap_err().kind(), ErrorKind::Exhausted);
    large.entry.len = None;
    let found_out = at_once(large.store(&tier, &key(1)));
    assert_eq!(found_out.unwrap_err().kind(), ErrorKind::Exhausted);
    large.entry.len = Some(u64::MAX);
    let absurd = at_once(large.store(&tier, &key(1)));
    assert_eq!(absurd.unwrap_err().kind(), ErrorKind::Exhausted);
    assert_eq!((tier.len(), tier.filling_bytes()), (0, 0));
}

#[test]
fn fills_share_a_budget_and_give_it_back() {
    let tier = MemoryTier::builder(8 << 20)
        .max_filling_bytes(150_000)
        .build();
    let (first, second) = (Sample::new(100_000, 1), Sample::new(100_000, 2));
    at_once(async {
        let fence = tier.fence(&key(1)).await.unwrap();
        let mut fill = tier
            .admit(&key(1), first.entry.clone(), fence)
            .await
            .unwrap();
        fill.write(first.body.slice(..1)).await.unwrap();
        assert_eq!(tier.filling_bytes(), 100_000);
        let refused = second.store(&tier, &key(2)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Exhausted);
        drop(fill);
        assert_eq!(tier.filling_bytes(), 0);
    });
    store(&tier, &key(2), &second);
    assert_eq!(tier.filling_bytes(), 0);
}

#[test]
fn a_body_that_is_not_the_one_committed_is_not_published() {
    let tier = tier(1 << 20);
    let object = Sample::new(100, 1);
    at_once(async {
        let fence = tier.fence(&key(1)).await.unwrap();
        let entry = object.entry.clone();
        let mut fill = tier.admit(&key(1), entry, fence).await.unwrap();
        fill.write(object.body.slice(..99)).await.unwrap();
        let short = fill.commit(object.commit()).await;
        assert_eq!(short.unwrap_err().kind(), ErrorKind::Invalid);
    });
    assert!(tier.is_empty());
}

#[test]
fn a_fence_of_another_tier_is_invalid() {
    let tier = tier(1 << 20);
    let entry = Sample::new(1, 1).entry;
    for fence in [Fence::from_bytes(b"token"), Fence::from_words([0, 1, 0])] {
        let refused = at_once(tier.admit(&key(1), entry.clone(), fence));
        assert_eq!(refused.err().unwrap().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_hit_shares_the_body_and_the_parsed_header() {
    let tier = tier(1 << 20);
    let object = Sample::new(10_000, 1);
    store(&tier, &key(1), &object);
    let bodies = [(); 2].map(|()| {
        let hit = lookup(&tier, &key(1)).unwrap();
        let parsed = hit.meta.decoded.get_or_try_init(|| Some(object.body.len()));
        assert_eq!(parsed, Some(&10_000));
        match hit.body {
            Body::Bytes { bytes, .. } => bytes.as_ptr(),
            Body::Stream(_) => panic!("not in memory"),
        }
    });
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(
        bodies[0],
        object.body.as_ptr(),
        "copied out of what may be larger"
    );
    let hit = lookup(&tier, &key(1)).unwrap();
    let again = hit.meta.decoded.get_or_try_init(|| None::<usize>);
    assert_eq!(again, Some(&10_000), "parsed once for all hits");
}

#[test]
fn a_dead_variant_gives_its_memory_back_when_it_is_met() {
    let tier = tier(1 << 20);
    let variant = key(1).variant(KeyDigest::of(&[b"gzip"]));
    store(&tier, &variant, &Sample::new(100, 1));
    let all = Target::AllVariants(key(1).primary());
    let outcome = at_once(tier.purge(&all)).unwrap();
    assert_eq!(outcome, PurgeOutcome::NotFound, "said of the primary slot");
    assert_eq!(tier.len(), 1);
    assert!(lookup(&tier, &variant).is_none());
    assert_eq!((tier.len(), tier.weight()), (0, 0));
}

#[test]
fn a_confirmed_object_outlives_the_soft_purge_and_voids_promotions_of_its_old_metadata() {
    let tier = tier(1 << 20);
    let object = Sample::new(100, 1);
    store(&tier, &key(1), &object);
    at_once(async {
        let at = sample::LONG_AGO;
        tier.expire(&Target::AllVariants(key(1).primary()), at)
            .await
            .unwrap();
        assert_eq!(lookup(&tier, &key(1)).unwrap().expired_at, Some(at));

        let promotion = tier.fence(&key(1)).await.unwrap();
        let fresh = sample::meta(2);
        let generation = object.generation();
        assert!(
            tier.update_meta(&key(1), generation, fresh.clone())
                .await
                .unwrap()
        );
        let hit = lookup(&tier, &key(1)).unwrap();
        assert_eq!((hit.expired_at, hit.meta), (None, fresh.clone()));

        let late = object.store_under(&tier, &key(1), promotion).await;
        assert_eq!(late.unwrap(), Committed::Fenced);
        assert_eq!(lookup(&tier, &key(1)).unwrap().meta, fresh);
    });
}

#[test]
fn metadata_that_no_longer_fits_evicts_its_object() {
    let tier = tier(10_000);
    let object = Sample::new(100, 1);
    store(&tier, &key(1), &object);
    let mut meta = sample::meta(2);
    meta.header = sample::body(10_000, 1);
    let kept = at_once(tier.update_meta(&key(1), object.generation(), meta));
    assert!(!kept.unwrap());
    assert!(tier.is_empty());
}

#[test]
fn checksums_are_the_bodys() {
    let tier = tier(1 << 20);
    let object = Sample::new(50_000, 1);
    store(&tier, &key(1), &object);
    let Commit { checksums } = object.commit();
    assert_eq!(
        lookup(&tier, &key(1)).unwrap().checksums,
        Some(checksums.clone())
    );
    assert_eq!(*checksums, BlockChecksums::of(&object.body));
}

/// Whether an object outlives many others that come after it, if it is `touched` now and then.
fn survives(touched: impl Fn(&MemoryTier, &Key)) -> bool {
    let tier = tier(100_000);
    let store_other = |number: u32| {
        let other = Key::named(format!("other {number}"));
        store(&tier, &other, &Sample::new(100, 2));
    };
    // An object that comes while there is room is kept like one in use.
    (0..1000).for_each(store_other);
    store(&tier, &key(0), &Sample::new(100, 1));
    for number in 1000..3000 {
        touched(&tier, &key(0));
        store_other(number);
    }
    assert!(tier.usage().evictions > Some(1000), "{:?}", tier.usage());
    lookup(&tier, &key(0)).is_some()
}

#[test]
fn looking_at_an_object_does_not_keep_it() {
    assert!(survives(|tier, key| drop(lookup(tier, key))));
    assert!(!survives(|tier, key| drop(at_once(tier.peek(key)))));
}

#[test]
fn a_look_sees_what_a_lookup_finds() {
    let tier = tier(1 << 20);
    assert!(at_once(tier.peek(&key(1))).unwrap().is_none());
    let object = Sample::new(100, 1);
    store(&tier, &key(1), &object);
    let peeked = at_once(tier.peek(&key(1))).unwrap().unwrap();
    assert_eq!(peeked.generation, object.generation());
    assert_eq!((peeked.len, peeked.expired_at), (Some(100), None));
    let all = Target::AllVariants(key(1).primary());
    at_once(tier.expire(&all, sample::LONG_AGO)).unwrap();
    let peeked = at_once(tier.peek(&key(1))).unwrap().unwrap();
    assert_eq!(peeked.expired_at, Some(sample::LONG_AGO));
    at_once(tier.purge(&all)).unwrap();
    assert!(at_once(tier.peek(&key(1))).unwrap().is_none());
}
