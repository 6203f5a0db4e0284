//! Amazon DynamoDB for [Terrace](https://docs.rs/terrace): an index store by the official SDK.
//!
//! | you want | read |
//! |---|---|
//! | an index store | [`DdbIndex`], which says what clocks, global tables and lost answers mean for it |
//! | to say which table, where, and with which credentials | [`DdbConfig`] |
//! | the table made at start, on demand or provisioned | [`Billing`] |
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use terrace_core::{Clock, IndexStore, Result, Runtime};
//! use terrace_dynamodb::{DdbConfig, DdbIndex};
//!
//! # async fn open(runtime: Arc<dyn Runtime>, clock: Arc<dyn Clock>) -> Result<()> {
//! let config = DdbConfig::new("terrace");
//! let index = DdbIndex::connect(config, runtime, clock).await?;
//! # let _: &dyn IndexStore = &index;
//! # Ok(()) }
//! ```
//!
//! The crate's README has the table's definition, the permissions it needs, and what it costs.

mod calls;
mod client;
mod config;
mod cursor;
mod error;
mod index;
mod item;
mod table;

pub use config::{Billing, DdbConfig, DdbCredentials};
pub use index::DdbIndex;
