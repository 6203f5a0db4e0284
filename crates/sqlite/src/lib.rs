//! The embedded index store of [Terrace](https://docs.rs/terrace): one SQLite file, no server.
//!
//! ```
//! # use std::sync::Arc;
//! # use terrace_core::{Clock, IndexStore, Result, Runtime};
//! use terrace_sqlite::{SqliteConfig, SqliteIndex};
//!
//! # async fn open(runtime: Arc<dyn Runtime>, clock: Arc<dyn Clock>) -> Result<()> {
//! let path = "/var/cache/terrace/index.db";
//! let index = SqliteIndex::open(path, runtime, clock, SqliteConfig::default()).await?;
//! # let _: &dyn IndexStore = &index;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! - **One writer, many readers.** The file is in WAL mode: readers never wait for the writer. All writes of a process go
//!   through one task, which takes whatever is waiting, up to 256 requests, into one transaction. Each
//!   gets its own answer; together they wait for the disk once.
//! - **Durable.** With [`Durability::Full`], the default, an acknowledged write survives the loss of power, and so does a
//!   purge (promise P3). [`Durability::Normal`] is faster and survives the loss of the process only.
//! - **Several processes** may have the file open; Pingora's upgrade runs two for a while. They must be on one
//!   machine: WAL mode needs shared memory, so the file must not be on a network file system.
//! - **Space.** What is past its retention counts as absent at once, and leaves the file by
//!   [`purge_expired`](SqliteIndex::purge_expired). Freed pages are used again; when more than a quarter of the file
//!   is free, purging gives pages back to the file system. The WAL is moved into the file at every 4 MiB, and cut
//!   to 64 MiB after a burst.
//!
//! # When the file is damaged
//!
//! The error says so and names the file. Stop the processes, remove it together with the files of the same name that
//! end in `-wal` and `-shm`, and start again: that only empties the cache, and the garbage collection
//! removes the bodies nothing names any more.

mod config;
mod error;
mod index;
mod readers;
mod record;
mod schema;
mod statements;
mod writer;

pub use config::{Durability, SqliteConfig};
pub use index::SqliteIndex;
