use std::path::Path;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use terrace_core::{
    Applied, ErrorKind, Key, MAX_MANIFEST_BYTES, Record, Runtime, SystemClock, Timestamp, Version,
};

use super::*;
use crate::config::SqliteConfig;
use crate::schema;
use crate::statements::{GET, SCAN};

#[derive(Debug)]
struct NoRuntime;

impl Runtime for NoRuntime {
    fn spawn(&self, _: BoxFuture<'static, ()>) {
        panic!("nothing is to be spawned here");
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}

/// What a writer answers to each of `batches`: all changes of a batch are asked for before it begins.
async fn run(
    path: &Path,
    tune: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    batches: Vec<Vec<Op>>,
) -> Vec<Vec<Result<u64>>> {
    let options = tune(SqliteConfig::default().writer(path));
    let created = options.clone().create_if_missing(true).connect().await;
    let mut connection = created.unwrap();
    schema::prepare(&mut connection, path, &NoRuntime)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (requests, receiver) = mpsc::channel(MAX_QUEUE);
    let writer = Writer {
        path: Arc::new(path.to_path_buf()),
        options,
        clock: Arc::new(SystemClock),
        connection: None,
    };
    let ask = async move {
        let mut answers = Vec::new();
        for batch in batches {
            let replies = batch.into_iter().map(|op| {
                let (reply, answer) = oneshot::channel();
                requests.try_send(Request { op, reply }).ok().unwrap();
                answer.map(|answer| answer.unwrap())
            });
            // All are in line before the writer, which runs on this thread, is polled again.
            let replies: Vec<_> = replies.collect();
            answers.push(join_all(replies).await);
        }
        answers
    };
    futures::join!(writer.run(receiver), ask).1
}

fn put(n: u64, len: usize) -> Op {
    Op::PutNew {
        key: Key::named(n.to_le_bytes()),
        record: Record {
            version: Version::from_u64(n + 1).unwrap(),
            retain_until: Timestamp::MAX,
            manifest: vec![7; len].into(),
        },
    }
}

async fn count(path: &Path) -> i64 {
    let mut conn = SqliteConfig::default()
        .reader(path)
        .connect()
        .await
        .unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM manifests");
    count.fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn each_of_a_batch_gets_its_own_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let answers = run(
        &path,
        |o| o,
        vec![vec![put(1, 10), put(2, 10), put(1, 10), put(3, 10)]],
    )
    .await;
    let counts: Vec<_> = answers[0].iter().map(|a| *a.as_ref().unwrap()).collect();
    assert_eq!(counts, [1, 1, 0, 1]);
    assert_eq!(count(&path).await, 3);
}

#[tokio::test]
async fn a_full_disk_undoes_the_batch_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    // A file of at most 1 MiB stands for a disk that has no more.
    let tune = |options: SqliteConnectOptions| options.pragma("max_page_count", "256");
    let answers = run(
        &path,
        tune,
        vec![
            vec![put(1, 10)],
            vec![put(2, 10), put(3, MAX_MANIFEST_BYTES), put(4, 10)],
            vec![put(5, 10)],
        ],
    )
    .await;
    for answer in &answers[1] {
        let error = answer.as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
        assert_eq!(error.applied(), Applied::No);
        assert!(error.to_string().contains("no space left"), "{error}");
    }
    assert_eq!(*answers[2][0].as_ref().unwrap(), 1);
    assert_eq!(count(&path).await, 2);
}

#[tokio::test]
async fn p4_a_commit_that_fails_may_have_taken_effect() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    run(&path, |o| o, vec![]).await;
    // A foreign key that is checked when the transaction commits.
    let trap = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER trap AFTER INSERT ON manifests WHEN length(NEW.manifest) = 66
        BEGIN INSERT INTO child VALUES (1); END";
    let mut conn = SqliteConfig::default()
        .writer(&path)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(trap).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();

    let batches = vec![vec![put(1, 10), put(2, 66)], vec![put(3, 10)]];
    let answers = run(&path, |o| o, batches).await;
    for answer in &answers[0] {
        assert_eq!(answer.as_ref().unwrap_err().applied(), Applied::Unknown);
    }
    assert_eq!(*answers[1][0].as_ref().unwrap(), 1);
    assert_eq!(count(&path).await, 1);
}

#[tokio::test]
async fn who_has_left_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    run(&path, |o| o, vec![]).await;
    let options = SqliteConfig::default().writer(&path);
    let (requests, receiver) = mpsc::channel(MAX_QUEUE);
    let (reply, answer) = oneshot::channel();
    requests
        .try_send(Request {
            op: put(1, 10),
            reply,
        })
        .ok()
        .unwrap();
    drop((requests, answer));
    Writer {
        path: Arc::new(path.clone()),
        options,
        clock: Arc::new(SystemClock),
        connection: None,
    }
    .run(receiver)
    .await;
    assert_eq!(count(&path).await, 0);
}

#[tokio::test]
async fn every_statement_uses_the_index_made_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    run(&path, |o| o, vec![]).await;
    let mut conn = SqliteConfig::default()
        .reader(&path)
        .connect()
        .await
        .unwrap();
    let by_key = "INDEX sqlite_autoindex_manifests_1 (key";
    let by_expiry = "INDEX manifests_expiry (retain_until";
    for (statement, index) in [
        (GET, by_key),
        (SCAN, by_key),
        (crate::statements::CAS_UPDATE, by_key),
        (crate::statements::DELETE, by_key),
        (crate::statements::TOUCH_TTL, by_key),
        (crate::statements::PURGE_EXPIRED, by_expiry),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&mut conn).await.unwrap();
        let text = plan
            .into_iter()
            .map(|row| row.3)
            .collect::<Vec<_>>()
            .join("; ");
        assert!(text.contains(index), "{statement}: {text}");
        assert!(!text.contains("TEMP B-TREE"), "{statement}: {text}");
        assert!(!text.contains("SCAN"), "{statement}: {text}");
    }
}
