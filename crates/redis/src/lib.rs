//! Redis, or Valkey, for [Terrace](https://docs.rs/terrace).
//!
//! | you want | read |
//! |---|---|
//! | an index store | [`RedisIndex`], which says what a failover may lose |
//! | a tier that processes share (L1) | [`RedisTier`] |
//! | to reach one server, a primary behind sentinels, or a cluster, with TLS and a user | [`RedisConfig`] |
//! | writes that replicas have when they are acknowledged | [`Replicas`] |
//!
//! ```
//! # fn index() -> terrace_core::Result<()> {
//! use terrace_redis::{RedisConfig, RedisIndex};
//!
//! let config = RedisConfig::single("redis://cache.internal:6379");
//! let index = RedisIndex::new(&config)?;
//! # let _: &dyn terrace_core::IndexStore = &index;
//! # Ok(()) }
//! ```

mod config;
mod error;
mod index;
mod link;
mod names;
mod record;
mod replicas;
mod script;
mod tier;

pub use config::RedisConfig;
pub use index::RedisIndex;
pub use replicas::Replicas;
pub use tier::{RedisTier, RedisTierBuilder};
