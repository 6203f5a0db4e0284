//! Index stores: a record with a body in it, as small objects are kept.

use std::env;
use std::path::Path;
use std::sync::Arc;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::{Cas, IndexStore, Key, MAX_MANIFEST_BYTES, SystemClock};
use terrace_redis::{RedisConfig, RedisIndex};
use terrace_sqlite::{SqliteConfig, SqliteIndex};
use terrace_testkit::sample::record;
use terrace_tiers::TokioRuntime;
use tokio::time::Instant;

use crate::Outcome;
use crate::read;
use crate::subject::{Fetch, Subject, fetch};
use crate::tiers::redis_get;

pub(crate) async fn redis(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let Ok(url) = env::var("TERRACE_TEST_REDIS_URL") else {
        return Ok(Vec::new());
    };
    let index = Arc::new(RedisIndex::new(&RedisConfig::single(&url))?);
    let mut subjects = Vec::new();
    for bytes in that_fit(sizes) {
        subjects.push(Subject {
            backend: "RedisIndex",
            peer: "`GET` by redis-rs",
            bytes,
            ours: stored(&index, bytes).await?,
            raw: redis_get(&url, bytes).await?,
        });
    }
    Ok(subjects)
}

pub(crate) async fn sqlite(sizes: &[usize], folder: &Path) -> Outcome<Vec<Subject>> {
    let path = folder.join("bench-index.db");
    let runtime = Arc::new(TokioRuntime::current());
    let config = SqliteConfig::default();
    let readers = u32::try_from(config.readers)?;
    let index = SqliteIndex::open(&path, runtime, Arc::new(SystemClock), config).await?;
    let index = Arc::new(index);
    let pool = SqlitePoolOptions::new()
        .max_connections(readers)
        .test_before_acquire(false)
        .connect(&format!("sqlite://{}", path.display()))
        .await?;
    let mut subjects = Vec::new();
    for bytes in that_fit(sizes) {
        let ours = stored(&index, bytes).await?;
        let pool = pool.clone();
        let raw = fetch(move || {
            let (pool, key) = (pool.clone(), key_of(bytes).primary());
            async move {
                let begun = Instant::now();
                let select = sqlx::query_scalar("SELECT manifest FROM manifests WHERE key = ?1");
                let select = select.bind(key.as_bytes().to_vec());
                let body: Vec<u8> = select.fetch_one(&pool).await?;
                Ok(read::whole(begun, body.len()))
            }
        });
        subjects.push(Subject {
            backend: "SqliteIndex",
            peer: "`SELECT` by sqlx",
            bytes,
            ours,
            raw,
        });
    }
    Ok(subjects)
}

pub(crate) async fn postgres(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let Ok(url) = env::var("TERRACE_TEST_POSTGRES_URL") else {
        return Ok(Vec::new());
    };
    let index = Arc::new(crdb(&url, "bench").await?);
    let mut subjects = Vec::new();
    for bytes in that_fit(sizes) {
        subjects.push(Subject {
            backend: "CrdbIndex",
            peer: "`SELECT` by sqlx",
            bytes,
            ours: stored(&index, bytes).await?,
            raw: select(&url, bytes).await?,
        });
    }
    Ok(subjects)
}

pub(crate) async fn crdb(url: &str, table: &str) -> Outcome<CrdbIndex> {
    let mut config = CrdbConfig::new(url);
    table.clone_into(&mut config.table);
    let runtime = Arc::new(TokioRuntime::current());
    Ok(CrdbIndex::connect(config, runtime, Arc::new(SystemClock)).await?)
}

/// A record of `bytes`, and how sqlx alone reads it: by as many connections, none of them asked whether it is there.
pub(crate) async fn select(url: &str, bytes: usize) -> Outcome<Fetch> {
    stored(&Arc::new(crdb(url, "bench").await?), bytes).await?;
    let connections = u32::try_from(CrdbConfig::new(url).max_connections)?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .connect(url)
        .await?;
    Ok(fetch(move || {
        let (pool, key) = (pool.clone(), key_of(bytes).primary());
        async move {
            let begun = Instant::now();
            let select = sqlx::query_scalar("SELECT manifest FROM bench WHERE key = $1");
            let select = select.bind(key.as_bytes().to_vec());
            let body: Vec<u8> = select.fetch_one(&pool).await?;
            Ok(read::whole(begun, body.len()))
        }
    }))
}

pub(crate) fn key_of(bytes: usize) -> Key {
    Key::named(format!("bench {bytes}"))
}

/// A record of `bytes` in `index`, and how it is read.
pub(crate) async fn stored<I: IndexStore>(index: &Arc<I>, bytes: usize) -> Outcome<Fetch> {
    let key = key_of(bytes);
    if let Some(earlier) = index.get(&key).await? {
        let _: Cas = index.delete(&key, earlier.version).await?;
    }
    let _: Cas = index.put_new(&key, &record(bytes, bytes as u64)).await?;
    let index = Arc::clone(index);
    Ok(fetch(move || {
        let index = Arc::clone(&index);
        async move {
            let begun = Instant::now();
            let record = index.get(&key).await?.ok_or("no record")?;
            Ok(read::whole(begun, record.manifest.len()))
        }
    }))
}

/// Larger bodies are not kept in an index.
pub(crate) fn that_fit(sizes: &[usize]) -> impl Iterator<Item = usize> {
    sizes
        .iter()
        .copied()
        .filter(|bytes| *bytes <= MAX_MANIFEST_BYTES)
}
