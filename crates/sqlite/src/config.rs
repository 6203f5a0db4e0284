use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use terrace_core::{Error, ErrorKind, Result};

/// The most connections for reading: each is a thread.
const MAX_READERS: usize = 64;
/// The WAL is moved into the file when it has so many pages, of 4 KiB.
const WAL_PAGES: &str = "1000";
/// What is left of the WAL's file after a burst, in bytes.
const WAL_BYTES: &str = "67108864";

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The loss of the process, and of power: each batch of writes waits until the disk has it.
    #[default]
    Full,
    /// The loss of the process only. After a loss of power the last seconds may be forgotten, purges among
    /// them: then promise P3 does not hold, and [`capabilities`](terrace_core::IndexStore::capabilities) says so.
    Normal,
}

/// How the index uses its file.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// How many reads may run at the same time, 1 to 64; others wait. Each is a thread with 2 MiB of cache.
    pub readers: usize,
    /// How long a write waits for one of another process before it fails as `Contended`.
    pub busy_timeout: Duration,
}

impl Default for SqliteConfig {
    /// Fully durable, four readers, five seconds.
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            readers: 4,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl SqliteConfig {
    pub(crate) fn check(&self) -> Result<()> {
        if (1..=MAX_READERS).contains(&self.readers) {
            return Ok(());
        }
        let message = format!("readers is {}: choose 1 to {MAX_READERS}", self.readers);
        Err(Error::new(ErrorKind::Invalid, "sqlite.open", message))
    }

    /// For the one connection that writes. It changes nothing in a file that is not ours.
    pub(crate) fn writer(&self, path: &Path) -> SqliteConnectOptions {
        let synchronous = match self.durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        };
        self.common(path)
            .synchronous(synchronous)
            .pragma("wal_autocheckpoint", WAL_PAGES)
            .pragma("journal_size_limit", WAL_BYTES)
    }

    /// For those that read. Not opened read-only: the first reader after a crash may have to recover the WAL.
    pub(crate) fn reader(&self, path: &Path) -> SqliteConnectOptions {
        self.common(path).pragma("query_only", "ON")
    }

    fn common(&self, path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(self.busy_timeout)
            // Rows that wait to be read, of up to 1 MiB each.
            .row_buffer_size(4)
            .thread_name(|id| format!("terrace-sqlite-{id}"))
            .disable_statement_logging()
    }
}
