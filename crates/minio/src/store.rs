use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use terrace_core::{BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Result, Runtime};
use terrace_object_store::s3::{Bucket, Capabilities};

use crate::config::MinioConfig;

/// Bodies in a bucket of MinIO.
///
/// MinIO forgets at a restart which uploads are unfinished, and then removes those itself after a day
/// (`stale_uploads_expiry`); until then, they are found and swept. It reads what was written at once.
#[derive(Debug)]
pub struct MinioBlob(Bucket);

impl MinioBlob {
    /// Connects, finds out what the endpoint can do, and aborts unfinished uploads of killed processes. Uploads run on
    /// `runtime`.
    ///
    /// Errors say what to do, as [`Bucket::connect`] tells: about a missing bucket, wrong keys, a wrong clock, an
    /// endpoint where nobody answers or that cannot keep bodies.
    pub async fn connect(config: MinioConfig, runtime: Arc<dyn Runtime>) -> Result<Self> {
        let bucket = Bucket::connect(config.into_bucket(), runtime).await?;
        Ok(Self(bucket))
    }

    /// What the endpoint could do at start.
    pub fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    /// How many unfinished uploads the start aborted.
    pub fn swept(&self) -> u64 {
        self.0.swept()
    }

    /// Aborts unfinished uploads that are older than
    /// [`stale_after`](terrace_object_store::s3::BucketOptions::stale_after), and says how many they were. May be repeated
    /// at any time.
    pub async fn sweep(&self) -> Result<u64> {
        self.0.sweep().await
    }

    /// How many uploads of bodies are unfinished, under way ones included; 0 where they cannot be found.
    pub async fn unfinished(&self) -> Result<u64> {
        self.0.unfinished().await
    }
}

#[async_trait]
impl BlobStore for MinioBlob {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        self.0.get(name, range).await
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        self.0.head(name).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        self.0.put(name).await
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        self.0.delete(name).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        self.0.list()
    }
}
