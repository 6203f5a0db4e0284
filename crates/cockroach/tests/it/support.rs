use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::{Key, Record, Result, SystemClock, Timestamp, Version};
use terrace_testkit::CurrentRuntime;

/// A table of one test, on the server that is shared.
pub(crate) struct Table {
    pub(crate) url: String,
    pub(crate) name: String,
}

impl Table {
    /// Nothing, said loudly, where there is no server.
    pub(crate) fn new() -> Option<Self> {
        static TABLES: AtomicU64 = AtomicU64::new(0);
        let Ok(url) = env::var("TERRACE_TEST_POSTGRES_URL") else {
            eprintln!(
                "SKIPPED: TERRACE_TEST_POSTGRES_URL is not set: cargo xtask services up postgres"
            );
            return None;
        };
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let name = format!("it_{}_{number}", std::process::id());
        Some(Self { url, name })
    }

    pub(crate) fn config(&self) -> CrdbConfig {
        let mut config = CrdbConfig::new(&self.url);
        config.table.clone_from(&self.name);
        config
    }

    pub(crate) async fn connect(&self) -> CrdbIndex {
        connect(self.config()).await.unwrap()
    }

    /// A connection of the test's own.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Has the server do `statements`, in which `@` is this table.
    pub(crate) async fn execute(&self, statements: &str) {
        let statements = statements.replace('@', &self.name);
        let statements = sqlx::raw_sql(AssertSqlSafe(statements));
        statements
            .execute(&mut self.connection().await)
            .await
            .unwrap();
    }
}

pub(crate) async fn connect(config: CrdbConfig) -> Result<CrdbIndex> {
    CrdbIndex::connect(config, CurrentRuntime::port(), Arc::new(SystemClock)).await
}

pub(crate) fn key(number: u64) -> Key {
    Key::named(number.to_le_bytes())
}

pub(crate) fn record(number: u64) -> Record {
    Record {
        version: version(number),
        retain_until: Timestamp::MAX,
        manifest: Bytes::from(number.to_string()),
    }
}

pub(crate) fn version(number: u64) -> Version {
    Version::from_u64(number + 1).unwrap()
}
