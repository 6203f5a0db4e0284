//! The index, held to the text of the trait.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::process::ExitCode;
use std::sync::Arc;

use terrace_core::SystemClock;
use terrace_sqlite::{Durability, SqliteConfig, SqliteIndex};
use terrace_testkit::{CurrentRuntime, Fixture, index_conformance, run};

fn main() -> ExitCode {
    let mut trials = index_conformance("full", || open(SqliteConfig::default()));
    trials.extend(index_conformance("normal_one_reader", || {
        open(SqliteConfig {
            durability: Durability::Normal,
            readers: 1,
            ..SqliteConfig::default()
        })
    }));
    run(trials)
}

async fn open(config: SqliteConfig) -> Fixture<SqliteIndex> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let index = SqliteIndex::open(path, CurrentRuntime::port(), Arc::new(SystemClock), config);
    Fixture::new(index.await.unwrap()).keeping(dir)
}
