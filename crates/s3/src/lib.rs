//! Amazon S3, and whatever speaks like it, for [Terrace](https://docs.rs/terrace): bodies in a bucket.
//!
//! | you want | read |
//! |---|---|
//! | a blob store | [`S3Blob`] |
//! | to say which bucket, and as whom | [`S3Config`], [`Credentials`] |
//! | to tune uploads, timeouts and retries | [`BucketOptions`] |
//! | to know what the endpoint can do | [`Capabilities`] |
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn open(runtime: Arc<dyn terrace_core::Runtime>) -> terrace_core::Result<()> {
//! use terrace_s3::{S3Blob, S3Config};
//!
//! let bodies = S3Blob::connect(S3Config::new("bodies").region("eu-central-1"), runtime).await?;
//! # let _: &dyn terrace_core::BlobStore = &bodies;
//! # Ok(()) }
//! ```
//!
//! Stores of other makers work as well as [`Capabilities`] and the conformance suite say of them: name their
//! [`endpoint`](S3Config::endpoint). `MinioBlob` and `CephBlob` have better defaults for those two.

mod config;
mod store;

pub use config::S3Config;
pub use store::S3Blob;
pub use terrace_object_store::s3::{
    BucketOptions, Capabilities, Condition, Credentials, UploadList,
};
pub use terrace_object_store::{Layout, ObjectBlobConfig};
