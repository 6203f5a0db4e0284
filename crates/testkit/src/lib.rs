//! Conformance suites, fault injection and test doubles for [Terrace](https://docs.rs/terrace) tiers and stores.
//!
//! | you want to | read |
//! |---|---|
//! | know whether your backend keeps the promises | [`index_conformance`], [`blob_conformance`], [`tier_conformance`] |
//! | know whether it keeps them when the network does not | [`index_under_faults`], [`blob_under_faults`], [`tier_under_faults`] |
//! | have a backend fail where you want it to | [`Faulty`], [`Faults`] |
//! | have the network between an adapter and its server fail | [`FaultProxy`] |
//! | kill your backend's real server | [`OwnServers`] |
//! | show that no interleaving breaks a promise | [`explore()`], [`Explorer`], [`Stepped`] |
//! | own time and randomness in a test | [`ManualClock`], [`SeededRandom`] |
//! | drop a future where it hurts | [`drop_after`] |
//! | have something to store | [`sample`] |
//!
//! A backend's `tests/conformance.rs`, with `harness = false` in its manifest:
//!
//! ```no_run
//! use terrace_testkit::{Fixture, index_conformance};
//!
//! # use terrace_core::*;
//! # struct MyIndex;
//! # impl MyIndex { async fn open(_: &str) -> Result<Self> { Ok(Self) } }
//! # #[async_trait::async_trait]
//! # impl IndexStore for MyIndex {
//! #     async fn get(&self, _: &Key) -> Result<Option<Record>> { Ok(None) }
//! #     async fn put_new(&self, _: &Key, _: &Record) -> Result<Cas> { Ok(Cas::Applied) }
//! #     async fn cas_update(&self, _: &Key, _: Version, _: &Record) -> Result<Cas> { Ok(Cas::Applied) }
//! #     async fn delete(&self, _: &Key, _: Version) -> Result<Cas> { Ok(Cas::Applied) }
//! #     async fn touch_ttl(&self, _: &Key, _: Version, _: Timestamp) -> Result<Cas> { Ok(Cas::Applied) }
//! #     async fn scan(&self, _: Option<&Cursor>, _: usize) -> Result<IndexPage> {
//! #         Ok(IndexPage { records: vec![], next: None })
//! #     }
//! #     fn capabilities(&self) -> IndexCapabilities {
//! #         IndexCapabilities { durable: true, max_record_bytes: 1 }
//! #     }
//! # }
//! fn main() -> std::process::ExitCode {
//!     terrace_testkit::run(index_conformance("my_index", || async {
//!         Fixture::new(MyIndex::open("a fresh place").await.unwrap())
//!     }))
//! }
//! ```

mod blob;
mod cancel;
mod explore;
mod faults;
mod index;
mod network;
mod ports;
mod proxy;
mod report;
pub mod sample;
mod servers;
mod suite;
#[cfg(test)]
mod tests;
mod tier;

pub use blob::blob_conformance;
pub use cancel::drop_after;
pub use explore::{
    Explorer, Failure, IgnoresFences, Limits, Reason, Report, Scenario, Stepped, explore,
};
pub use faults::{Faults, Faulty, Op, Rule};
pub use index::index_conformance;
pub use network::{blob_under_faults, index_under_faults, tier_under_faults};
pub use ports::{CurrentRuntime, ManualClock, SeededRandom};
pub use proxy::{FaultProxy, Towards, WireFault};
pub use servers::OwnServers;
pub use suite::{Fixture, run};
pub use tier::tier_conformance;

pub use libtest_mimic::Trial;
