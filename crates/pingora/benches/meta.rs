//! What a hit in memory pays for its metadata: a full deserialize against the parsed form.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, criterion_group, criterion_main};
use pingora_cache::CacheMeta;
use pingora_http::ResponseHeader;
use terrace_pingora::{decode_meta, encode_meta};

/// The fields of an ordinary page.
const FIELDS: [(&str, &str); 12] = [
    ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "48213"),
    (
        "Cache-Control",
        "public, max-age=600, stale-while-revalidate=60",
    ),
    ("ETag", "\"5f3c-5e1a7c8b\""),
    ("Last-Modified", "Sun, 31 Dec 2023 12:00:00 GMT"),
    ("Vary", "Accept-Encoding"),
    ("Content-Encoding", "gzip"),
    ("Server", "origin/1.0"),
    (
        "Strict-Transport-Security",
        "max-age=63072000; includeSubDomains",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Request-Id", "0b9c1d1c-52c8-4d0a-8e1e-1f6f6b1f9a2d"),
];

fn page() -> CacheMeta {
    let mut header = ResponseHeader::build(200, Some(FIELDS.len())).expect("200 is a status");
    for (name, value) in FIELDS {
        header
            .append_header(name, value)
            .expect("the fields are valid");
    }
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    CacheMeta::new(created + Duration::from_mins(10), created, 60, 0, header)
}

fn hits(criterion: &mut Criterion) {
    let meta = encode_meta(&page()).expect("an ordinary page can be stored");
    let mut group = criterion.benchmark_group("meta");
    group.bench_function("full_deserialize", |bencher| {
        bencher.iter(|| CacheMeta::deserialize(black_box(&meta.internal), black_box(&meta.header)));
    });
    group.bench_function("decode_with_parsed_header", |bencher| {
        bencher.iter(|| decode_meta(black_box(&meta), None));
    });
    group.bench_function("encode_and_check", |bencher| {
        let page = page();
        bencher.iter(|| encode_meta(black_box(&page)));
    });
    group.finish();
}

criterion_group!(benches, hits);
criterion_main!(benches);
