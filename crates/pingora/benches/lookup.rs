//! A hit in memory through the bridge, against Pingora's own `MemCache` and a bare look into the cache
//! underneath: the lookup and the first piece of the body.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use pingora_cache::{CacheKey, CacheMeta, MemCache};
use pingora_http::ResponseHeader;
use quick_cache::sync::Cache;
use terrace_core::NoTier;
use terrace_memory::MemoryTier;
use terrace_pingora::TerraceStorage;
use terrace_tiers::{MultiTier, TokioRuntime};
use tokio::runtime::Runtime;

fn page(len: usize) -> CacheMeta {
    let mut header = ResponseHeader::build(200, Some(8)).expect("200 is a status");
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", &len.to_string()),
        ("Cache-Control", "public, max-age=600"),
        ("ETag", "\"5f3c-5e1a7c8b\""),
        ("Last-Modified", "Sun, 31 Dec 2023 12:00:00 GMT"),
        ("Server", "origin/1.0"),
    ] {
        header
            .append_header(name.to_owned(), value)
            .expect("the fields are valid");
    }
    // Fresh until long after anybody runs this.
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let fresh_until = SystemTime::UNIX_EPOCH + Duration::from_hours(2_500_000);
    CacheMeta::new(fresh_until, created, 0, 0, header)
}

async fn fill(storage: &'static (dyn Storage + Sync), key: &CacheKey, body: &Bytes) {
    let span = Span::inactive().handle();
    let meta = page(body.len());
    let handler = storage.get_miss_handler(key, &meta, &span).await;
    let mut handler = handler.expect("the storage takes it");
    let written = handler.write_body(body.clone(), true).await;
    written.expect("the storage takes the body");
    handler.finish().await.expect("the storage keeps it");
}

async fn hit(storage: &'static (dyn Storage + Sync), key: &CacheKey) -> Bytes {
    let span = Span::inactive().handle();
    let looked = storage.lookup(key, &span).await.expect("lookups work");
    let (meta, mut body) = looked.expect("it was stored");
    black_box(meta);
    let piece = body.read_body().await.expect("bodies can be read");
    piece.expect("the body is not empty")
}

fn lookups(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let tiers = MultiTier::builder(NoTier)
        .l0(MemoryTier::new(256 << 20))
        .runtime(Arc::new(TokioRuntime::new(runtime.handle().clone())))
        .build()
        .expect("the tiers fit together");
    let terrace: &'static TerraceStorage = Box::leak(Box::default());
    terrace
        .install(tiers.stack().clone())
        .expect("nothing is installed yet");
    let mem_cache: &'static MemCache = Box::leak(Box::new(MemCache::new()));

    let mut group = criterion.benchmark_group("hit");
    for kib in [1_usize, 64, 1024] {
        let body = Bytes::from(vec![7; kib << 10]);
        let key = CacheKey::new(format!("https://example.com/{kib}"), "");
        group.throughput(Throughput::Elements(1));

        let bare: Cache<usize, Bytes> = Cache::new(10);
        bare.insert(kib, body.clone());
        group.bench_function(BenchmarkId::new("quick_cache", kib), |bench| {
            bench.iter(|| bare.get(black_box(&kib)));
        });
        for (name, storage) in [
            ("terrace", terrace as &'static (dyn Storage + Sync)),
            ("mem_cache", mem_cache),
        ] {
            runtime.block_on(fill(storage, &key, &body));
            group.bench_function(BenchmarkId::new(name, kib), |bench| {
                bench
                    .to_async(&runtime)
                    .iter(|| hit(storage, black_box(&key)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
