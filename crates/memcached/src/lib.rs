//! Memcached for [Terrace](https://docs.rs/terrace).
//!
//! | you want | read |
//! |---|---|
//! | a tier that processes share (L1) | [`MemcachedTier`], which says what holds when servers restart, evict, die or change |
//! | to reach one server, or several | [`MemcachedConfig`] |
//!
//! ```
//! # fn tier(runtime: std::sync::Arc<dyn terrace_core::Runtime>) -> terrace_core::Result<()> {
//! use terrace_memcached::{MemcachedConfig, MemcachedTier};
//!
//! let config = MemcachedConfig::new(["cache-1.internal:11211", "cache-2.internal:11211"]);
//! let l1 = MemcachedTier::builder(config, runtime).build()?;
//! # let _: &dyn terrace_core::Tier = &l1;
//! # Ok(()) }
//! ```

mod config;
mod error;
mod link;
mod membership;
mod protocol;
mod servers;
mod tier;

pub use config::MemcachedConfig;
pub use tier::{MemcachedTier, MemcachedTierBuilder};
