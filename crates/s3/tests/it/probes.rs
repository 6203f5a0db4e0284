//! What a start finds out about a server: one that cannot keep bodies is refused, and of another it is known what it can do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use terrace_core::ErrorKind;
use terrace_s3::{Condition, S3Blob, S3Config, UploadList};
use terrace_testkit::CurrentRuntime;

use crate::endpoints;
use crate::meddler::{Meddler, Request, Verdict, meddled};

const EMPTY_LIST: &str = "<ListBucketResult></ListBucketResult>";
const NO_UPLOADS: &str = "<ListMultipartUploadsResult></ListMultipartUploadsResult>";

/// What is answered to which requests, and what is then said of the server.
type Lie = (fn(&Request) -> bool, Verdict, &'static str);

fn lies() -> [Lie; 9] {
    let reads = |it: &Request| it.is("GET", "a") && !it.has_header("range");
    let ranges = |it: &Request| it.is("GET", "a") && it.has_header("range");
    let lists = |it: &Request| it.query.contains("max-keys=2");
    let deletes = |it: &Request| it.is("DELETE", "a");
    let sees = |it: &Request| it.is("GET", "upload");
    let aborts = |it: &Request| it.method == "DELETE" && it.query.contains("uploadId");
    let begins = |it: &Request| it.method == "POST" && it.query.starts_with("uploads");
    let heads = |it: &Request| it.is("HEAD", "a");
    [
        (reads, Verdict::Say(200, "else"), "it is something else"),
        (
            ranges,
            Verdict::Say(200, "else"),
            "something else than the range",
        ),
        (heads, Verdict::Without("content-length"), "does not say"),
        (heads, Verdict::Without("last-modified"), "does not say"),
        (
            lists,
            Verdict::Say(200, EMPTY_LIST),
            "lacks what was just written",
        ),
        (deletes, Verdict::Say(204, ""), "still there afterwards"),
        (begins, Verdict::Say(200, "else"), "something else"),
        (sees, Verdict::Say(200, ""), "unfinished upload can be seen"),
        (aborts, Verdict::Say(204, ""), "still there afterwards"),
    ]
}

async fn connect(config: S3Config) -> terrace_core::Result<S3Blob> {
    S3Blob::connect(config, CurrentRuntime::port()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_keep_bodies_is_refused() {
    for (endpoint, config) in meddled() {
        for (is_meant, lie, advice) in lies() {
            let judge = move |request: &Request| {
                if is_meant(request) {
                    lie
                } else {
                    Verdict::Pass
                }
            };
            let (_meddler, config) = Meddler::before(&config, judge).await;
            let error = connect(config).await.expect_err(advice);
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{endpoint}: {error}");
            assert!(error.to_string().contains(advice), "{endpoint}: {error}");
        }
    }
}

/// The status of a completion comes before the work is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_fails_after_its_status_is_refused() {
    const FAILED: &str = "<Error><Code>InternalError</Code></Error>";
    for (endpoint, config) in meddled() {
        let judge = |request: &Request| match &*request.method {
            "POST" if request.query.contains("uploadId") => Verdict::Say(200, FAILED),
            _ => Verdict::Pass,
        };
        let (_meddler, config) = Meddler::before(&config, judge).await;
        let error = connect(config).await.expect_err("nothing was completed");
        assert!(
            error.to_string().contains("complete"),
            "{endpoint}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_can_do_is_known() {
    for (endpoint, config) in meddled() {
        let honest = connect(endpoints::own(&config)).await.unwrap();
        let found = honest.capabilities().clone();
        assert!(found.list_in_order, "{endpoint}");
        assert_ne!(found.uploads, UploadList::Missing, "{endpoint}");

        // One that does not know conditions, nor checksums, and has no list of uploads.
        let judge = |request: &Request| match &*request.query {
            query if query.starts_with("uploads=") && request.method == "GET" => {
                Verdict::Say(403, "<Error><Code>AccessDenied</Code></Error>")
            }
            _ if request.has_header("if-none-match") => Verdict::Say(200, ""),
            _ if request.has_header("x-amz-checksum-sha256") => Verdict::Say(200, ""),
            _ => Verdict::Pass,
        };
        let (_meddler, through) = Meddler::before(&config, judge).await;
        let less = connect(through).await.unwrap();
        let less = less.capabilities();
        assert_eq!(less.create_only, Condition::Ignored, "{endpoint}");
        assert!(!less.verifies_checksums, "{endpoint}");
        assert_eq!(less.uploads, UploadList::Missing, "{endpoint}");

        // One that refuses conditions, and does not find uploads by their prefix.
        let judge = |request: &Request| match &*request.query {
            query if query.starts_with("uploads=&prefix=") => Verdict::Say(200, NO_UPLOADS),
            _ if request.has_header("if-none-match") => {
                Verdict::Say(501, "<Error><Code>NotImplemented</Code></Error>")
            }
            _ => Verdict::Pass,
        };
        let (_meddler, through) = Meddler::before(&config, judge).await;
        let other = connect(through).await.unwrap();
        let other = other.capabilities();
        assert_eq!(other.create_only, Condition::Refused, "{endpoint}");
        assert_eq!(other.uploads, UploadList::WholeBucket, "{endpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_what_the_probe_of_a_killed_process_left_is_deleted_once_it_is_old() {
    for (endpoint, config) in meddled() {
        // Killed, as it were, before it cleans up.
        let judge = |request: &Request| {
            if request.is("DELETE", "b") {
                Verdict::Say(204, "")
            } else {
                Verdict::Pass
            }
        };
        let (_killed, through) = Meddler::before(&config, judge).await;
        let prefix = through.options.bodies.prefix.clone();
        connect(through).await.unwrap();

        for (stale_after, is_deleted) in [(Duration::from_hours(1), false), (Duration::ZERO, true)]
        {
            let deleted = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&deleted);
            let judge = move |request: &Request| {
                if request.is("DELETE", "b") {
                    seen.lock().unwrap().push(request.path.clone());
                }
                Verdict::Pass
            };
            let (_counts, mut through) = Meddler::before(&config, judge).await;
            through.options.bodies.prefix.clone_from(&prefix);
            through.options.stale_after = stale_after;
            connect(through).await.unwrap();
            // Its own, and the one that was left.
            let expected = 1 + usize::from(is_deleted);
            let deleted = deleted.lock().unwrap();
            assert_eq!(deleted.len(), expected, "{endpoint}: {deleted:?}");
        }
    }
}
