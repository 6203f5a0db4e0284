#![cfg_attr(docsrs, feature(doc_cfg))]
//! Terrace: multi-tier cache storage for [Pingora](https://docs.rs/pingora) proxies. A hot tier in memory over a durable
//! tier of files and an index database, behind one typed value that is handed to Pingora as its cache storage.
//!
//! - **A purged object never comes back**, from a slow fill, a promotion or a restart.
//! - **A body is never cut short silently**: it is whole and verified, or its reader gets an error.
//! - **A sick tier never fails a request the origin could serve**, and costs it at most one deadline.
//!
//! This crate re-exports the others. What every cache needs is at the root; what depends on a choice is a module behind
//! a feature.
//!
//! | feature | module | gives you | default |
//! |---|---|---|---|
//! | | root, [`backend`], [`replay`] | [`MultiTier`], [`Policy`], keys, the ports; the traits to write a tier or a store | always |
//! | `memory` | `memory` | `MemoryTier`, the L0; stores for tests | yes |
//! | `durable` | `durable` | `DurableTier<B, I>`: any blob store under any index store | yes |
//! | `object-store` | `object_store` | `ObjectBlob`: bodies in a directory, or in an object store | yes |
//! | `sqlite` | `sqlite` | `SqliteIndex`: the index in one file | yes |
//! | `s3` | `s3` | `S3Blob`: bodies in Amazon S3, or what speaks like it | |
//! | `minio` | `minio` | `MinioBlob`: bodies in MinIO | |
//! | `ceph` | `ceph` | `CephBlob`: bodies in Ceph | |
//! | `redis` | `redis` | `RedisTier`, an L1 that processes share; `RedisIndex` | |
//! | `cockroach` | `cockroach` | `CrdbIndex`: the index in CockroachDB, or PostgreSQL | |
//! | `memcached` | `memcached` | `MemcachedTier`, an L1 that processes share | |
//! | `dynamodb` | `dynamodb` | `DdbIndex`: the index in a DynamoDB table | |
//! | `pingora` | `pingora` | `TerraceStorage`: a stack as Pingora's storage, and the other way round | |
//! | `proxy` | `proxy` | `CachingProxy`: a ready Pingora proxy. Turns `pingora` on | |
//! | `proxy-config` | `proxy` | its options and rules, read from a file. Turns `proxy` on | |
//!
//! A feature adds items. It never changes what the others do.
//!
//! # Wiring
//!
//! The types say which tiers there are; what does not fit together does not compile.
//!
#![cfg_attr(
    all(
        feature = "memory",
        feature = "durable",
        feature = "object-store",
        feature = "sqlite"
    ),
    doc = "```"
)]
#![cfg_attr(
    not(all(
        feature = "memory",
        feature = "durable",
        feature = "object-store",
        feature = "sqlite"
    )),
    doc = "```ignore"
)]
//! use std::sync::Arc;
//!
//! use terrace::durable::DurableTier;
//! use terrace::memory::MemoryTier;
//! use terrace::object_store::{LocalConfig, ObjectBlob};
//! use terrace::sqlite::{SqliteConfig, SqliteIndex};
//! use terrace::{Intent, Key, MultiTier, NoTier, Runtime, SystemClock, Target, TokioRuntime};
//!
//! type Tiers = MultiTier<MemoryTier, NoTier, NoTier, DurableTier<ObjectBlob, SqliteIndex>>;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let data = dir.path();
//! // On the runtime whose threads are to do the tiers' work:
//! let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::current());
//! let clock = Arc::new(SystemClock);
//!
//! let bodies = ObjectBlob::local(data.join("bodies"), runtime.clone(), LocalConfig::default()).await?;
//! let index = SqliteIndex::open(data.join("index.db"), runtime.clone(), clock, SqliteConfig::default()).await?;
//! let durable = DurableTier::builder(bodies, index).build()?;
//!
//! let tiers: Tiers = MultiTier::builder(durable)
//!     .l0(MemoryTier::new(256 << 20))
//!     .runtime(runtime)
//!     .build()?;
//!
//! let key = Key::named("https://example.com/");
//! let looked = tiers.stack().lookup(&key, Intent::Serve).await;
//! assert!(looked.hit.is_none());
//! tiers.stack().purge(&Target::Key(key)).await?;
//! # Ok(()) }
//! ```
//!
//! For Pingora, give the stack to a `static` storage, from the background service that owns the runtime:
//!
#![cfg_attr(feature = "pingora", doc = "```")]
#![cfg_attr(not(feature = "pingora"), doc = "```ignore")]
//! use terrace::Stack;
//! use terrace::pingora::{AlreadyInstalled, TerraceStorage};
//!
//! // Handed to `session.cache.enable(&STORAGE, …)`. Until it has its tiers, lookups miss.
//! static STORAGE: TerraceStorage = TerraceStorage::new();
//!
//! fn tiers_are_open(stack: Stack) -> Result<(), AlreadyInstalled> {
//!     STORAGE.install(stack)
//! }
//! ```
//!
//! `terrace::proxy::StackService` is that service, and `terrace::proxy::CachingProxy` the proxy around it. A complete
//! program is `examples/src/bin/embedded.rs` in the repository, where `docs` holds the guides.
//!
//! # Writing a backend
//!
//! Implement [`Tier`], [`BlobStore`](backend::BlobStore) or [`IndexStore`](backend::IndexStore); depend on `terrace-core`
//! for that, not on this crate, and run the conformance suites of `terrace-testkit`. What takes a store
//! takes yours, but not in the wrong place:
//!
#![cfg_attr(
    all(feature = "memory", feature = "durable"),
    doc = "```compile_fail,E0277"
)]
#![cfg_attr(not(all(feature = "memory", feature = "durable")), doc = "```ignore")]
//! # use std::sync::Arc;
//! use terrace::SystemClock;
//! use terrace::durable::DurableTier;
//! use terrace::memory::{InMemoryBlobStore, InMemoryIndexStore};
//!
//! let clock = Arc::new(SystemClock);
//! let bodies = InMemoryBlobStore::new(clock.clone(), 1 << 20);
//! let index = InMemoryIndexStore::new(clock);
//! let durable = DurableTier::builder(index, bodies); // the two are the wrong way round
//! ```

// What there is to say about an object: which one it is, how good it is, what happened to it.
#[doc(inline)]
pub use terrace_core::{
    Body, Error, ErrorKind, Generation, InvalidKey, Key, KeyDigest, Level, Meta, NoTier, Peeked,
    PurgeOutcome, Replaces, Result, Retry, Target, Tier, Timestamp, Usage,
};

// The ports: where time, randomness and threads come from.
#[doc(inline)]
pub use terrace_core::{Clock, OsRandom, Random, Runtime, SystemClock};

// Which tier takes what.
#[doc(inline)]
pub use terrace_policy::{
    Admission, AdmissionRule, Candidate, Frequency, Placement, Policy, PolicyBuilder, PolicyError,
    Promotion, Refusal, replay,
};

// Tiers as one value.
#[doc(inline)]
pub use terrace_tiers::{
    BreakerLimits, BreakerState, BuildError, Filling, HitBody, Inspected, Inspection, Intent,
    LaneCounts, Limits, Looked, MultiTier, MultiTierBuilder, Rescue, Seen, Source, Stack,
    StackSnapshot, Ticket, TierHealth, TierHit, TierSnapshot, TokioRuntime, Underway,
};

pub mod backend;

#[cfg(feature = "ceph")]
pub use terrace_ceph as ceph;
#[cfg(feature = "cockroach")]
pub use terrace_cockroach as cockroach;
#[cfg(feature = "durable")]
pub use terrace_durable as durable;
#[cfg(feature = "dynamodb")]
pub use terrace_dynamodb as dynamodb;
#[cfg(feature = "memcached")]
pub use terrace_memcached as memcached;
#[cfg(feature = "memory")]
pub use terrace_memory as memory;
#[cfg(feature = "minio")]
pub use terrace_minio as minio;
#[cfg(feature = "object-store")]
pub use terrace_object_store as object_store;
#[cfg(feature = "pingora")]
pub use terrace_pingora as pingora;
#[cfg(feature = "proxy")]
pub use terrace_proxy as proxy;
#[cfg(feature = "redis")]
pub use terrace_redis as redis;
#[cfg(feature = "s3")]
pub use terrace_s3 as s3;
#[cfg(feature = "sqlite")]
pub use terrace_sqlite as sqlite;

#[cfg(all(
    doctest,
    feature = "memory",
    feature = "durable",
    feature = "object-store",
    feature = "sqlite"
))]
#[doc = include_str!("../README.md")]
struct Readme;
