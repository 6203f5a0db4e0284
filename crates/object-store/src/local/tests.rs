use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use terrace_core::{Clock as _, ErrorKind, SystemClock};

use super::*;

const BODY: &str = "00/00000000000000000000000000000000.0000000000000001";
const VARIANT: &str =
    "ff/ff000000000000000000000000000000-00000000000000000000000000000000.00000000000000ff";

fn open(dir: &Path) -> Result<LocalDir> {
    LocalDir::open(dir, &LocalConfig::default())
}

fn place(dir: &Path, name: &str, age: Duration) -> PathBuf {
    let path = dir.join(name);
    let file = File::create(&path).unwrap();
    file.set_modified(SystemClock.now().before(age).into())
        .unwrap();
    path
}

#[test]
fn p9_a_start_alone_removes_every_leftover_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let leftovers = [
        format!("{BODY}#1"),
        format!("{BODY}#27"),
        format!("{VARIANT}#1"),
    ]
    .map(|name| place(dir.path(), &name, Duration::ZERO));
    let kept = [
        BODY,
        VARIANT,
        "00/notes#1",
        "00/notes.txt",
        "stray#1",
        "00/00000000000000000000000000000000.0000000000000001#",
        "00/00000000000000000000000000000000.0000000000000001#x",
    ]
    .map(|name| place(dir.path(), name, Duration::ZERO));

    assert_eq!(open(dir.path()).unwrap().swept(), 3);
    assert!(leftovers.iter().all(|path| !path.exists()));
    assert!(kept.iter().all(|path| path.exists()));
    assert_eq!(open(dir.path()).unwrap().swept(), 0);
}

#[test]
fn p9_a_start_beside_another_process_removes_only_what_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let other = open(dir.path()).unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let young = place(dir.path(), &format!("{BODY}#1"), hours(23));
    let old = place(dir.path(), &format!("{BODY}#2"), hours(25));

    let second = open(dir.path()).unwrap();
    assert_eq!(second.swept(), 1);
    assert!(young.exists() && !old.exists());

    drop(other);
    assert_eq!(open(dir.path()).unwrap().swept(), 0, "the second is alive");
    drop(second);
    assert_eq!(open(dir.path()).unwrap().swept(), 1, "nobody is");
    assert!(!young.exists());
}

/// Whoever believes to be alone really is: nobody else has got past its start.
#[test]
fn concurrent_starts_never_sweep_under_somebody_who_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, writing) = (dir.path().join(".lock"), Arc::new(AtomicUsize::new(0)));
    let alone_count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let (lock, ()) = lock::open(&path, |alone| {
                        if alone {
                            alone_count.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(writing.load(Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            assert_eq!(writing.load(Ordering::SeqCst), 0);
                        }
                        Ok(())
                    })
                    .unwrap();
                    writing.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    writing.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                }
            });
        }
    });
    assert!(alone_count.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_start_that_fails_lets_go_of_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".lock");
    let broken = || terrace_core::Error::new(ErrorKind::Internal, "test", "broken");
    assert!(lock::open(&path, |_| Err::<(), _>(broken())).is_err());
    let (_lock, alone) = lock::open(&path, Ok).unwrap();
    assert!(alone);
}

#[test]
fn a_path_through_a_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let below = dir.path().join("file/bodies");
    let error = open(&below).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("file/bodies"), "{error}");
}

#[test]
fn missing_directories_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let local = open(&dir.path().join("a/b/c")).unwrap();
    assert_eq!(fs::read_dir(local.root()).unwrap().count(), 256 + 1);
}
