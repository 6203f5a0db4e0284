//! What a start says that cannot succeed.

use terrace_core::{Error, ErrorKind};
use terrace_s3::{Credentials, S3Blob, S3Config};
use terrace_testkit::CurrentRuntime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::endpoints;

async fn refusal(config: S3Config) -> Error {
    let store = S3Blob::connect(config, CurrentRuntime::port());
    store.await.expect_err("it cannot be used")
}

/// Kind and advice are as they should be, and no secret is in any of it.
fn check(error: &Error, kind: ErrorKind, advice: &str) {
    let said = format!("{error} {error:?}");
    assert_eq!(error.kind(), kind, "{said}");
    assert!(error.to_string().contains(advice), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

#[tokio::test]
async fn a_missing_bucket_is_told() {
    for (_, config) in endpoints::all() {
        let mut config = endpoints::own(&config);
        config.options.create_bucket = false;
        config.bucket = "terrace-no-such-bucket".to_owned();
        check(&refusal(config).await, ErrorKind::Invalid, "create_bucket");
    }
}

#[tokio::test]
async fn p11_keys_that_are_wrong_are_told_and_not_printed() {
    for (_, config) in endpoints::all() {
        let config = endpoints::own(&config);
        let unknown = Credentials::keys("nobody", "canary");
        let error = refusal(config.clone().credentials(unknown)).await;
        check(&error, ErrorKind::Denied, "access key");
        let Credentials::Keys { access_key, .. } = &config.credentials else {
            continue;
        };
        let wrong = Credentials::keys(access_key.clone(), "canary");
        let error = refusal(config.credentials(wrong)).await;
        check(&error, ErrorKind::Denied, "secret key");
    }
}

/// A bucket at a server that answers every request with `answer`, or closes the connection if that is empty.
async fn answering(answer: &'static str) -> S3Config {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = client.read(&mut request).await;
            let _ = client.write_all(answer.as_bytes()).await;
        }
    };
    CurrentRuntime::port().spawn(Box::pin(serve));
    S3Config::new("bodies")
        .region("us-east-1")
        .endpoint(format!("http://{address}"))
        .credentials(Credentials::keys("key", "canary"))
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    let config = answering(
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code><Message>The \
         difference is too large.</Message></Error>",
    );
    check(&refusal(config.await).await, ErrorKind::Denied, "clock");
}

#[tokio::test]
async fn another_region_is_told_by_name() {
    let config = answering(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<Error><Code>AuthorizationHeaderMalformed</Code><Message>\
         The region is wrong</Message><Region>eu-west-7</Region></Error>",
    );
    let error = refusal(config.await).await;
    check(&error, ErrorKind::Invalid, "another region");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("eu-west-7"), "{source}");
}

#[tokio::test]
async fn path_style_is_advised_where_the_host_is_not_known() {
    let config = answering(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ListAllMyBucketsResult></ListAllMyBucketsResult>",
    );
    let error = refusal(config.await).await;
    check(&error, ErrorKind::Unsupported, "path style");
}

#[tokio::test]
async fn what_is_no_object_store_is_told() {
    let page = answering("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Welcome</html>").await;
    let error = refusal(page).await;
    check(&error, ErrorKind::Unsupported, "no object store");
    let silent = refusal(answering("").await).await;
    check(&silent, ErrorKind::Unavailable, "broke");
}

#[tokio::test]
async fn where_nobody_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = S3Config::new("bodies")
        .region("us-east-1")
        .endpoint(format!("http://{address}"))
        .credentials(Credentials::keys("key", "canary"));
    check(
        &refusal(config).await,
        ErrorKind::Unavailable,
        "cannot be reached",
    );
}
