//! A server in trouble: what is asked again, and for how long.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures::TryStreamExt as _;
use terrace_core::{BlobName, BlobStore as _, ErrorKind, Generation, Key, Retry};
use terrace_s3::S3Blob;
use terrace_testkit::CurrentRuntime;

use crate::meddler::{Meddler, Request, Verdict, meddled};

/// Two parts.
const LENGTH: usize = 7 << 20;
const SLOW_DOWN: Verdict = Verdict::Say(503, "<Error><Code>SlowDown</Code></Error>");

fn name() -> BlobName {
    BlobName {
        key: Key::named("troubled"),
        generation: Generation::from_u64(7).unwrap(),
    }
}

/// No two pieces of it are alike.
fn body() -> Bytes {
    (0..LENGTH as u64 / 8)
        .flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect()
}

async fn write(store: &S3Blob) -> terrace_core::Result<()> {
    let mut writer = store.put(&name()).await?;
    writer.write(body()).await?;
    writer.finish().await
}

async fn read(store: &S3Blob) -> terrace_core::Result<Bytes> {
    let pieces = store.get(&name(), 0..LENGTH as u64).await?;
    let pieces: Vec<Bytes> = pieces.try_collect().await?;
    Ok(pieces.concat().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_what_a_server_in_trouble_refuses_twice_is_asked_a_third_time() {
    for (endpoint, config) in meddled() {
        let mut refused = HashMap::<_, u32>::new();
        let judge = move |request: &Request| {
            let request = (
                request.method.clone(),
                request.path.clone(),
                request.query.clone(),
            );
            let times = refused.entry(request).or_default();
            *times += 1;
            if *times <= 2 {
                SLOW_DOWN
            } else {
                Verdict::Pass
            }
        };
        let (_meddler, config) = Meddler::before(&config, judge).await;
        let store = S3Blob::connect(config, CurrentRuntime::port());
        let store = store.await.unwrap();
        write(&store).await.unwrap();
        let length = store.head(&name()).await.unwrap().map(|info| info.len);
        assert_eq!(length, Some(LENGTH as u64), "{endpoint}");
        assert!(read(&store).await.unwrap() == body(), "{endpoint}");
        let listed: Vec<_> = store.list().try_collect().await.unwrap();
        assert_eq!(listed.len(), 1, "{endpoint}");
        store.delete(&name()).await.unwrap();
        assert_eq!(store.head(&name()).await.unwrap(), None, "{endpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_a_server_that_stays_in_trouble_is_asked_as_often_as_was_said() {
    for (endpoint, config) in meddled() {
        let (in_trouble, asked) = (
            Arc::new(AtomicBool::new(false)),
            Arc::<AtomicUsize>::default(),
        );
        let (trouble, count) = (Arc::clone(&in_trouble), Arc::clone(&asked));
        let judge = move |_: &Request| {
            if trouble.load(Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
                return SLOW_DOWN;
            }
            Verdict::Pass
        };
        let (_meddler, mut config) = Meddler::before(&config, judge).await;
        config.options.retries = 2;
        let store = S3Blob::connect(config, CurrentRuntime::port());
        let store = store.await.unwrap();
        in_trouble.store(true, Ordering::SeqCst);
        let error = store.head(&name()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{endpoint}: {error}");
        assert_eq!(error.retry(), Retry::Later, "{endpoint}: {error}");
        assert_eq!(asked.load(Ordering::SeqCst), 3, "{endpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_read_that_breaks_off_goes_on_from_there_or_is_an_error() {
    for (endpoint, config) in meddled() {
        let breaks = Arc::<AtomicUsize>::default();
        let left = Arc::clone(&breaks);
        let judge = move |request: &Request| {
            let take = |left: usize| left.checked_sub(1);
            let is_read = request.method == "GET" && request.has_header("range");
            if is_read
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_ok()
            {
                return Verdict::Break(1_000_000);
            }
            Verdict::Pass
        };
        let (_meddler, config) = Meddler::before(&config, judge).await;
        let store = S3Blob::connect(config, CurrentRuntime::port());
        let store = store.await.unwrap();
        write(&store).await.unwrap();

        breaks.store(3, Ordering::SeqCst);
        assert!(read(&store).await.unwrap() == body(), "{endpoint}");
        assert_eq!(breaks.load(Ordering::SeqCst), 0, "{endpoint}");

        breaks.store(1_000, Ordering::SeqCst);
        let error = read(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{endpoint}: {error}");
        breaks.store(0, Ordering::SeqCst);
        store.delete(&name()).await.unwrap();
    }
}
