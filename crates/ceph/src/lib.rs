//! Ceph for [Terrace](https://docs.rs/terrace): bodies in a bucket.
//!
//! | you want | read |
//! |---|---|
//! | a blob store | [`CephBlob`] |
//! | to say which bucket, and as whom | [`CephConfig`], [`Credentials`] |
//! | to tune uploads, timeouts and retries | [`BucketOptions`] |
//! | to know what the endpoint can do | [`Capabilities`] |
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn open(runtime: Arc<dyn terrace_core::Runtime>) -> terrace_core::Result<()> {
//! use terrace_ceph::{CephBlob, CephConfig, Credentials};
//!
//! let keys = Credentials::keys("access key", "secret key");
//! let config = CephConfig::new("https://rgw.internal:7480", "bodies", keys);
//! let bodies = CephBlob::connect(config, runtime).await?;
//! # let _: &dyn terrace_core::BlobStore = &bodies;
//! # Ok(()) }
//! ```

mod config;
mod store;

pub use config::CephConfig;
pub use store::CephBlob;
pub use terrace_object_store::s3::{
    BucketOptions, Capabilities, Condition, Credentials, UploadList,
};
pub use terrace_object_store::{Layout, ObjectBlobConfig};
