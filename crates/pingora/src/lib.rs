//! The bridge between [Terrace](https://docs.rs/terrace) and [Pingora](https://docs.rs/pingora) 0.9.
//!
//! | you want to | read |
//! |---|---|
//! | give a `MultiTier` to Pingora as its cache storage | [`TerraceStorage`] |
//! | tell a lookup something, and learn how it went | [`RequestSlot`], [`Outcome`] |
//! | give a hit another source for the case that every tier fails in the middle of it | [`HitReader`] |
//! | see in any `ProxyHttp` callback where a hit came from | [`Found`] |
//! | fetch an object once, however many ask for it | [`CollapseLock`] |
//! | purge all variants of a response | [`TerraceStorage::purge_all_variants`] |
//! | name a Pingora key to Terrace | [`key`](fn@key), [`compact_key`] |
//! | use a Pingora storage as one tier of a stack | [`StorageTier`] |
//!
//! # What Pingora sees
//!
//! - **A lookup never fails.** Pingora takes an error for a miss *without* its cache lock, a thundering herd;
//!   so every failure, unreadable metadata included, is a plain miss (promise P7).
//! - **A fill never fails the client.** `write_body` and `finish` report no error: a tier that
//!   cannot keep up is left out.
//! - **Partial writes stream** (`support_streaming_partial_write`): the first byte reaches all who wait while the
//!   body is still coming from the origin, and a fill outlives the client that caused it.
//! - **A body is whole, or its reader gets an error** (promise P1).
//! - **A purge answers 200 only if it holds**: anything else is an error, which Pingora turns into a 500.
//!
//! What goes wrong is counted in `terrace_pingora_errors_total`, by `op`: `decode_meta` says that stored metadata could
//! not be read, for example because the dictionary of header compression changed; `update_meta` that a
//! revalidation was lost.
//!
//! ```no_run
//! use pingora_cache::CacheKey;
//! use terrace_pingora::{RequestSlot, TerraceStorage};
//!
//! // Handed to `session.cache.enable(&STORAGE, …)`; given its tiers once their runtime is up.
//! static STORAGE: TerraceStorage = TerraceStorage::new();
//! # fn later(stack: terrace_tiers::Stack) -> Result<(), terrace_pingora::AlreadyInstalled> {
//! STORAGE.install(stack)?;
//! # Ok(()) }
//!
//! // In `cache_key_callback`:
//! let slot = RequestSlot::new();
//! let mut key = CacheKey::new("https://example.com/", "");
//! key.extensions.insert(slot.clone());
//!
//! // In `logging`, or where `Cache-Status` is written:
//! let outcome = slot.outcome();
//! ```

mod collapse;
mod error;
mod hit;
mod key;
mod meta;
mod miss;
mod purge;
mod slot;
mod storage;
mod storage_tier;

pub use collapse::CollapseLock;
pub use error::AlreadyInstalled;
pub use hit::HitReader;
pub use key::{compact_key, key};
pub use meta::{MetaError, decode_meta, encode_meta};
pub use slot::{Found, MAX_LOOKUPS, Outcome, RequestSlot};
pub use storage::TerraceStorage;
pub use storage_tier::{MAX_RECORD_BYTES, StorageTier};
