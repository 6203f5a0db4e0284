//! Buckets of stores that speak S3: what the adapters for S3, MinIO and Ceph have in common.
//!
//! S3 is a family of dialects. [`Bucket::connect`] finds out at start what an endpoint can really do, refuses one that cannot
//! keep bodies, with what to do about it, and says the rest in [`Capabilities`]. Nothing here relies on conditions: bodies are
//! written once, under names of their own.
//!
//! Applications use `S3Blob`, `MinioBlob` and `CephBlob`; whoever has another store of the family can use [`Bucket`].

mod answer;
mod bucket;
mod capabilities;
mod config;
mod credentials;
mod diagnosis;
mod http;
mod probe;
mod sweep;
mod uploads;
mod wire;

pub use bucket::Bucket;
pub use capabilities::{Capabilities, Condition, UploadList};
pub use config::{Addressing, BucketConfig, BucketOptions};
pub use credentials::Credentials;

pub(crate) use diagnosis::{of_failure, presentable};
