//! Unfinished uploads are removed: at once, or by the next start.

use std::time::Duration;

use bytes::Bytes;
use terrace_core::{BlobName, BlobStore as _, Generation, Key};
use terrace_s3::{S3Blob, S3Config, UploadList};
use terrace_testkit::CurrentRuntime;
use tokio::time::timeout;

use crate::endpoints;
use crate::meddler::{Meddler, Request, Verdict, meddled};

const PART: usize = 5 << 20;
/// Only a test that fails waits for so long.
const HANGING: Duration = Duration::from_secs(100);

fn name() -> BlobName {
    BlobName {
        key: Key::named("swept"),
        generation: Generation::from_u64(7).unwrap(),
    }
}

/// With everything stale that is unfinished.
fn at_once(config: &S3Config) -> S3Config {
    let mut config = config.clone();
    config.options.stale_after = Duration::ZERO;
    config
}

async fn connect(config: S3Config) -> S3Blob {
    let store = S3Blob::connect(config, CurrentRuntime::port());
    store.await.unwrap()
}

/// Uploads some parts, and then the process, as it were, is gone.
fn killed_while_it_writes(config: S3Config) {
    let process = tokio::runtime::Runtime::new().unwrap();
    process.block_on(async {
        let store = connect(config).await;
        let mut writer = store.put(&name()).await.unwrap();
        // Accepted only when the upload has begun and parts are on their way.
        for _ in 0..8 {
            writer.write(Bytes::from(vec![1; PART])).await.unwrap();
        }
        std::mem::forget(writer);
    });
    process.shutdown_background();
}

#[test]
fn p9_what_a_killed_process_had_uploaded_is_swept_by_the_next_start_and_nothing_else() {
    for (endpoint, config) in endpoints::all() {
        let (ours, others) = (endpoints::own(&config), endpoints::own(&config));
        killed_while_it_writes(ours.clone());
        let next = tokio::runtime::Runtime::new().unwrap();
        next.block_on(async {
            let other = connect(at_once(&others)).await;
            assert_eq!(other.swept(), 0, "{endpoint}: another cache's");
            let young = connect(ours.clone()).await;
            assert_eq!(young.swept(), 0, "{endpoint}: too young");
            let store = connect(at_once(&ours)).await;
            assert_ne!(store.capabilities().uploads, UploadList::Missing);
            assert_eq!(store.swept(), 1, "{endpoint}");
            assert_eq!(store.sweep().await.unwrap(), 0, "{endpoint}: once");
            assert_eq!(store.head(&name()).await.unwrap(), None);
        });
    }
}

/// A page of the list of uploads that has none, and says that there are more after `key`.
fn empty_page(key: &str) -> Verdict {
    let page = format!(
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
         </ListMultipartUploadsResult>"
    );
    Verdict::Say(200, page.leak())
}

#[test]
fn p9_what_is_not_on_the_first_page_of_uploads_is_swept() {
    for (endpoint, config) in meddled() {
        let ours = endpoints::own(&config);
        killed_while_it_writes(ours.clone());
        let next = tokio::runtime::Runtime::new().unwrap();
        next.block_on(async {
            let first = empty_page(&format!("{}/!", ours.options.bodies.prefix));
            let judge = move |request: &Request| {
                let lists = request.method == "GET" && request.query.starts_with("uploads=");
                let begins = !request.query.contains("key-marker");
                if lists && begins && !request.query.contains(".probe") {
                    first
                } else {
                    Verdict::Pass
                }
            };
            let (_meddler, mut through) = Meddler::before(&config, judge).await;
            through.options.bodies.prefix = ours.options.bodies.prefix;
            let store = connect(at_once(&through)).await;
            assert_eq!(store.swept(), 1, "{endpoint}");
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_a_list_of_uploads_that_does_not_move_on_ends() {
    for (endpoint, config) in meddled() {
        let page = empty_page("!");
        let judge = move |request: &Request| {
            if request.method == "GET" && request.query.starts_with("uploads=") {
                page
            } else {
                Verdict::Pass
            }
        };
        let (_meddler, through) = Meddler::before(&config, judge).await;
        let started = timeout(HANGING, connect(through)).await;
        let store = started.expect("it asks again and again");
        assert_eq!(
            store.capabilities().uploads,
            UploadList::Missing,
            "{endpoint}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_a_dropped_writer_leaves_no_upload() {
    for (endpoint, config) in endpoints::all() {
        let config = endpoints::own(&config);
        let store = connect(config).await;
        let mut writer = store.put(&name()).await.unwrap();
        for _ in 0..4 {
            writer.write(Bytes::from(vec![1; PART])).await.unwrap();
        }
        unfinished_become(&store, 1).await;
        drop(writer);
        unfinished_become(&store, 0).await;
        assert_eq!(store.head(&name()).await.unwrap(), None, "{endpoint}");
    }
}

/// Waits until so many uploads are unfinished.
async fn unfinished_become(store: &S3Blob, expected: u64) {
    let become_so = async {
        while store.unfinished().await.unwrap() != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(HANGING, become_so).await;
    waited.unwrap_or_else(|_| panic!("never {expected} unfinished uploads"));
}
