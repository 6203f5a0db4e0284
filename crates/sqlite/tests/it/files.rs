//! Whose file it is, and in what state.

use std::fs;
use std::path::Path;

use futures::future::join_all;
use sqlx::Connection as _;
use terrace_core::{Cas, ErrorKind, IndexStore, Timestamp};
use terrace_sqlite::{Durability, SqliteConfig};

use crate::support::{execute, key, open, open_with, raw, record, try_open, version};

#[tokio::test]
async fn records_survive_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not/there/index.db");
    let index = open(&path).await;
    let mut extreme = record(u64::MAX, vec![0, 255]);
    extreme.retain_until = Timestamp::from_millis(u64::MAX - 1);
    assert_eq!(
        index.put_new(&key(1), &record(1, "")).await.unwrap(),
        Cas::Applied
    );
    assert_eq!(
        index.put_new(&key(2), &extreme).await.unwrap(),
        Cas::Applied
    );
    assert_eq!(
        index.delete(&key(1), version(1)).await.unwrap(),
        Cas::Applied
    );
    drop(index);

    let index = open(&path).await;
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
    assert_eq!(index.get(&key(2)).await.unwrap(), Some(extreme));
}

#[tokio::test]
async fn many_may_create_the_file_at_the_same_time() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.db");
        let indexes = join_all((0..8).map(|_| open(&path))).await;
        for (n, index) in (1..).zip(&indexes) {
            assert_eq!(
                index.put_new(&key(n), &record(n, "")).await.unwrap(),
                Cas::Applied
            );
        }
        assert_eq!(indexes[0].scan(None, 100).await.unwrap().records.len(), 8);
    }
}

#[tokio::test]
async fn an_empty_file_is_as_good_as_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    fs::write(&path, b"").unwrap();
    assert_eq!(open(&path).await.get(&key(1)).await.unwrap(), None);
}

async fn refused_and_untouched(path: &Path, kind: ErrorKind, says: &str) {
    let before = fs::read(path).unwrap();
    let error = try_open(path).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(says) && text.contains("index.db"), "{text}");
    assert!(fs::read(path).unwrap() == before, "the file was changed");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    drop(open(&path).await);
    let mut conn = raw(&path).await;
    execute(
        &mut conn,
        "PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)",
    )
    .await;
    conn.close().await.unwrap();
    refused_and_untouched(&path, ErrorKind::Unsupported, "schema 2").await;
}

#[tokio::test]
async fn the_database_of_another_application_is_refused() {
    for theirs in [
        "CREATE TABLE accounts (id INTEGER)",
        "PRAGMA application_id = 7; PRAGMA user_version = 1",
        "PRAGMA user_version = 3",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.db");
        let mut conn = raw(&path).await;
        execute(&mut conn, theirs).await;
        conn.close().await.unwrap();
        refused_and_untouched(&path, ErrorKind::Invalid, "another application").await;
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    fs::write(&path, vec![b'x'; 10_000]).unwrap();
    refused_and_untouched(&path, ErrorKind::Corrupt, "remove it").await;
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    fs::create_dir(dir.path().join("dir")).unwrap();
    for place in ["file/index.db", "dir"] {
        let error = try_open(&dir.path().join(place)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(place), "{error}");
    }
}

#[tokio::test]
async fn a_file_damaged_later_says_so_and_loses_no_caller() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let index = open(&path).await;
    for n in 1..200 {
        assert_eq!(
            index
                .put_new(&key(n), &record(n, vec![7; 2000]))
                .await
                .unwrap(),
            Cas::Applied
        );
    }
    drop(index);
    let mut conn = raw(&path).await;
    execute(&mut conn, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    conn.close().await.unwrap();

    let mut bytes = fs::read(&path).unwrap();
    // Everything but the header and the schema in the first page.
    bytes[4096..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let index = open(&path).await;
    let error = index.get(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error = index.delete(&key(1), version(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error = index.scan(None, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_damaged_row_is_an_error_to_read_and_no_obstacle_to_a_walk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let index = open(&path).await;
    for n in 1..=3 {
        assert_eq!(
            index.put_new(&key(n), &record(n, "")).await.unwrap(),
            Cas::Applied
        );
    }
    let mut conn = raw(&path).await;
    execute(
        &mut conn,
        "PRAGMA ignore_check_constraints = ON;
         UPDATE manifests SET version = 0 WHERE version = 2;
         INSERT INTO manifests VALUES (x'abcd', 9, 9223372036854775807, x'')",
    )
    .await;
    let error = index.get(&key(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = index.scan(cursor.as_ref(), 1).await.unwrap();
        seen.extend(page.records.into_iter().map(|(key, _)| key));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort();
    let mut expected = [key(1), key(3)];
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn durability_is_what_the_capabilities_say() {
    for (durability, durable) in [(Durability::Full, true), (Durability::Normal, false)] {
        let dir = tempfile::tempdir().unwrap();
        let config = SqliteConfig {
            durability,
            ..SqliteConfig::default()
        };
        let index = open_with(&dir.path().join("index.db"), config)
            .await
            .unwrap();
        assert_eq!(index.capabilities().durable, durable);
    }
}

#[tokio::test]
async fn a_number_of_readers_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for readers in [0, 65, usize::MAX] {
        let config = SqliteConfig {
            readers,
            ..SqliteConfig::default()
        };
        let error = open_with(&dir.path().join("index.db"), config)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
