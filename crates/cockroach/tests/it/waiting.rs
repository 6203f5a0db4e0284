//! What waits, and for how long; and what is dropped while it waits.

use std::time::Duration;

use futures::FutureExt as _;
use sqlx::postgres::PgConnection;
use terrace_cockroach::CrdbIndex;
use terrace_core::{Applied, Cas, ErrorKind, IndexStore as _};
use terrace_testkit::drop_after;

use crate::support::{Table, connect, key, record, version};

/// An index with one connection, and one that holds the lock of record 1.
async fn locked(table: &Table, response_timeout: Duration) -> (CrdbIndex, PgConnection) {
    let mut config = table.config();
    config.max_connections = 1;
    config.acquire_timeout = Duration::from_millis(200);
    config.response_timeout = response_timeout;
    let index = connect(config).await.unwrap();
    assert_eq!(
        index.put_new(&key(1), &record(1)).await.unwrap(),
        Cas::Applied
    );
    // So that later ones are one question and one answer.
    let prepared = index.cas_update(&key(9), version(9), &record(9)).await;
    assert_eq!(prepared.unwrap(), Cas::Conflict);
    let mut holder = table.connection().await;
    let lock = format!("BEGIN; SELECT * FROM {} FOR UPDATE", table.name);
    let lock = sqlx::raw_sql(sqlx::AssertSqlSafe(lock));
    lock.execute(&mut holder).await.unwrap();
    (index, holder)
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let Some(table) = Table::new() else { return };
    let (index, holder) = locked(&table, Duration::from_millis(300)).await;
    let error = index.cas_update(&key(1), version(1), &record(2)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.applied(), Applied::Unknown, "{error}");
    assert!(
        error.to_string().contains("the database gave up"),
        "{error}"
    );
    drop(holder);
    patiently_update(&index).await;
}

#[tokio::test]
async fn who_finds_no_connection_free_is_told_so() {
    let Some(table) = Table::new() else { return };
    let (index, holder) = locked(&table, Duration::from_secs(20)).await;
    let old = record(2);
    let key1 = key(1);
    let mut waiting = index.cas_update(&key1, version(1), &old);
    assert!(futures::poll!(&mut waiting).is_pending());
    let error = index.get(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.applied(), Applied::No, "{error}");
    assert!(error.to_string().contains("max_connections"), "{error}");
    drop(holder);
    // PostgreSQL says that the row was locked by another, who did not change it after all.
    assert_eq!(waiting.await.unwrap(), Cas::Applied);
}

/// Were its connection used again, the next call would wait for its end, and might take its answer for its own.
#[tokio::test]
async fn a_dropped_call_holds_up_nobody() {
    let Some(table) = Table::new() else { return };
    let (index, holder) = locked(&table, Duration::from_secs(20)).await;
    for _ in 0..3 {
        let (key, record) = (key(1), record(2));
        let waiting = index.cas_update(&key, version(1), &record);
        // Sent, and waiting for the lock.
        let dropped = drop_after(3, waiting);
        let guard = tokio::time::sleep(Duration::from_secs(1)).boxed();
        let either = futures::future::select(Box::pin(dropped), guard).await;
        drop(either);
        let read = index.get(&key).await.unwrap();
        assert_eq!(read, Some(crate::support::record(1)));
    }
    drop(holder);
    patiently_update(&index).await;
}

/// Updates record 1, whichever of the earlier updates came through.
async fn patiently_update(index: &CrdbIndex) {
    for number in 100.. {
        let found = index.get(&key(1)).await.unwrap().unwrap();
        match index
            .cas_update(&key(1), found.version, &record(number))
            .await
        {
            Ok(Cas::Applied) => return,
            Ok(Cas::Conflict) => {}
            Err(error) => assert_ne!(error.kind(), ErrorKind::Internal, "{error}"),
        }
    }
}
