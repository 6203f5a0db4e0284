//! Callers that wait, leave, or outlive the runtime.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use terrace_core::{Applied, Cas, ErrorKind, IndexStore, Retry, Runtime, SystemClock};
use terrace_sqlite::{SqliteConfig, SqliteIndex};
use terrace_testkit::{CurrentRuntime, drop_after};
use tokio::sync::Notify;

use crate::support::{execute, key, open, open_with, raw, record, version};

#[tokio::test]
async fn a_file_that_is_busy_for_too_long_is_contended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let config = SqliteConfig {
        busy_timeout: Duration::from_millis(50),
        ..SqliteConfig::default()
    };
    let index = open_with(&path, config).await.unwrap();
    let mut other = raw(&path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let error = index.put_new(&key(1), &record(1, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contended);
    assert_eq!(error.retry(), Retry::Later);
    assert_eq!(error.applied(), Applied::No);
    assert_eq!(
        index.get(&key(1)).await.unwrap(),
        None,
        "readers do not wait"
    );
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(
        index.put_new(&key(1), &record(1, "")).await.unwrap(),
        Cas::Applied
    );
}

#[tokio::test]
async fn callers_that_leave_keep_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let index = open(&path).await;
    let mut other = raw(&path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    // More than the queue holds: some leave while they wait to get in line.
    for n in 1..=2000 {
        let left = drop_after(1, index.put_new(&key(n), &record(n, ""))).await;
        assert!(left.is_none());
    }
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(
        index.put_new(&key(9999), &record(1, "")).await.unwrap(),
        Cas::Applied
    );
}

#[tokio::test]
async fn readers_that_leave_keep_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let config = SqliteConfig {
        readers: 1,
        ..SqliteConfig::default()
    };
    let index = open_with(&dir.path().join("index.db"), config)
        .await
        .unwrap();
    for n in 1..=300 {
        let large = record(n, vec![7; 10_000]);
        assert_eq!(index.put_new(&key(n), &large).await.unwrap(), Cas::Applied);
    }
    for polls in 0..20 {
        drop_after(polls, index.get(&key(1))).await;
        drop_after(polls, index.scan(None, 300)).await;
        let found = index.get(&key(7)).await.unwrap().unwrap();
        assert_eq!(found.version, version(7));
        let page = index.scan(None, 300).await.unwrap();
        assert_eq!(page.records.len(), 300);
    }
}

#[tokio::test]
async fn concurrent_writes_all_get_their_own_answer() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir.path().join("index.db")).await;
    let writes = (0..3000_u64).map(|n| {
        let index = &index;
        async move {
            // Three callers per key; one of them is first.
            let written = record(n + 1, n.to_le_bytes());
            index.put_new(&key(n / 3), &written).await.unwrap()
        }
    });
    let answers = join_all(writes).await;
    for (n, three) in (0..).zip(answers.chunks(3)) {
        let first = three.iter().position(|cas| *cas == Cas::Applied).unwrap();
        assert_eq!(three.iter().filter(|cas| **cas == Cas::Applied).count(), 1);
        let found = index.get(&key(n)).await.unwrap().unwrap();
        assert_eq!(found.version, version(3 * n + first as u64 + 1));
    }
}

/// A runtime that is shutting down: it drops what it is given.
#[derive(Debug)]
struct ShutDown;

impl Runtime for ShutDown {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(task);
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn p9_without_a_writer_writes_fail_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let (clock, config) = (Arc::new(SystemClock), SqliteConfig::default());
    let index = SqliteIndex::open(&path, Arc::new(ShutDown), clock, config)
        .await
        .unwrap();
    let error = index.put_new(&key(1), &record(1, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.applied(), Applied::No);
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
}

/// A runtime that tells when somebody sleeps.
#[derive(Debug)]
struct Telling(Arc<dyn Runtime>, Notify);

impl Runtime for Telling {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.1.notify_one();
        self.0.sleep(duration)
    }
}

#[tokio::test]
async fn an_opening_waits_for_another_that_prepares_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let mut other = raw(&path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let runtime = Arc::new(Telling(CurrentRuntime::port(), Notify::new()));
    let config = SqliteConfig {
        busy_timeout: Duration::from_millis(1),
        ..SqliteConfig::default()
    };
    let open = SqliteIndex::open(&path, runtime.clone(), Arc::new(SystemClock), config);
    let mut open = std::pin::pin!(open);
    tokio::select! {
        early = &mut open => panic!("it did not wait: {early:?}"),
        () = runtime.1.notified() => execute(&mut other, "ROLLBACK").await,
    }
    let written = open.await.unwrap().put_new(&key(1), &record(1, "")).await;
    assert_eq!(written.unwrap(), Cas::Applied);
}

/// Works from any runtime, although the writer runs on one.
#[test]
fn p9_a_runtime_that_ends_ends_the_writes_not_the_callers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let builder = tokio::runtime::Builder::new_multi_thread;
    let storage = builder().worker_threads(1).enable_all().build().unwrap();
    let index = storage.block_on(open(&path));
    let callers = builder().worker_threads(1).enable_all().build().unwrap();
    let written = callers.block_on(index.put_new(&key(1), &record(1, "")));
    assert_eq!(written.unwrap(), Cas::Applied);
    drop(storage);
    let error = callers
        .block_on(index.delete(&key(1), version(1)))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(callers.block_on(index.get(&key(1))).unwrap().is_some());
}
