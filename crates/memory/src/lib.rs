//! The in-process parts of [Terrace](https://docs.rs/terrace): the fastest tier, and reference stores.
//!
//! | type | is |
//! |---|---|
//! | [`MemoryTier`] | L0: the tier every request asks first |
//! | [`InMemoryIndexStore`] | the reference model of an index store |
//! | [`InMemoryBlobStore`] | the reference model of a blob store |
//!
//! The reference stores are a lock around a map: simple enough to be right at a glance. Tests
//! compare real backends with them, and a development set-up can run on them. They lose everything with the process.

mod blob;
mod index;
mod tier;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use blob::InMemoryBlobStore;
pub use index::InMemoryIndexStore;
pub use tier::{MemoryTier, MemoryTierBuilder};
