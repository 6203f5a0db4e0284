//! What is past its retention, and the room it took.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use terrace_core::{Cas, Clock as _, ErrorKind, IndexStore, MAX_MANIFEST_BYTES, Timestamp};
use terrace_sqlite::{SqliteConfig, SqliteIndex};
use terrace_testkit::{CurrentRuntime, ManualClock};

use crate::support::{key, open, raw, record, version};

async fn with_clock(path: &Path) -> (SqliteIndex, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let index = SqliteIndex::open(
        path,
        CurrentRuntime::port(),
        clock.clone(),
        SqliteConfig::default(),
    );
    (index.await.unwrap(), clock)
}

#[tokio::test]
async fn a_record_is_absent_from_its_last_moment_on() {
    let dir = tempfile::tempdir().unwrap();
    let (index, clock) = with_clock(&dir.path().join("index.db")).await;
    let mut mortal = record(1, "a");
    mortal.retain_until = clock.now().after(Duration::from_millis(1));
    assert_eq!(index.put_new(&key(1), &mortal).await.unwrap(), Cas::Applied);
    assert_eq!(
        index.put_new(&key(2), &record(2, "b")).await.unwrap(),
        Cas::Applied
    );
    assert_eq!(index.get(&key(1)).await.unwrap(), Some(mortal.clone()));
    assert_eq!(
        index.put_new(&key(1), &record(3, "c")).await.unwrap(),
        Cas::Conflict
    );

    clock.advance(Duration::from_millis(1));
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
    let again = index
        .touch_ttl(&key(1), version(1), Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(again, Cas::Conflict);
    assert_eq!(index.scan(None, 10).await.unwrap().records.len(), 1);
    assert_eq!(
        index.put_new(&key(1), &record(3, "c")).await.unwrap(),
        Cas::Applied
    );

    clock.set(Timestamp::MAX);
    assert_eq!(
        index.scan(None, 10).await.unwrap().records.len(),
        2,
        "never is never"
    );
    assert_eq!(index.purge_expired(10).await.unwrap(), 0);
}

#[tokio::test]
async fn purging_removes_what_has_expired_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (index, clock) = with_clock(&dir.path().join("index.db")).await;
    for n in 1..=100 {
        let mut mortal = record(n, "");
        mortal.retain_until = clock.now().after(Duration::from_secs(n));
        assert_eq!(index.put_new(&key(n), &mortal).await.unwrap(), Cas::Applied);
    }
    assert_eq!(index.purge_expired(1000).await.unwrap(), 0);
    clock.advance(Duration::from_mins(1));
    for removed in [25, 25, 10, 0] {
        assert_eq!(index.purge_expired(25).await.unwrap(), removed);
    }
    assert_eq!(index.purge_expired(0).await.unwrap(), 0);
    clock.set(Timestamp::EPOCH);
    for n in 1..=100 {
        assert_eq!(
            index.get(&key(n)).await.unwrap().is_some(),
            n > 60,
            "record {n}"
        );
    }
}

#[tokio::test]
async fn purging_gives_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let (index, clock) = with_clock(&path).await;
    for n in 1..=200 {
        let mut mortal = record(n, vec![7; 20_000]);
        mortal.retain_until = clock.now();
        assert_eq!(index.put_new(&key(n), &mortal).await.unwrap(), Cas::Applied);
    }
    let mut conn = raw(&path).await;
    let mut pages = async || -> i64 {
        let count = sqlx::query_scalar("PRAGMA page_count");
        count.fetch_one(&mut conn).await.unwrap()
    };
    let before = pages().await;
    while index.purge_expired(20).await.unwrap() > 0 {}
    let after = pages().await;
    assert!(
        before > 1000 && after < 100,
        "{before} pages before, {after} after"
    );
}

#[tokio::test]
async fn a_walk_over_large_records_takes_small_pages() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir.path().join("index.db")).await;
    for n in 1..=10 {
        let large = record(n, vec![7; MAX_MANIFEST_BYTES]);
        assert_eq!(index.put_new(&key(n), &large).await.unwrap(), Cas::Applied);
    }
    let (mut seen, mut cursor) = (0, None);
    loop {
        let page = index.scan(cursor.as_ref(), usize::MAX).await.unwrap();
        assert!(page.records.len() <= 4, "{} records", page.records.len());
        seen += page.records.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, 10);

    let too_large = record(11, vec![7; MAX_MANIFEST_BYTES + 1]);
    let error = index.put_new(&key(11), &too_large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
}
