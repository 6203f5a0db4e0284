use pingora_cache::storage::{PurgeOutcome, PurgeTarget, PurgeType, Storage};
use pingora_cache::{CacheEntryId, CacheEntryKey};

use crate::rig::{Rig, now, page, read_all, span, url, variant_of};

#[tokio::test]
async fn an_active_purge_names_the_entry_it_removed() {
    let rig = Rig::new();
    let id = rig.store(&url("a"), b"body").await;
    assert_eq!(rig.purge(&url("a")).await, PurgeOutcome::Purged(Some(id)));
    assert!(rig.lookup(&url("a")).await.is_none());
    assert_eq!(rig.purge(&url("a")).await, PurgeOutcome::NotFound);
}

#[tokio::test]
async fn an_exact_purge_of_another_generation_finds_nothing() {
    let rig = Rig::new();
    let old = rig.store(&url("a"), b"old").await;
    let new = rig.store(&url("a"), b"new").await;
    for wrong in [old, CacheEntryId::new(0), CacheEntryId::new(u64::MAX)] {
        let outcome = rig
            .purge_exact(&url("a"), wrong, PurgeType::Invalidation)
            .await;
        assert_eq!(outcome, PurgeOutcome::NotFound);
        assert!(rig.lookup(&url("a")).await.is_some());
    }
    // An exact target knows its id; Pingora checks that it is not told another.
    let outcome = rig
        .purge_exact(&url("a"), new, PurgeType::Invalidation)
        .await;
    assert_eq!(outcome, PurgeOutcome::Purged(None));
    assert!(rig.lookup(&url("a")).await.is_none());
}

#[tokio::test]
async fn an_exact_purge_without_an_id_goes_by_its_key() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    let entry = CacheEntryKey::key_only(url("a").to_compact());
    let target = PurgeTarget::Exact(&entry);
    let outcome = rig
        .storage
        .purge(target, PurgeType::Invalidation, &span())
        .await
        .unwrap();
    assert_eq!(outcome, PurgeOutcome::Purged(None));
    assert!(rig.lookup(&url("a")).await.is_none());
}

#[tokio::test]
async fn an_eviction_drops_the_local_copy_and_keeps_the_durable_one() {
    let rig = Rig::new();
    let id = rig.store(&url("a"), b"body").await;
    let outcome = rig.purge_exact(&url("a"), id, PurgeType::Eviction).await;
    assert_eq!(outcome, PurgeOutcome::Purged(None));
    assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), "L3");
    let outcome = rig.purge_exact(&url("a"), id, PurgeType::Eviction).await;
    assert_eq!(
        outcome,
        PurgeOutcome::NotFound,
        "there is no local copy any more"
    );
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"body");
}

#[tokio::test]
async fn a_purge_during_a_fill_keeps_it_from_being_stored() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(None)).await;
    let mut own = rig.own_reader(&url("a"), &fill).await;
    fill.write_body((&b"bo"[..]).into(), false).await.unwrap();
    rig.purge(&url("a")).await;
    assert!(
        rig.lookup(&url("a")).await.is_none(),
        "nobody joins what was purged"
    );
    fill.write_body((&b"dy"[..]).into(), true).await.unwrap();
    fill.finish().await.unwrap();
    rig.drained().await;
    assert_eq!(
        read_all(&mut own).await.unwrap(),
        b"body",
        "who reads already reads on"
    );
    assert!(
        rig.lookup(&url("a")).await.is_none(),
        "a purged object never comes back (P3)"
    );
}

#[tokio::test]
async fn a_soft_purge_keeps_the_body_and_its_stale_windows() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    let key = url("a").to_compact();
    let target = PurgeTarget::Active(&key);
    let outcome = rig.storage.expire(target, &span()).await.unwrap();
    assert_eq!(outcome, PurgeOutcome::Expired);
    for from in ["L0", "L3"] {
        let (meta, mut handler) = rig.hit(&url("a")).await;
        let soon = now() + std::time::Duration::from_secs(1);
        assert!(!meta.is_fresh(soon), "{from}");
        assert!(meta.serve_stale_while_revalidate(soon), "{from}");
        assert_eq!(read_all(&mut handler).await.unwrap(), b"body", "{from}");
        rig.forget_l0(&url("a")).await;
    }
}

#[tokio::test]
async fn a_soft_purge_of_nothing_or_of_another_generation_finds_nothing() {
    let rig = Rig::new();
    let absent = url("absent").to_compact();
    let outcome = rig
        .storage
        .expire(PurgeTarget::Active(&absent), &span())
        .await
        .unwrap();
    assert_eq!(outcome, PurgeOutcome::NotFound);

    let old = rig.store(&url("a"), b"old").await;
    rig.store(&url("a"), b"new").await;
    let entry = CacheEntryKey::identified(url("a").to_compact(), old);
    let outcome = rig
        .storage
        .expire(PurgeTarget::Exact(&entry), &span())
        .await
        .unwrap();
    assert_eq!(outcome, PurgeOutcome::NotFound);
    assert!(rig.hit(&url("a")).await.0.is_fresh(now()));
}

#[tokio::test]
async fn pingoras_own_purge_reaches_the_primary_slot_only() {
    let rig = Rig::new();
    let variant = variant_of(&url("a"), 1);
    rig.store(&url("a"), b"primary").await;
    rig.store(&variant, b"variant").await;
    rig.purge(&url("a")).await;
    assert!(rig.lookup(&url("a")).await.is_none());
    assert!(rig.lookup(&variant).await.is_some());
}

#[tokio::test]
async fn all_variants_are_purged_as_one() {
    let rig = Rig::new();
    let keys = [url("a"), variant_of(&url("a"), 1), variant_of(&url("a"), 2)];
    for key in &keys {
        rig.store(key, b"body").await;
    }
    rig.store(&url("b"), b"another").await;
    // By a variant's key as well: it names the group.
    assert!(
        rig.storage
            .purge_all_variants(&keys[1], false)
            .await
            .unwrap()
    );
    for key in &keys {
        assert!(rig.lookup(key).await.is_none());
    }
    assert!(rig.lookup(&url("b")).await.is_some());
    assert!(
        !rig.storage
            .purge_all_variants(&keys[0], false)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn all_variants_are_marked_stale_as_one() {
    let rig = Rig::new();
    let keys = [url("a"), variant_of(&url("a"), 1)];
    for key in &keys {
        rig.store(key, b"body").await;
    }
    assert!(
        rig.storage
            .purge_all_variants(&keys[0], true)
            .await
            .unwrap()
    );
    for key in &keys {
        let (meta, mut handler) = rig.hit(key).await;
        assert!(!meta.is_fresh(now() + std::time::Duration::from_secs(1)));
        assert_eq!(read_all(&mut handler).await.unwrap(), b"body");
    }
}
