//! What the tests share.

use std::path::Path;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use terrace_core::{Key, Record, Result, SystemClock, Timestamp, Version};
use terrace_sqlite::{SqliteConfig, SqliteIndex};
use terrace_testkit::CurrentRuntime;

pub(crate) async fn open(path: &Path) -> SqliteIndex {
    try_open(path).await.unwrap()
}

pub(crate) async fn try_open(path: &Path) -> Result<SqliteIndex> {
    open_with(path, SqliteConfig::default()).await
}

pub(crate) async fn open_with(path: &Path, config: SqliteConfig) -> Result<SqliteIndex> {
    SqliteIndex::open(path, CurrentRuntime::port(), Arc::new(SystemClock), config).await
}

/// A connection of somebody who knows nothing of us.
pub(crate) async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    options.connect().await.unwrap()
}

pub(crate) async fn execute(conn: &mut SqliteConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(conn).await.unwrap();
}

pub(crate) fn key(n: u64) -> Key {
    Key::named(n.to_le_bytes())
}

pub(crate) fn version(n: u64) -> Version {
    Version::from_u64(n).unwrap()
}

pub(crate) fn record(n: u64, manifest: impl Into<Vec<u8>>) -> Record {
    Record {
        version: version(n),
        retain_until: Timestamp::MAX,
        manifest: manifest.into().into(),
    }
}
