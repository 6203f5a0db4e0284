//! What a hit costs, compared with a bare look into the cache underneath.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use quick_cache::sync::Cache;
use terrace_core::Tier;
use terrace_memory::MemoryTier;
use terrace_testkit::sample::{Object, key};

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hit");
    for kib in [1, 64] {
        let object = Object::new(kib << 10, 1);
        let key = key(1);

        let bare: Cache<_, Bytes> = Cache::new(1000);
        bare.insert(key, object.body.clone());
        group.bench_function(BenchmarkId::new("quick_cache", kib), |bench| {
            bench.iter(|| bare.get(black_box(&key)).unwrap());
        });

        let tier = MemoryTier::new(64 << 20);
        let stored = object.store(&tier, &key).now_or_never();
        let _published = stored.unwrap().unwrap();
        group.bench_function(BenchmarkId::new("memory_tier", kib), |bench| {
            bench.iter(|| {
                tier.lookup(black_box(&key))
                    .now_or_never()
                    .unwrap()
                    .unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lookup);
criterion_main!(benches);
