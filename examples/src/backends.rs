//! The backends: for each its options, how they are checked, and how it is opened.
//!
//! An option `--redis-url` is `TERRACE_REDIS_URL` among the variables and `url` of `[redis]` in the file, or, as one calls it
//! in a message, `redis.url`.

#[cfg(feature = "buckets")]
mod bucket;
#[cfg(feature = "ceph")]
mod ceph;
#[cfg(feature = "cockroach")]
mod cockroach;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "local")]
mod local;
#[cfg(any(feature = "buckets", feature = "dynamodb"))]
mod login;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "minio")]
mod minio;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "remote")]
mod setting;

#[cfg(feature = "ceph")]
pub use ceph::CephArgs;
#[cfg(feature = "cockroach")]
pub use cockroach::CockroachArgs;
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamodbArgs;
#[cfg(feature = "local")]
pub use local::{LocalArgs, Survives};
#[cfg(feature = "memcached")]
pub use memcached::MemcachedArgs;
#[cfg(feature = "minio")]
pub use minio::MinioArgs;
#[cfg(feature = "redis")]
pub use redis::RedisArgs;
#[cfg(feature = "s3")]
pub use s3::S3Args;
