//! Uploads in parts, and reads, of a store that stalls, fails and lies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use terrace_core::{Applied, BlobName, BlobStore, ErrorKind, Generation, Key, Runtime};
use terrace_object_store::{ObjectBlob, ObjectBlobConfig};
use terrace_testkit::{CurrentRuntime, drop_after};

use crate::faulty::{Faults, FaultyStore};

const PART: usize = 100;
const PARALLEL: usize = 2;

fn store(runtime: Arc<dyn Runtime>) -> (ObjectBlob, Arc<Faults>) {
    let store = FaultyStore::default();
    let faults = Arc::clone(&store.faults);
    let config = ObjectBlobConfig {
        part_size: PART,
        parallel_parts: PARALLEL,
        ..ObjectBlobConfig::default()
    };
    let blob = ObjectBlob::new(Arc::new(store), runtime, &config).unwrap();
    (blob, faults)
}

fn name() -> BlobName {
    BlobName {
        key: Key::named("a"),
        generation: Generation::from_u64(7).unwrap(),
    }
}

fn body(len: usize) -> Bytes {
    (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// Waits until `holds`; only a test that fails waits for long.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn p12_a_write_waits_when_its_memory_is_used_up() {
    let (blob, faults) = store(CurrentRuntime::port());
    let none = faults.part_permits.forget_permits(usize::MAX);
    assert!(none > 0);
    let mut writer = blob.put(&name()).await.unwrap();
    // Two parts under way, and one in the buffer: that is all there may be.
    writer.write(body((PARALLEL + 1) * PART)).await.unwrap();
    eventually("both parts begin", || {
        faults.parts_begun.load(Ordering::SeqCst) == PARALLEL
    })
    .await;

    let mut blocked = Box::pin(async move {
        writer.write(Bytes::from_static(b"x")).await.unwrap();
        writer
    });
    assert!(drop_after(1, &mut blocked).await.is_none(), "it waits");
    assert_eq!(faults.parts_begun.load(Ordering::SeqCst), PARALLEL);

    faults.part_permits.add_permits(1000);
    blocked.await.finish().await.unwrap();
    let mut expected = body((PARALLEL + 1) * PART).to_vec();
    expected.push(b'x');
    let len = expected.len() as u64;
    let read: Vec<Bytes> = blob
        .get(&name(), 0..len)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(read.concat(), expected);
}

#[tokio::test]
async fn p5_a_dropped_writer_aborts() {
    let (blob, faults) = store(CurrentRuntime::port());
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(5 * PART)).await.unwrap();
    drop(writer);
    eventually("the abort", || faults.aborted.load(Ordering::SeqCst) == 1).await;
    assert_eq!(blob.head(&name()).await.unwrap(), None);
}

#[tokio::test]
async fn p5_a_small_writer_dropped_has_asked_for_nothing() {
    let (blob, faults) = store(CurrentRuntime::port());
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(PART)).await.unwrap();
    drop(writer);
    assert_eq!(faults.parts_begun.load(Ordering::SeqCst), 0);
    assert_eq!(blob.head(&name()).await.unwrap(), None);
}

#[tokio::test]
async fn a_body_of_exactly_one_part_is_one_request() {
    let (blob, faults) = store(CurrentRuntime::port());
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(PART)).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(faults.parts_begun.load(Ordering::SeqCst), 0);
    assert_eq!(blob.head(&name()).await.unwrap().unwrap().len, PART as u64);
}

#[tokio::test]
async fn p5_a_failed_part_loses_the_write() {
    for failing in 0..4 {
        let (blob, faults) = store(CurrentRuntime::port());
        faults.failing_part.store(failing, Ordering::SeqCst);
        let mut writer = blob.put(&name()).await.unwrap();
        let mut failure = None;
        for _ in 0..4 {
            match writer.write(body(PART)).await {
                Ok(()) => assert!(failure.is_none(), "later calls fail as well"),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let finished = writer.finish().await.unwrap_err();
        let first = failure.unwrap_or(finished);
        assert_eq!(first.kind(), ErrorKind::Unavailable, "part {failing}");
        assert_eq!(first.applied(), Applied::No, "part {failing}");
        eventually("the abort", || faults.aborted.load(Ordering::SeqCst) == 1).await;
        assert_eq!(blob.head(&name()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_failed_completion_may_have_taken_effect() {
    let (blob, faults) = store(CurrentRuntime::port());
    faults.fail_complete.store(true, Ordering::SeqCst);
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(3 * PART)).await.unwrap();
    let error = writer.finish().await.unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown);
    eventually("the abort", || faults.aborted.load(Ordering::SeqCst) == 1).await;
}

/// A runtime in which no time passes.
#[derive(Debug)]
struct NoTime(Arc<dyn Runtime>);

impl Runtime for NoTime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

#[tokio::test]
async fn p9_an_abort_that_fails_is_tried_again() {
    let (blob, faults) = store(Arc::new(NoTime(CurrentRuntime::port())));
    faults.failing_aborts.store(3, Ordering::SeqCst);
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(5 * PART)).await.unwrap();
    drop(writer);
    eventually("the abort", || faults.aborted.load(Ordering::SeqCst) == 1).await;
    assert_eq!(faults.failing_aborts.load(Ordering::SeqCst), 0);
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
async fn p9_a_runtime_that_shuts_down_is_an_error_not_a_hang() {
    let (blob, _) = store(Arc::new(ShutDown));
    let mut writer = blob.put(&name()).await.unwrap();
    let error = writer.write(body(4 * PART)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(writer.write(body(1)).await.is_err());
    assert!(writer.finish().await.is_err());
}

#[tokio::test]
async fn p1_a_write_dropped_half_way_cannot_be_finished() {
    let (blob, faults) = store(CurrentRuntime::port());
    assert!(faults.part_permits.forget_permits(usize::MAX) > 0);
    let mut writer = blob.put(&name()).await.unwrap();
    let dropped = drop_after(1, writer.write(body(10 * PART))).await;
    assert!(dropped.is_none());
    faults.part_permits.add_permits(1000);
    assert_eq!(
        writer.finish().await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(blob.head(&name()).await.unwrap(), None);
}

#[tokio::test]
async fn p1_an_answer_cut_short_is_an_error() {
    let (blob, faults) = store(CurrentRuntime::port());
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(1000)).await.unwrap();
    writer.finish().await.unwrap();
    faults.cut_short.store(1, Ordering::SeqCst);
    let mut read = blob.get(&name(), 0..1000).await.unwrap();
    assert_eq!(read.try_next().await.unwrap().unwrap().len(), 999);
    assert_eq!(
        read.try_next().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert_eq!(read.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_failure_without_a_reason_is_checked_for_a_wrong_range() {
    let (blob, faults) = store(CurrentRuntime::port());
    let mut writer = blob.put(&name()).await.unwrap();
    writer.write(body(1000)).await.unwrap();
    writer.finish().await.unwrap();
    faults.fail_reads.store(true, Ordering::SeqCst);
    for (range, kind) in [
        (0..1000, ErrorKind::Unavailable),
        (0..1001, ErrorKind::Invalid),
        (1000..1001, ErrorKind::Invalid),
    ] {
        let error = blob.get(&name(), range).await.err().unwrap();
        assert_eq!(error.kind(), kind);
    }
}

#[tokio::test]
async fn a_configuration_that_makes_no_sense_is_refused() {
    for config in [
        ObjectBlobConfig {
            part_size: 0,
            ..ObjectBlobConfig::default()
        },
        ObjectBlobConfig {
            parallel_parts: 0,
            ..ObjectBlobConfig::default()
        },
        ObjectBlobConfig {
            parallel_parts: usize::MAX,
            ..ObjectBlobConfig::default()
        },
        ObjectBlobConfig {
            prefix: "a/../b".into(),
            ..ObjectBlobConfig::default()
        },
    ] {
        let store = Arc::new(FaultyStore::default());
        let error = ObjectBlob::new(store, CurrentRuntime::port(), &config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
