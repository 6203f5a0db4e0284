//! What a hit in memory asks of the allocator.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use pingora_cache::{CacheKey, CacheMeta};
use pingora_http::ResponseHeader;
use terrace_core::NoTier;
use terrace_memory::MemoryTier;
use terrace_pingora::{RequestSlot, TerraceStorage};
use terrace_tiers::{MultiTier, TokioRuntime};

static STORAGE: TerraceStorage = TerraceStorage::new();

/// The fields of an ordinary page.
const FIELDS: [(&str, &str); 8] = [
    ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "5"),
    ("Cache-Control", "public, max-age=600"),
    ("ETag", "\"5f3c-5e1a7c8b\""),
    ("Vary", "Accept-Encoding"),
    ("Server", "origin/1.0"),
    ("X-Request-Id", "0b9c1d1c-52c8-4d0a-8e1e-1f6f6b1f9a2d"),
];

fn page() -> CacheMeta {
    let mut header = ResponseHeader::build(200, None).unwrap();
    for (name, value) in FIELDS {
        header.append_header(name, value).unwrap();
    }
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    // Fresh until long after anybody runs this.
    let fresh_until = SystemTime::UNIX_EPOCH + Duration::from_hours(2_500_000);
    CacheMeta::new(fresh_until, created, 0, 0, header)
}

fn key(slot: Option<RequestSlot>) -> CacheKey {
    let mut key = CacheKey::new("https://example.com/", "");
    if let Some(slot) = slot {
        key.extensions.insert(slot);
    }
    key
}

/// A lookup and the whole body; memory never waits.
fn hit(key: &CacheKey) {
    let span = Span::inactive().handle();
    let looked = STORAGE.lookup(key, &span).now_or_never().unwrap();
    let (meta, mut body) = looked.unwrap().unwrap();
    assert_eq!(meta.headers().len(), FIELDS.len());
    let piece = body.read_body().now_or_never().unwrap();
    assert_eq!(piece.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn a_hit_in_memory_allocates_little_and_keeps_nothing() {
    let tiers = MultiTier::builder(NoTier)
        .l0(MemoryTier::new(16 << 20))
        .runtime(Arc::new(TokioRuntime::current()))
        .build()
        .unwrap();
    STORAGE.install(tiers.stack().clone()).unwrap();
    let span = Span::inactive().handle();
    let fill = STORAGE.get_miss_handler(&key(None), &page(), &span).await;
    let mut fill = fill.unwrap();
    fill.write_body("hello".into(), true).await.unwrap();
    fill.finish().await.unwrap();

    // What the request carries is its own; what the storage adds to it is counted.
    for (slot, most) in [(None, 12), (Some(RequestSlot::new()), 12)] {
        let key = key(slot);
        hit(&key);
        let used = allocation_counter::measure(|| hit(&key));
        println!(
            "{} allocations, {} bytes",
            used.count_total, used.bytes_total
        );
        assert!(used.count_total <= most, "{} allocations", used.count_total);
        assert!(used.bytes_total <= 8192, "{} bytes", used.bytes_total);
        assert_eq!(used.bytes_current, 0);
    }
}
