//! Before the background service has installed the tiers.

use pingora_cache::storage::{PurgeOutcome, PurgeTarget, PurgeType, Storage};
use terrace_pingora::{AlreadyInstalled, RequestSlot, TerraceStorage};

use crate::rig::{Rig, page, span, url};

static NOT_READY: TerraceStorage = TerraceStorage::new();

#[tokio::test]
async fn lookups_miss_and_responses_are_not_cached() {
    let mut key = url("a");
    let slot = RequestSlot::new();
    key.extensions.insert(slot.clone());
    assert!(NOT_READY.lookup(&key, &span()).await.unwrap().is_none());
    assert!(
        NOT_READY
            .get_miss_handler(&key, &page(None), &span())
            .await
            .is_err()
    );
    let tag = Some(&b"12345678"[..]);
    assert!(
        NOT_READY
            .lookup_streaming_write(&key, tag, &span())
            .await
            .is_err()
    );
    assert!(
        !NOT_READY
            .update_meta(&key, &page(None), &span())
            .await
            .unwrap()
    );
    assert!(slot.outcome().is_none(), "no tier was asked");
    assert!(NOT_READY.support_streaming_partial_write());
}

#[tokio::test]
async fn purges_are_not_acknowledged_and_evictions_find_nothing() {
    let key = url("a").to_compact();
    let target = PurgeTarget::Active(&key);
    let invalidation = NOT_READY
        .purge(target, PurgeType::Invalidation, &span())
        .await;
    assert!(invalidation.is_err(), "L3 may have it");
    assert!(NOT_READY.expire(target, &span()).await.is_err());
    for soft in [false, true] {
        assert!(NOT_READY.purge_all_variants(&url("a"), soft).await.is_err());
    }
    let eviction = NOT_READY
        .purge(target, PurgeType::Eviction, &span())
        .await
        .unwrap();
    assert_eq!(eviction, PurgeOutcome::NotFound);
}

#[tokio::test]
async fn tiers_are_installed_once() {
    let rig = Rig::new();
    let again = rig.storage.install(Rig::new().stack);
    assert_eq!(again, Err(AlreadyInstalled));
    assert!(rig.storage.stack().is_some());
    assert!(rig.storage.as_any().is::<TerraceStorage>());
}
