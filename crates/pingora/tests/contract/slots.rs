//! What a request tells the storage, and learns from it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_cache::CacheKey;
use pingora_cache::storage::Storage;
use terrace_core::{Clock, Generation, Meta, ReadBody, SystemClock, Target, Tier};
use terrace_pingora::{HitReader, MAX_LOOKUPS, RequestSlot, encode_meta};
use terrace_tiers::{Intent, Rescue};

use crate::rig::{Rig, now, page, read_all, span, url, variant_of};

fn with_slot(mut key: CacheKey, slot: &RequestSlot) -> CacheKey {
    key.extensions.insert(slot.clone());
    key
}

#[tokio::test]
async fn the_outcome_tells_miss_fill_and_hit_apart() {
    let rig = Rig::new();
    let slot = RequestSlot::new();
    assert!(slot.outcome().is_none());
    let key = with_slot(url("a"), &slot);

    assert!(rig.lookup(&key).await.is_none());
    let miss = slot.outcome().unwrap();
    assert_eq!(
        (miss.source, miss.generation, miss.stored),
        (None, None, false)
    );

    let id = rig.store(&key, b"body").await;
    let filled = slot.outcome().unwrap();
    assert_eq!((filled.source, filled.stored), (None, true));
    assert_eq!(filled.generation, Generation::from_u64(id.get()));

    let slot = RequestSlot::new();
    rig.hit(&with_slot(url("a"), &slot)).await;
    let hit = slot.outcome().unwrap();
    assert_eq!(hit.source.unwrap().as_str(), "L0");
    assert_eq!((hit.generation, hit.stored), (filled.generation, false));
}

#[tokio::test]
async fn a_purge_between_the_request_and_the_response_holds() {
    let rig = Rig::new();
    let key = with_slot(url("a"), &RequestSlot::new());
    assert!(rig.lookup(&key).await.is_none());
    // The origin has read its content, and answers slowly. Meanwhile the content changes:
    rig.purge(&url("a")).await;
    rig.store(&key, b"what was purged").await;
    rig.drained().await;
    assert!(
        rig.lookup(&url("a")).await.is_none(),
        "a purged object never comes back (P3)"
    );
}

#[tokio::test]
async fn without_a_slot_only_a_purge_after_the_response_holds() {
    let rig = Rig::new();
    assert!(rig.lookup(&url("a")).await.is_none());
    rig.purge(&url("a")).await;
    rig.store(&url("a"), b"what was purged").await;
    assert!(
        rig.lookup(&url("a")).await.is_some(),
        "the documented weakness: see RequestSlot"
    );
}

#[tokio::test]
async fn each_key_a_request_looked_up_keeps_its_fences() {
    let rig = Rig::new();
    let slot = RequestSlot::new();
    let primary = with_slot(url("a"), &slot);
    let variant = variant_of(&primary, 1);
    rig.lookup(&primary).await;
    rig.lookup(&variant).await;
    rig.purge(&url("a")).await;
    // Pingora fills the primary slot when the response varies otherwise than expected.
    rig.store(&primary, b"what was purged").await;
    rig.drained().await;
    assert!(rig.lookup(&url("a")).await.is_none());
}

#[tokio::test]
async fn a_lookup_that_is_repeated_brings_newer_fences() {
    let rig = Rig::new();
    let key = with_slot(url("a"), &RequestSlot::new());
    rig.lookup(&key).await;
    rig.purge(&url("a")).await;
    // As after waiting for the cache lock.
    rig.lookup(&key).await;
    rig.store(&key, b"fetched after the purge").await;
    assert!(rig.lookup(&url("a")).await.is_some());
}

#[tokio::test]
async fn a_slot_remembers_a_bounded_number_of_lookups() {
    let rig = Rig::new();
    let slot = RequestSlot::new();
    for n in 0..=MAX_LOOKUPS {
        rig.lookup(&with_slot(url(&n.to_string()), &slot)).await;
    }
    for n in 0..=MAX_LOOKUPS {
        rig.purge(&url(&n.to_string())).await;
        rig.store(&with_slot(url(&n.to_string()), &slot), b"body")
            .await;
    }
    rig.drained().await;
    assert!(
        rig.lookup(&url("0")).await.is_some(),
        "the oldest was forgotten"
    );
    assert!(rig.lookup(&url("1")).await.is_none(), "the others were not");
}

#[tokio::test]
async fn who_revalidates_does_not_join_a_body_in_progress() {
    let rig = Rig::new();
    rig.store(&url("a"), b"old").await;
    let fill = rig.begin(&url("a"), &page(None)).await;
    let slot = RequestSlot::new().with_intent(Intent::Revalidate);
    let (_, mut handler) = rig.hit(&with_slot(url("a"), &slot)).await;
    let outcome = slot.outcome().unwrap();
    assert_eq!(outcome.source.unwrap().as_str(), "L0");
    assert_eq!(read_all(&mut handler).await.unwrap(), b"old");
    drop(fill);
}

static LARGE: [u8; 50_000] = [9; 50_000];

/// The origin, asked for the rest.
struct Origin(&'static [u8]);

struct Rest(Option<Bytes>);

#[async_trait]
impl Rescue for Origin {
    async fn resume(&self, range: Range<u64>, _: u64) -> terrace_core::Result<Box<dyn ReadBody>> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(Box::new(Rest(Some(Bytes::from_static(&self.0[range])))))
    }
}

#[async_trait]
impl ReadBody for Rest {
    async fn read(&mut self) -> terrace_core::Result<Option<Bytes>> {
        Ok(self.0.take())
    }

    fn seek(&mut self, _: Range<u64>) -> terrace_core::Result<()> {
        unreachable!("a rescue is not sought")
    }
}

#[tokio::test]
async fn a_rescue_takes_over_where_the_tiers_fail() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    rig.forget_l0(&url("a")).await;
    rig.cut.store(true, Ordering::Relaxed);
    let (_, mut handler) = rig.hit(&url("a")).await;
    let reader = HitReader::of(&mut handler).unwrap();
    assert!(reader.can_fail());
    reader.set_rescue(Arc::new(Origin(&LARGE)));
    assert_eq!(read_all(&mut handler).await.unwrap(), LARGE);
}

#[tokio::test]
async fn a_hit_in_memory_cannot_fail_and_needs_no_rescue() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert!(!HitReader::of(&mut handler).unwrap().can_fail());
}

#[tokio::test]
async fn a_rescue_that_has_other_bytes_is_found_out() {
    static CHANGED: [u8; 50_000] = [8; 50_000];
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    rig.forget_l0(&url("a")).await;
    rig.cut.store(true, Ordering::Relaxed);
    let (_, mut handler) = rig.hit(&url("a")).await;
    let reader = HitReader::of(&mut handler).unwrap();
    assert!(reader.can_fail());
    reader.set_rescue(Arc::new(Origin(&CHANGED)));
    read_all(&mut handler)
        .await
        .expect_err("patched together from two bodies");
}

#[tokio::test]
async fn a_304_does_not_end_a_soft_purge_that_came_after_the_request() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    let key = with_slot(url("a"), &RequestSlot::new());
    let (mut confirmed, _) = rig.hit(&key).await;
    rig.storage
        .purge_all_variants(&url("a"), true)
        .await
        .unwrap();
    confirmed
        .response_header_mut()
        .insert_header("ETag", "too late")
        .unwrap();
    let updated = rig.storage.update_meta(&key, &confirmed, &span()).await;
    assert!(!updated.unwrap());
    assert!(
        !rig.hit(&url("a"))
            .await
            .0
            .is_fresh(now() + Duration::from_secs(1))
    );
}

/// Every request that goes to the origin must have every tier's fence, whatever it found before.
#[tokio::test]
async fn a_purge_by_another_node_between_request_and_response_holds() {
    let rig = Rig::new();
    let now = SystemClock.now();
    let unreadable = Meta::new(now, now.after(Duration::from_mins(1)));
    let mut stale = encode_meta(&page(None)).unwrap();
    stale.fresh_until = now.before(Duration::from_secs(1));
    for (path, found) in [
        ("miss", None),
        ("unreadable", Some(unreadable)),
        ("stale", Some(stale)),
    ] {
        let key = with_slot(url(path), &RequestSlot::new());
        if let Some(meta) = found {
            let key = terrace_pingora::key(&key);
            let mut filling = rig.stack.fill(&key, meta, None, None).await;
            filling.write((&b"older"[..]).into()).await;
            filling.finish().await;
        }
        rig.lookup(&key).await;
        let target = Target::Key(terrace_pingora::key(&key));
        rig.l3.purge(&target).await.unwrap();
        rig.store(&key, b"what was purged").await;
        rig.drained().await;
        if let Some((_, mut handler)) = rig.lookup(&url(path)).await {
            assert_ne!(
                read_all(&mut handler).await.unwrap(),
                b"what was purged",
                "{path}"
            );
        }
    }
}
