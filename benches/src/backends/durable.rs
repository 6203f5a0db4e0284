//! Whole durable tiers: the record, then the body, which is verified. The client gets the bytes alone, from where they are.

use std::env;
use std::path::Path;
use std::sync::Arc;

use terrace_core::SystemClock;
use terrace_durable::{DurableConfig, DurableTier};
use terrace_object_store::object_store::ObjectStore;
use terrace_object_store::object_store::local::LocalFileSystem;
use terrace_sqlite::{SqliteConfig, SqliteIndex};
use terrace_tiers::TokioRuntime;

use crate::Outcome;
use crate::blobs::{self, Endpoint};
use crate::indexes;
use crate::subject::Subject;
use crate::tiers::stored;

pub(crate) const FILES: &str = "durable: files, SqliteIndex";
pub(crate) const BUCKET: &str = "durable: MinIO, CrdbIndex";

pub(crate) async fn files_and_sqlite(sizes: &[usize], folder: &Path) -> Outcome<Vec<Subject>> {
    let folder = folder.join("durable");
    let bodies = blobs::local(&folder).await?;
    let runtime = Arc::new(TokioRuntime::current());
    let path = folder.join("index.db");
    let (clock, config) = (Arc::new(SystemClock), SqliteConfig::default());
    let index = SqliteIndex::open(path, runtime, clock, config).await?;
    let tier = Arc::new(DurableTier::builder(bodies, index).build()?);
    let client: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(&folder)?);
    let mut subjects = Vec::new();
    for &bytes in sizes {
        subjects.push(Subject {
            backend: FILES,
            peer: "object_store",
            bytes,
            ours: stored(&tier, bytes).await?,
            raw: blobs::put(&client, bytes).await?,
        });
    }
    Ok(subjects)
}

/// A body that is kept in the record is beside a record of that length.
pub(crate) async fn minio_and_postgres(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let (Some(endpoint), Ok(url)) = (
        Endpoint::named("MINIO"),
        env::var("TERRACE_TEST_POSTGRES_URL"),
    ) else {
        return Ok(Vec::new());
    };
    let config = DurableConfig::default();
    let inline_max = config.inline_max;
    let index = indexes::crdb(&url, "bench_durable").await?;
    let tier = DurableTier::builder(endpoint.connect().await?, index).config(config);
    let tier = Arc::new(tier.build()?);
    let client = endpoint.client()?;
    let mut subjects = Vec::new();
    for &bytes in sizes {
        let (peer, raw) = if bytes <= inline_max {
            ("`SELECT` by sqlx", indexes::select(&url, bytes).await?)
        } else {
            ("object_store", blobs::put(&client, bytes).await?)
        };
        subjects.push(Subject {
            backend: BUCKET,
            peer,
            bytes,
            ours: stored(&tier, bytes).await?,
            raw,
        });
    }
    Ok(subjects)
}
