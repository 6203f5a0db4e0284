use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Error, ErrorKind, Result, Runtime,
};

use crate::s3::capabilities::Capabilities;
use crate::s3::config::BucketConfig;
use crate::s3::http::{self, Connector};
use crate::s3::probe::Probe;
use crate::s3::sweep::Sweep;
use crate::s3::wire::Wire;
use crate::store::ObjectBlob;

/// Bodies in a bucket.
///
/// Each is an object of its own, `<prefix>/<key>/<generation>`, and is never changed. A body of one part is written by one
/// request, a larger one in parts; what a dropped writer had uploaded is aborted at once, and what a killed process had
/// uploaded, by a [sweep](Self::sweep) at the next start.
pub struct Bucket {
    bodies: ObjectBlob,
    wire: Wire,
    config: BucketConfig,
    prefix: Path,
    capabilities: Capabilities,
    swept: u64,
}

impl Bucket {
    /// Connects, finds out what the endpoint can do, and sweeps. Some twenty small requests; what they write under
    /// `<prefix>/.probe` is deleted again.
    ///
    /// Errors say what to do: `Invalid` for a configuration that makes no sense, a missing bucket or another region; `Denied`
    /// for keys that are wrong or may not do enough, and for a clock that is wrong; `Unavailable` and `Timeout` if nobody
    /// answers, within [`retry_timeout`](super::BucketOptions::retry_timeout) or so; `Unsupported` for what cannot keep
    /// bodies. A sweep that fails is no error, but logged.
    pub async fn connect(config: BucketConfig, runtime: Arc<dyn Runtime>) -> Result<Self> {
        let prefix = config.check()?;
        let http = http::client(&config)?;
        let store = store(&config, Connector(http.clone()))?;
        let wire = Wire {
            service: config.service,
            http,
            credentials: Arc::clone(store.credentials()),
            region: config.region.clone(),
            bucket_url: config.bucket_url()?,
            runtime: Arc::clone(&runtime),
        };
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let bodies = ObjectBlob::new(store, runtime, &config.options.bodies)?;
        let capabilities = Probe::new(&wire, &prefix)
            .run(config.options.create_bucket)
            .await?;
        tracing::info!(
            service = config.service,
            bucket = config.bucket,
            ?capabilities,
            "bodies can be kept there"
        );
        let mut bucket = Self {
            bodies,
            wire,
            config,
            prefix,
            capabilities,
            swept: 0,
        };
        match bucket.sweep().await {
            Ok(swept) => bucket.swept = swept,
            Err(error) => tracing::warn!(%error, "unfinished uploads were not swept"),
        }
        Ok(bucket)
    }

    /// What the endpoint could do at start.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How many unfinished uploads the start aborted.
    pub fn swept(&self) -> u64 {
        self.swept
    }

    /// Aborts unfinished uploads of bodies that are older than [`stale_after`](super::BucketOptions::stale_after), and says
    /// how many they were. Foreign ones are left alone. Nothing happens where [uploads](Capabilities::uploads) cannot be
    /// found.
    ///
    /// May be repeated at any time, and dropped: then some are aborted.
    pub async fn sweep(&self) -> Result<u64> {
        self.sweeper().run(self.capabilities.uploads).await
    }

    /// How many uploads of bodies are unfinished, under way ones included; 0 where they cannot be found.
    pub async fn unfinished(&self) -> Result<u64> {
        self.sweeper().count(self.capabilities.uploads).await
    }

    fn sweeper(&self) -> Sweep<'_> {
        Sweep {
            wire: &self.wire,
            prefix: &self.prefix,
            layout: self.config.options.bodies.layout,
            stale_after: self.config.options.stale_after,
        }
    }
}

fn store(config: &BucketConfig, connector: Connector) -> Result<AmazonS3> {
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_endpoint(config.bucket_url()?)
        // The endpoint has the bucket in it, in whichever way.
        .with_virtual_hosted_style_request(true)
        .with_allow_http(true)
        .with_retry(config.retry())
        // Bodies are deleted one by one, and not every store knows the other call.
        .with_disable_bulk_delete(true)
        .with_http_connector(connector);
    let store = config.credentials.give_to(builder).build();
    store.map_err(|error| {
        let message = "the configuration cannot be used; see the cause";
        Error::new(ErrorKind::Invalid, "s3.config", message).with_source(error)
    })
}

#[async_trait]
impl BlobStore for Bucket {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        self.bodies.get(name, range).await
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        self.bodies.head(name).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        self.bodies.put(name).await
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        self.bodies.delete(name).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        self.bodies.list()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("config", &self.config)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
