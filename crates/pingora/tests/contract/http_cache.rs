//! The same through `HttpCache`, Pingora's own state machine.

use std::time::Duration;

use pingora_cache::lock::CacheLock;
use pingora_cache::{CacheKey, CacheMeta, HitStatus, HttpCache};
use terrace_pingora::{Found, RequestSlot};

use crate::rig::{Rig, now, page, page_with, read_all, url, variant_of};

fn request(rig: &Rig, key: CacheKey) -> HttpCache {
    let mut cache = HttpCache::new();
    cache.enable(rig.storage, None, None, None, None);
    cache.set_cache_key(key);
    cache
}

fn stale_page(len: usize) -> CacheMeta {
    let header = page(Some(len)).response_header_copy();
    CacheMeta::new(now() - Duration::from_secs(1), now(), 60, 60, header)
}

async fn miss(rig: &Rig, key: CacheKey, meta: CacheMeta, body: &'static [u8]) -> Vec<u8> {
    let mut cache = request(rig, key);
    assert!(cache.cache_lookup().await.unwrap().is_none());
    cache.cache_miss();
    respond(&mut cache, meta, body).await
}

/// A 200 from upstream; what the client gets of it.
async fn respond(cache: &mut HttpCache, meta: CacheMeta, body: &'static [u8]) -> Vec<u8> {
    cache.set_cache_meta(meta);
    cache.set_miss_handler().await.unwrap();
    cache
        .miss_handler()
        .unwrap()
        .write_body(body.into(), true)
        .await
        .unwrap();
    cache.finish_miss_handler().await.unwrap();
    let served = read_all(cache.miss_body_reader().expect("partial writes stream"))
        .await
        .unwrap();
    cache.finish_hit_handler().await.unwrap();
    served
}

#[tokio::test]
async fn miss_then_hit() {
    let rig = Rig::new();
    assert_eq!(miss(&rig, url("a"), page(Some(4)), b"body").await, b"body");
    let mut cache = request(&rig, url("a"));
    let (meta, handler) = cache.cache_lookup().await.unwrap().expect("it was stored");
    cache.cache_found(meta, handler, HitStatus::Fresh);
    assert_eq!(read_all(cache.hit_handler()).await.unwrap(), b"body");
    cache.finish_hit_handler().await.unwrap();
}

#[tokio::test]
async fn a_304_refreshes_the_generation_that_was_looked_up() {
    let rig = Rig::new();
    miss(&rig, url("a"), stale_page(4), b"body").await;
    let slot = RequestSlot::new();
    let mut key = url("a");
    key.extensions.insert(slot.clone());
    let mut cache = request(&rig, key);
    let (meta, handler) = cache.cache_lookup().await.unwrap().unwrap();
    let before = *meta.extensions().get::<Found>().unwrap();
    cache.cache_found(meta, handler, HitStatus::Expired);

    let new = page_with(Some(4), &[("ETag", "new")]);
    assert!(cache.revalidate_cache_meta(new).await.unwrap());
    assert_eq!(read_all(cache.hit_handler()).await.unwrap(), b"body");
    cache.finish_hit_handler().await.unwrap();
    assert!(slot.outcome().unwrap().refreshed);

    let (meta, _) = rig.hit(&url("a")).await;
    assert!(meta.is_fresh(now()));
    assert_eq!(meta.headers()["etag"], "new");
    assert_eq!(
        meta.extensions().get::<Found>().unwrap().generation,
        before.generation
    );
}

#[tokio::test]
async fn a_200_instead_replaces_the_stale_object() {
    let rig = Rig::new();
    miss(&rig, url("a"), stale_page(3), b"old").await;
    let mut key = url("a");
    key.extensions.insert(RequestSlot::new());
    let mut cache = request(&rig, key);
    let (meta, handler) = cache.cache_lookup().await.unwrap().unwrap();
    cache.cache_found(meta, handler, HitStatus::Expired);
    assert_eq!(respond(&mut cache, page(Some(3)), b"new").await, b"new");
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"new");
}

#[tokio::test]
async fn a_304_for_a_variant_refreshes_the_variant() {
    let rig = Rig::new();
    let mut primary = stale_page(4);
    primary.set_variance_key([1; 16]);
    rig.store_as(&url("a"), &primary, b"prim").await;
    let mut other = stale_page(4);
    other.set_variance_key([2; 16]);
    rig.store_as(&variant_of(&url("a"), 2), &other, b"vari")
        .await;

    let mut cache = request(&rig, url("a"));
    let (meta, _) = cache.cache_lookup().await.unwrap().unwrap();
    assert!(
        !cache.cache_vary_lookup([2; 16], &meta),
        "the primary slot holds another variant"
    );
    let (meta, handler) = cache
        .cache_lookup()
        .await
        .unwrap()
        .expect("the variant is newer");
    cache.cache_found(meta, handler, HitStatus::Expired);
    let mut new = page_with(Some(4), &[("ETag", "new")]);
    new.set_variance_key([2; 16]);
    assert!(cache.revalidate_cache_meta(new).await.unwrap());
    assert_eq!(read_all(cache.hit_handler()).await.unwrap(), b"vari");

    let (meta, _) = rig.hit(&variant_of(&url("a"), 2)).await;
    assert_eq!(meta.headers()["etag"], "new");
    let (meta, _) = rig.hit(&url("a")).await;
    assert!(!meta.headers().contains_key("etag"));
}

#[tokio::test]
async fn purge_and_expire_answer_found_and_not_found() {
    let rig = Rig::new();
    miss(&rig, url("a"), page(Some(4)), b"body").await;
    assert!(request(&rig, url("a")).expire().await.unwrap());
    assert!(request(&rig, url("a")).purge().await.unwrap());
    assert!(!request(&rig, url("a")).purge().await.unwrap());
    assert!(!request(&rig, url("a")).expire().await.unwrap());
}

#[tokio::test]
async fn who_waits_for_the_lock_reads_along() {
    let rig = Rig::new();
    let lock: &'static CacheLock = Box::leak(CacheLock::new_boxed(Duration::from_mins(1)));
    let locked = |key| {
        let mut cache = HttpCache::new();
        cache.enable(rig.storage, None, None, Some(lock), None);
        cache.set_cache_key(key);
        cache
    };
    let (mut first, mut second) = (locked(url("a")), locked(url("a")));
    assert!(first.cache_lookup().await.unwrap().is_none());
    assert!(second.cache_lookup().await.unwrap().is_none());
    assert!(first.is_cache_lock_writer() && second.is_cache_locked());

    first.cache_miss();
    first.set_cache_meta(page(None));
    first.set_miss_handler().await.unwrap();
    // The headers are here, and the lock is free; the body is yet to come.
    second.cache_lock_wait().await;
    let (meta, handler) = second.cache_lookup().await.unwrap().expect("in progress");
    assert_eq!(
        meta.extensions().get::<Found>().unwrap().source.as_str(),
        "filling"
    );
    second.cache_found(meta, handler, HitStatus::Fresh);

    let fill = first.miss_handler().unwrap();
    fill.write_body((&b"body"[..]).into(), true).await.unwrap();
    first.finish_miss_handler().await.unwrap();
    assert_eq!(read_all(second.hit_handler()).await.unwrap(), b"body");
    assert_eq!(
        read_all(first.miss_body_reader().unwrap()).await.unwrap(),
        b"body"
    );
}
