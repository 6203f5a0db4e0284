//! `update_meta`, which Pingora gives no generation.

use pingora_cache::CacheMeta;
use pingora_cache::storage::Storage;
use terrace_pingora::{Found, RequestSlot};

use crate::rig::{Rig, found, page_with, read_all, span, url, variant_of};

/// What Pingora makes of a 304: new metadata that keeps the old one's extensions.
fn confirmed(old: &CacheMeta, etag: &str) -> CacheMeta {
    let mut new = page_with(Some(4), &[("ETag", etag)]);
    *new.extensions_mut() = old.extensions().clone();
    new
}

async fn etag(rig: &Rig, key: &pingora_cache::CacheKey) -> Option<String> {
    let (meta, _) = rig.hit(key).await;
    let etag = meta.headers().get("etag")?;
    Some(etag.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_confirmed_object_gets_its_new_metadata_in_every_tier() {
    let rig = Rig::new();
    let id = rig.store(&url("a"), b"body").await;
    let (old, mut stale_handler) = rig.hit(&url("a")).await;
    let new = confirmed(&old, "new");
    assert!(
        rig.storage
            .update_meta(&url("a"), &new, &span())
            .await
            .unwrap()
    );
    // Pingora goes on to serve the handler it had.
    assert_eq!(read_all(&mut stale_handler).await.unwrap(), b"body");
    for from in ["L0", "L3"] {
        assert_eq!(
            etag(&rig, &url("a")).await.as_deref(),
            Some("new"),
            "{from}"
        );
        assert_eq!(
            found(&rig, &url("a")).await.generation.to_u64(),
            id.get(),
            "{from}"
        );
        rig.forget_l0(&url("a")).await;
    }
}

#[tokio::test]
async fn a_confirmation_ends_a_soft_purge() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    assert!(
        rig.storage
            .purge_all_variants(&url("a"), true)
            .await
            .unwrap()
    );
    let (old, _) = rig.hit(&url("a")).await;
    let later = crate::rig::now() + std::time::Duration::from_secs(1);
    assert!(!old.is_fresh(later));
    assert!(
        rig.storage
            .update_meta(&url("a"), &confirmed(&old, "new"), &span())
            .await
            .unwrap()
    );
    assert!(rig.hit(&url("a")).await.0.is_fresh(later));
}

#[tokio::test]
async fn with_the_primarys_key_the_variant_that_was_looked_up_is_updated() {
    let rig = Rig::new();
    let variant = variant_of(&url("a"), 1);
    rig.store(&url("a"), b"prim").await;
    rig.store(&variant, b"vari").await;
    let (old, _) = rig.hit(&variant).await;
    assert!(
        rig.storage
            .update_meta(&url("a"), &confirmed(&old, "new"), &span())
            .await
            .unwrap()
    );
    assert_eq!(etag(&rig, &variant).await.as_deref(), Some("new"));
    assert_eq!(
        etag(&rig, &url("a")).await,
        None,
        "the primary slot is another object"
    );
}

#[tokio::test]
async fn another_generation_is_never_touched() {
    let rig = Rig::new();
    rig.store(&url("a"), b"old!").await;
    let (old, _) = rig.hit(&url("a")).await;
    rig.store(&url("a"), b"new!").await;
    let updated = rig
        .storage
        .update_meta(&url("a"), &confirmed(&old, "old"), &span())
        .await;
    assert!(!updated.unwrap());
    assert_eq!(etag(&rig, &url("a")).await, None);
}

#[tokio::test]
async fn what_was_purged_meanwhile_does_not_come_back() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    let (old, _) = rig.hit(&url("a")).await;
    rig.purge(&url("a")).await;
    let updated = rig
        .storage
        .update_meta(&url("a"), &confirmed(&old, "old"), &span())
        .await;
    assert!(
        !updated.unwrap(),
        "and Pingora's MemCache would have panicked"
    );
    assert!(rig.lookup(&url("a")).await.is_none());
}

#[tokio::test]
async fn without_the_extension_the_slot_knows_the_generation() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    let slot = RequestSlot::new();
    let mut key = url("a");
    key.extensions.insert(slot.clone());
    rig.hit(&key).await;
    let new = page_with(Some(4), &[("ETag", "new")]);
    assert!(rig.storage.update_meta(&key, &new, &span()).await.unwrap());
    assert!(slot.outcome().unwrap().refreshed);
    assert_eq!(etag(&rig, &url("a")).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn without_either_nothing_is_touched() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    let new = page_with(Some(4), &[("ETag", "new")]);
    assert!(
        !rig.storage
            .update_meta(&url("a"), &new, &span())
            .await
            .unwrap()
    );
    assert_eq!(etag(&rig, &url("a")).await, None);
}

#[tokio::test]
async fn a_hit_of_another_group_is_not_believed() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    rig.store(&url("b"), b"body").await;
    let (other, _) = rig.hit(&url("b")).await;
    assert!(other.extensions().get::<Found>().is_some());
    let updated = rig
        .storage
        .update_meta(&url("a"), &confirmed(&other, "x"), &span())
        .await;
    assert!(!updated.unwrap());
    assert_eq!(etag(&rig, &url("b")).await, None);
}
