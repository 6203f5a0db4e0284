//! The durable tier of [Terrace](https://docs.rs/terrace): any [`BlobStore`] under any [`IndexStore`].
//!
//! Bodies are immutable and go to the blob store, each under a name of its own. Everything that changes is
//! one [`Manifest`] per key in the index, and changes by compare-and-swap. Small bodies live in the
//! manifest itself.
//!
//! ```
//! # use std::sync::Arc;
//! # use terrace_core::{BlobStore, IndexStore, Result};
//! use terrace_durable::{DurableConfig, DurableTier};
//!
//! # fn wire(blobs: impl BlobStore, index: impl IndexStore) -> Result<()> {
//! let tier = DurableTier::builder(blobs, index)
//!     .config(DurableConfig {
//!         inline_max: 16 * 1024,
//!         ..DurableConfig::default()
//!     })
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `tier` | [`DurableTier`]: lookups, and the way to the rest |
//! | `slot`, `record`, `fence` | what the index knows of a key, and the fence made of it |
//! | `descent` | whether a commit was refused for another fill or for a purge |
//! | `fill` | writing: inline or to a blob, reserved when it is slow, published by one swap |
//! | `purge`, `edit` | purges, soft purges, metadata updates: one loop around a swap |
//! | `body` | reading: verified while it streams, ranges included |
//! | `gc` | [`DurableTier::collect`]: removes what nobody can reach |
//!
//! # How a purged object stays away (P3)
//!
//! - The [fence](terrace_core::Fence) is the version of the key's record, or that there was none. A purge replaces
//!   the record, also where there was none, and a commit swaps by the version it saw. Versions are
//!   nonces: a record that comes and goes never has an old one again.
//! - A fill replaces the record as well. A commit that was refused for fills of this process alone, of older answers, goes
//!   on under the version they left; whatever else may have been a purge wins.
//! - *There was none* is only as good as the index's memory. So every record written here, of whatever kind, stays for
//!   [`tombstone_ttl`](DurableConfig::tombstone_ttl) at least, and a fill whose fence is older than half of that does
//!   not commit, unless it has left a reservation in time, whose version is then its fence.
//! - A group of variants has a nonce in its primary slot, and every object remembers the one it was filled
//!   under. Purging all variants replaces the nonce in one write; objects with the old one are dead, even those
//!   that are committed afterwards.
//!
//! What this asks of clocks: that those of the nodes and the index differ, and single index calls take, less than half of
//! `tombstone_ttl` together.
//!
//! # How a hit stays whole (P1, P2)
//!
//! A blob is complete before a manifest names it, and it is deleted only when none does. Bytes are verified
//! against the manifest's checksums before they are handed out; a range is verified on its own. A body
//! that is missing, short or corrupt ends with an error, never early. The caller should then purge
//! that generation ([`Target::Generation`](terrace_core::Target::Generation)), and the next fill replaces it.
//!
//! # What is left behind
//!
//! A process that dies leaves at most a blob no manifest names, and a reservation that expires; an object that is
//! replaced or purged leaves its blob, so that those who read it can go on. [`collect`](DurableTier::collect)
//! removes the blobs: run it regularly. The index forgets the rest by itself.
//!
//! [`BlobStore`]: terrace_core::BlobStore
//! [`IndexStore`]: terrace_core::IndexStore
//! [`Manifest`]: terrace_core::Manifest

mod body;
mod config;
mod descent;
mod edit;
mod fence;
mod fill;
mod gc;
mod held;
mod purge;
mod record;
mod shared;
mod slot;
mod tier;

pub use config::DurableConfig;
pub use gc::{GcOptions, GcReport};
pub use tier::{DurableTier, DurableTierBuilder};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
