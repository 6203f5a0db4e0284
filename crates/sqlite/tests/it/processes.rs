//! Several processes, or several instances, on one file.

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use terrace_core::{Cas, ErrorKind, IndexStore, OsRandom, Record, Timestamp, Version};
use terrace_sqlite::SqliteIndex;

use crate::support::{key, open, record, version};

const WRITERS: usize = 16;
const INCREMENTS: u64 = 10;
/// Where the child process finds the file.
const FILE: &str = "TERRACE_TEST_INDEX";

#[tokio::test(flavor = "multi_thread")]
async fn p4_of_32_writers_on_two_instances_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let indexes = [Arc::new(open(&path).await), Arc::new(open(&path).await)];
    let seed = indexes[0].put_new(&key(1), &record(1, "0")).await.unwrap();
    assert_eq!(seed, Cas::Applied);
    for round in 1..=20 {
        let winner = AtomicU64::new(0);
        let attempts = (0..32_u64).map(|n| {
            let (index, winner) = (&indexes[usize::from(n % 2 == 0)], &winner);
            async move {
                let mine = round * 1000 + n;
                let expected = version(if round == 1 {
                    1
                } else {
                    (round - 1) * 1000 + 500
                });
                let cas = index
                    .cas_update(&key(1), expected, &record(mine, "x"))
                    .await
                    .unwrap();
                if cas == Cas::Applied {
                    winner.store(mine, Ordering::SeqCst);
                }
                u32::from(cas == Cas::Applied)
            }
        });
        let wins: u32 = join_all(attempts).await.into_iter().sum();
        assert_eq!(wins, 1, "round {round}");
        let won = winner.load(Ordering::SeqCst);
        for index in &indexes {
            let found = index.get(&key(1)).await.unwrap().unwrap();
            assert_eq!(found.version, version(won), "both see the winner at once");
        }
        let next = record(round * 1000 + 500, "x");
        let reset = indexes[0]
            .cas_update(&key(1), version(won), &next)
            .await
            .unwrap();
        assert_eq!(reset, Cas::Applied);
    }
}

/// Adds to a counter, by compare-and-swap, until each writer has succeeded often enough.
async fn count(path: &Path) {
    let index = open(path).await;
    let writers = (0..WRITERS).map(|_| async {
        for _ in 0..INCREMENTS {
            while !increment(&index).await {}
        }
    });
    join_all(writers).await;
}

async fn increment(index: &SqliteIndex) -> bool {
    let Record {
        version, manifest, ..
    } = index.get(&key(1)).await.unwrap().unwrap();
    let count = u64::from_le_bytes(manifest[..].try_into().unwrap());
    let next = Record {
        version: Version::random(&OsRandom),
        retain_until: Timestamp::MAX,
        manifest: (count + 1).to_le_bytes().to_vec().into(),
    };
    match index.cas_update(&key(1), version, &next).await {
        Ok(cas) => cas == Cas::Applied,
        Err(error) if error.kind() == ErrorKind::Contended => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_two_processes_lose_no_update() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let zero = record(1, 0_u64.to_le_bytes());
    assert_eq!(
        open(&path).await.put_new(&key(1), &zero).await.unwrap(),
        Cas::Applied
    );

    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--ignored"])
        .env(FILE, &path)
        .spawn()
        .unwrap();
    count(&path).await;
    assert!(child.wait().unwrap().success());

    let total = open(&path)
        .await
        .get(&key(1))
        .await
        .unwrap()
        .unwrap()
        .manifest;
    let expected = 2 * WRITERS as u64 * INCREMENTS;
    assert_eq!(u64::from_le_bytes(total[..].try_into().unwrap()), expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other process of p4_two_processes_lose_no_update"]
async fn child() {
    if let Some(path) = env::var_os(FILE) {
        count(Path::new(&path)).await;
    }
}
