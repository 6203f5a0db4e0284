//! MinIO for [Terrace](https://docs.rs/terrace): bodies in a bucket.
//!
//! | you want | read |
//! |---|---|
//! | a blob store | [`MinioBlob`] |
//! | to say which bucket, and as whom | [`MinioConfig`], [`Credentials`] |
//! | to tune uploads, timeouts and retries | [`BucketOptions`] |
//! | to know what the endpoint can do | [`Capabilities`] |
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn open(runtime: Arc<dyn terrace_core::Runtime>) -> terrace_core::Result<()> {
//! use terrace_minio::{Credentials, MinioBlob, MinioConfig};
//!
//! let keys = Credentials::keys("access key", "secret key");
//! let config = MinioConfig::new("https://minio.internal:9000", "bodies", keys);
//! let bodies = MinioBlob::connect(config, runtime).await?;
//! # let _: &dyn terrace_core::BlobStore = &bodies;
//! # Ok(()) }
//! ```

mod config;
mod store;

pub use config::MinioConfig;
pub use store::MinioBlob;
pub use terrace_object_store::s3::{
    BucketOptions, Capabilities, Condition, Credentials, UploadList,
};
pub use terrace_object_store::{Layout, ObjectBlobConfig};
