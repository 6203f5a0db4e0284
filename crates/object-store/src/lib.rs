#![cfg_attr(docsrs, feature(doc_cfg))]
//! A [Terrace](https://docs.rs/terrace) blob store over any [`object_store`] backend: local files and
//! memory here; S3, MinIO and Ceph through the adapters that build on this crate.
//!
//! | you want to | read |
//! |---|---|
//! | keep bodies in a directory of this machine | [`ObjectBlob::local`], [`LocalConfig`] |
//! | keep bodies in S3, MinIO or Ceph | the adapters for them; module `s3`, with the feature of that name, is what they share |
//! | keep bodies in another store | [`ObjectBlob::new`], [`ObjectBlobConfig`] |
//!
//! ```
//! # use std::sync::Arc;
//! # use terrace_core::{BlobStore, Result, Runtime};
//! use terrace_object_store::{LocalConfig, ObjectBlob};
//!
//! # async fn open(runtime: Arc<dyn Runtime>) -> Result<()> {
//! let bodies = ObjectBlob::local("/var/cache/terrace/bodies", runtime, LocalConfig::default()).await?;
//! # let _: &dyn BlobStore = &bodies;
//! # Ok(())
//! # }
//! ```
//!
//! # Local files
//!
//! - A body is written beside its place and renamed into it: no reader ever sees a part of one.
//! - With [`LocalConfig::fsync`], which is the default, a finished body survives the loss of power: the
//!   file and its directory are on the disk before `finish` returns. Without it, a manifest can outlive its body.
//! - Bodies are spread over 256 directories by the first two digits of their key, as
//!   `ab/<key>.<generation>`. The directories are made once, at start, and never removed, so nothing can race
//!   with their removal.
//! - What a killed process left half-written is removed at the next start. A second process on the same
//!   directory (Pingora's upgrade runs two for a while) is safe: a lock on `.lock` tells a start whether
//!   somebody else is alive. The file system must support advisory locks.

mod blocking;
mod config;
mod error;
mod layout;
mod local;
mod read;
#[cfg(feature = "s3")]
pub mod s3;
mod store;
mod upload;
mod write;

pub use config::{LocalConfig, ObjectBlobConfig};
pub use layout::Layout;
pub use object_store;
pub use store::ObjectBlob;
