//! The traits and the data of [Terrace](https://docs.rs/terrace), multi-tier cache storage for
//! Pingora proxies.
//!
//! This crate does no I/O and knows neither Pingora nor a runtime. **The documentation of its traits is
//! the specification**: each method says its effect, what is atomic, what happens when its future is
//! dropped, its errors, and whether it may be repeated. Every adapter is held to that text by
//! the conformance suites in `terrace-testkit`.
//!
//! | you want to | read |
//! |---|---|
//! | write a tier (memory, a shared cache, a disk) | [`Tier`], [`Fill`], [`Fence`], [`EpochTable`] |
//! | store bodies somewhere | [`BlobStore`] |
//! | store manifests somewhere | [`IndexStore`], [`Manifest`] |
//! | understand what an object is | [`Key`], [`Generation`], [`Meta`], [`Body`] |
//! | run deterministically | [`Clock`], [`Random`], [`Runtime`] |
//!
//! # Invariants
//!
//! - A [`Generation`] names one immutable body. Metadata may change under it, bytes never do.
//! - Everything published was committed explicitly; dropping is always an abort.
//! - A [`Fence`] is taken *before* the source is read and handed back on commit; that order is
//!   what keeps a purged object from coming back.

mod blob;
mod body;
mod checksum;
mod epochs;
mod error;
mod fence;
mod generation;
mod hex;
mod index;
mod key;
mod level;
mod manifest;
mod meta;
mod peek;
mod ports;
mod tier;
mod time;
mod verified;

pub use blob::{BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, InvalidBlobName};
pub use body::{Body, ReadBody};
pub use checksum::{BlockChecksums, ChecksumBuilder, MAX_BLOCKS, MIN_BLOCK_SIZE, Verifier, crc32c};
pub use epochs::{EpochSlot, EpochTable, Liveness};
pub use error::{Applied, Error, ErrorKind, Result, Retry};
pub use fence::Fence;
pub use generation::{Generation, Version};
pub use index::{Cas, Cursor, IndexCapabilities, IndexPage, IndexStore, Record};
pub use key::{InvalidKey, Key, KeyDigest};
pub use level::Level;
pub use manifest::{
    Group, GroupStamp, Location, MAX_MANIFEST_BYTES, MAX_TAGS, Manifest, ManifestError,
    Reservation, State, StoredObject,
};
pub use meta::{Decoded, Meta};
pub use peek::{Peeked, Usage};
pub use ports::{Clock, OsRandom, Random, Runtime, SystemClock};
pub use tier::{
    Commit, Committed, Entry, Fill, Hit, Lookup, NoTier, PurgeOutcome, Replaces, Target, Tier,
    TierKind,
};
pub use time::Timestamp;
pub use verified::{BodySource, VerifiedBody};
