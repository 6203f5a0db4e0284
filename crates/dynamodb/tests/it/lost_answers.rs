//! What is repeated, and what is not.

use std::pin::pin;
use std::time::Duration;

use terrace_core::{Applied, Cas, Error, ErrorKind, IndexStore, Retry, Timestamp};
use terrace_dynamodb::DdbIndex;
use terrace_testkit::sample::{key, record, version};

use crate::fake::{Answer, Fake, connect, nowhere};

/// Each of the writes once, with the name of its request.
async fn writes(index: &DdbIndex) -> [(&'static str, Result<Cas, Error>); 4] {
    let touched = index.touch_ttl(&key(1), version(1), Timestamp::MAX).await;
    [
        ("PutItem", index.put_new(&key(1), &record(10, 1)).await),
        (
            "PutItem",
            index.cas_update(&key(1), version(1), &record(10, 1)).await,
        ),
        ("DeleteItem", index.delete(&key(1), version(1)).await),
        ("UpdateItem", touched),
    ]
}

fn throttled(code: &str) -> Answer {
    Answer::refusal(400, code, "slow down")
}

#[tokio::test]
async fn what_was_throttled_is_repeated_and_done_once() {
    let fake = Fake::start().await;
    let index = fake.index().await;
    fake.script([
        throttled("ProvisionedThroughputExceededException"),
        throttled("ThrottlingException"),
        Answer::ok("{}"),
    ]);
    let put = index.put_new(&key(1), &record(10, 1)).await.unwrap();
    assert_eq!(put, Cas::Applied);
    assert_eq!(fake.operations(), ["PutItem"; 3]);

    fake.script([throttled("RequestLimitExceeded"), Answer::ok("{}")]);
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
    assert_eq!(fake.operations(), ["GetItem"; 2]);
}

#[tokio::test]
async fn what_is_throttled_for_ever_is_told() {
    let fake = Fake::start().await;
    let index = fake.index().await;
    fake.script(vec![throttled("ThrottlingException"); 3]);
    let error = index.put_new(&key(1), &record(10, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.applied(),
        Applied::No,
        "DynamoDB said that it did nothing"
    );
    assert_eq!(error.retry(), Retry::Later);
    assert!(error.to_string().contains("capacity"), "{error}");
    assert_eq!(fake.operations(), ["PutItem"; 3]);
}

#[tokio::test]
async fn p4_a_write_without_an_answer_is_sent_once_and_may_have_been_done() {
    let lost = [
        Answer::refusal(500, "InternalServerError", "oops"),
        Answer::refusal(503, "ServiceUnavailable", "oops"),
        Answer::Close,
        Answer::ok("this is no answer"),
    ];
    for answer in lost {
        let fake = Fake::start().await;
        let index = fake.index().await;
        fake.script(vec![answer.clone(); 4]);
        let answers = writes(&index).await;
        let sent = fake.operations();
        assert_eq!(sent.len(), answers.len(), "{answer:?}: {sent:?}");
        for (operation, written) in answers {
            let error = written.unwrap_err();
            assert_eq!(error.applied(), Applied::Unknown, "{operation}: {error}");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation}: {error}");
        }
    }
}

#[tokio::test]
async fn p4_a_write_that_hangs_ends_at_its_deadline_and_may_have_been_done() {
    let fake = Fake::start().await;
    let mut config = fake.config();
    config.attempt_timeout = Duration::from_millis(100);
    let index = connect(config).await.unwrap();
    fake.script(vec![Answer::Silence; 4]);
    for (operation, written) in writes(&index).await {
        let error = written.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{operation}: {error}");
        assert_eq!(error.applied(), Applied::Unknown, "{operation}: {error}");
    }
    let sent = fake.operations();
    assert!(sent.len() <= 4, "something was repeated: {sent:?}");
}

#[tokio::test]
async fn a_read_is_repeated_until_it_is_answered() {
    let fake = Fake::start().await;
    let mut config = fake.config();
    config.attempts = 6;
    let index = connect(config).await.unwrap();
    let lost = [
        Answer::refusal(500, "InternalServerError", "oops"),
        Answer::Close,
        Answer::ok("this is no answer"),
        throttled("ThrottlingException"),
        Answer::Close,
        Answer::ok("{}"),
    ];
    fake.script(lost.clone());
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
    assert_eq!(fake.operations(), ["GetItem"; 6]);
    fake.script(lost);
    assert!(index.scan(None, 10).await.unwrap().records.is_empty());
    assert_eq!(fake.operations(), ["Scan"; 6]);
}

#[tokio::test]
async fn a_read_that_hangs_is_tried_again_on_another_connection() {
    let fake = Fake::start().await;
    let mut config = fake.config();
    config.attempt_timeout = Duration::from_millis(300);
    config.attempts = 10;
    let index = connect(config).await.unwrap();
    fake.script([Answer::Silence, Answer::ok("{}")]);
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
    assert!(fake.operations().len() >= 2);
}

#[tokio::test]
async fn what_never_left_certainly_did_nothing() {
    let index = connect(nowhere().await).await.unwrap();
    for (operation, written) in writes(&index).await {
        let error = written.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation}: {error}");
        assert_eq!(error.applied(), Applied::No, "{operation}: {error}");
    }
}

#[tokio::test]
async fn calls_beyond_the_connections_wait_and_say_so() {
    let fake = Fake::start().await;
    let mut config = fake.config();
    config.connections = 1;
    config.call_timeout = Duration::from_millis(200);
    let index = connect(config).await.unwrap();
    fake.script([Answer::Silence]);
    let key = key(1);
    let mut hangs = pin!(index.get(&key));
    assert!(futures::poll!(hangs.as_mut()).is_pending());
    // It has the connection until it is polled again.
    let error = index.put_new(&key, &record(10, 1)).await.unwrap_err();
    assert_eq!(error.applied(), Applied::No, "{error}");
    assert!(error.to_string().contains("connections"), "{error}");
    assert_eq!(hangs.await.unwrap_err().kind(), ErrorKind::Timeout);
    let sent = fake.operations();
    assert!(!sent.contains(&"PutItem".to_owned()), "{sent:?}");
}
