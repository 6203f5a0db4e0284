//! Whole durable tiers: the record, then the body, which is verified. The client gets the bytes alone, from where they are.

use std::path::Path;
use std::sync::Arc;

use terrace_core::SystemClock;
use terrace_durable::DurableTier;
use terrace_object_store::object_store::ObjectStore;
use terrace_object_store::object_store::local::LocalFileSystem;
use terrace_sqlite::{SqliteConfig, SqliteIndex};
use terrace_tiers::TokioRuntime;

use crate::Outcome;
use crate::blobs;
use crate::subject::Subject;
use crate::tiers::stored;

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
            backend: "durable: files, SqliteIndex",
            peer: "object_store",
            bytes,
            ours: stored(&tier, bytes).await?,
            raw: blobs::put(&client, bytes).await?,
        });
    }
    Ok(subjects)
}
