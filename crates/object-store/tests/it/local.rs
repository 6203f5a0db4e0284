//! What is special about a directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use terrace_core::{Applied, BlobName, BlobStore, ErrorKind, Generation, Key};
use terrace_object_store::{LocalConfig, ObjectBlob};
use terrace_testkit::CurrentRuntime;

const PART: usize = 1000;

async fn open(dir: &Path) -> ObjectBlob {
    let config = LocalConfig {
        part_size: PART,
        ..LocalConfig::default()
    };
    ObjectBlob::local(dir, CurrentRuntime::port(), config)
        .await
        .unwrap()
}

fn name(n: u64) -> BlobName {
    BlobName {
        key: Key::named(n.to_le_bytes()),
        generation: Generation::from_u64(n + 1).unwrap(),
    }
}

fn path(dir: &Path, name: &BlobName) -> std::path::PathBuf {
    let key = name.key.to_string();
    dir.join(&key[..2])
        .join(format!("{key}.{}", name.generation))
}

async fn put(store: &ObjectBlob, name: &BlobName, len: usize) {
    let mut writer = store.put(name).await.unwrap();
    writer.write(vec![7; len].into()).await.unwrap();
    writer.finish().await.unwrap();
}

/// Every file in the shards, sorted.
fn files(dir: &Path) -> Vec<String> {
    let shards = fs::read_dir(dir)
        .unwrap()
        .flatten()
        .filter(|e| e.path().is_dir());
    let files = shards.flat_map(|shard| fs::read_dir(shard.path()).unwrap().flatten());
    let mut names: Vec<_> = files
        .map(|f| f.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn until_empty(dir: &Path) {
    for _ in 0..2000 {
        if files(dir).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("left behind: {:?}", files(dir));
}

#[tokio::test]
async fn bodies_survive_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let lens = [0, 1, PART, PART + 1, 10 * PART];
    let store = open(dir.path()).await;
    for (n, len) in (0..).zip(lens) {
        put(&store, &name(n), len).await;
    }
    drop(store);

    let store = open(dir.path()).await;
    for (n, len) in (0..).zip(lens) {
        let read: Vec<Bytes> = store
            .get(&name(n), 0..len as u64)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(read.concat(), vec![7; len]);
        assert!(path(dir.path(), &name(n)).is_file());
    }
    assert_eq!(
        store.list().try_collect::<Vec<_>>().await.unwrap().len(),
        lens.len()
    );
}

#[tokio::test]
async fn p9_a_dropped_writer_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut writer = store.put(&name(1)).await.unwrap();
    writer.write(vec![7; 10 * PART].into()).await.unwrap();
    drop(writer);
    until_empty(dir.path()).await;
}

#[tokio::test]
async fn p9_a_finish_that_fails_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for len in [10, 10 * PART] {
        // Nothing can be renamed over a directory.
        let in_the_way = path(dir.path(), &name(1));
        fs::create_dir(&in_the_way).unwrap();
        let mut writer = store.put(&name(1)).await.unwrap();
        writer.write(vec![7; len].into()).await.unwrap();
        let error = writer.finish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(error.applied(), Applied::No);
        fs::remove_dir(&in_the_way).unwrap();
        until_empty(dir.path()).await;
        assert_eq!(store.head(&name(1)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn p9_what_a_killed_process_left_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert_eq!(store.swept(), 0);
    put(&store, &name(1), 10).await;
    let body = path(dir.path(), &name(1));
    fs::copy(&body, format!("{}#1", body.display())).unwrap();
    drop(store);

    let store = open(dir.path()).await;
    assert_eq!(store.swept(), 1);
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(store.head(&name(1)).await.unwrap().unwrap().len, 10);
}

#[tokio::test]
async fn a_writer_keeps_the_directory_locked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut writer = store.put(&name(1)).await.unwrap();
    drop(store);
    writer.write(vec![7; 10 * PART].into()).await.unwrap();
    let second = open(dir.path()).await;
    writer.finish().await.unwrap();
    assert_eq!(second.swept(), 0, "the upload was left alone");
    assert_eq!(
        second.head(&name(1)).await.unwrap().unwrap().len,
        10 * PART as u64
    );
}

#[tokio::test]
async fn foreign_files_are_neither_listed_nor_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    put(&store, &name(1), 10).await;
    let body = path(dir.path(), &name(1));
    let shard = body.parent().unwrap();
    for foreign in [
        "notes.txt",
        "x#1",
        "a b%20c",
        "\u{fe}\u{1F600}",
        "new\nline",
    ] {
        fs::write(shard.join(foreign), b"foreign").unwrap();
        fs::write(dir.path().join(foreign), b"foreign").unwrap();
    }
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    let elsewhere = if shard.ends_with("00") { "01" } else { "00" };
    let file = body.file_name().unwrap();
    fs::copy(&body, dir.path().join(elsewhere).join(file)).unwrap();
    fs::create_dir(path(dir.path(), &name(2))).unwrap();
    fs::copy(&body, format!("{}#1", body.display())).unwrap();
    let listed: Vec<_> = store.list().try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, name(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_foreign_name_that_is_no_text_is_skipped() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    put(&store, &name(1), 10).await;
    let foreign = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let body = path(dir.path(), &name(1));
    fs::write(body.with_file_name(foreign), b"foreign").unwrap();
    let listed: Vec<_> = store.list().try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_shard_that_was_removed_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    fs::remove_dir(path(dir.path(), &name(1)).parent().unwrap()).unwrap();
    assert_eq!(store.list().try_collect::<Vec<_>>().await.unwrap(), vec![]);
    assert_eq!(store.head(&name(1)).await.unwrap(), None);
    put(&store, &name(1), 10 * PART).await;
    assert_eq!(store.list().try_collect::<Vec<_>>().await.unwrap().len(), 1);
}
