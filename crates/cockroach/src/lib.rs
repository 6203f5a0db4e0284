//! An index store for [Terrace](https://docs.rs/terrace) in CockroachDB, by the protocol of PostgreSQL, which works as well.
//!
//! | you want | read |
//! |---|---|
//! | an index that several sites share, and that survives the loss of one | [`CrdbIndex`], which says what it does with conflicts and lost answers |
//! | to reach a cluster, with TLS, a user, and bounds | [`CrdbConfig`] |
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use terrace_core::{Clock, IndexStore, Result, Runtime};
//! use terrace_cockroach::{CrdbConfig, CrdbIndex};
//!
//! # async fn connect(runtime: Arc<dyn Runtime>, clock: Arc<dyn Clock>) -> Result<()> {
//! let config = CrdbConfig::new("postgresql://terrace@crdb.internal:26257/cache");
//! let index = CrdbIndex::connect(config, runtime, clock).await?;
//! # let _: &dyn IndexStore = &index;
//! # Ok(()) }
//! ```

mod ask;
mod call;
mod config;
mod error;
mod index;
mod pool;
mod record;
mod schema;
mod server;
mod session;
mod state;
mod statements;

pub use config::CrdbConfig;
pub use index::CrdbIndex;
