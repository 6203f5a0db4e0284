//! What each refusal of DynamoDB is to a caller, and what it tells the operator.

use terrace_core::{Applied, ErrorKind, IndexStore, Retry};
use terrace_testkit::sample::{key, record};

use crate::fake::{Answer, Fake, connect, nowhere};

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let refusals = [
        (
            "ResourceNotFoundException",
            "Cannot do operations",
            ErrorKind::NotFound,
            "region",
        ),
        (
            "AccessDeniedException",
            "not authorized",
            ErrorKind::Denied,
            "grant",
        ),
        (
            "UnrecognizedClientException",
            "token invalid",
            ErrorKind::Denied,
            "access key",
        ),
        (
            "ExpiredTokenException",
            "expired",
            ErrorKind::Denied,
            "expired",
        ),
        (
            "InvalidSignatureException",
            "Signature expired",
            ErrorKind::Denied,
            "clock",
        ),
        (
            "ValidationException",
            "Item size has exceeded the maximum allowed size",
            ErrorKind::Exhausted,
            "larger",
        ),
        (
            "ValidationException",
            "key element",
            ErrorKind::Invalid,
            "other keys",
        ),
        (
            "TransactionConflictException",
            "ongoing",
            ErrorKind::Contended,
            "try again",
        ),
        (
            "NeverHeardOfException",
            "what?",
            ErrorKind::Internal,
            "cause",
        ),
    ];
    let fake = Fake::start().await;
    let index = fake.index().await;
    for (code, said, kind, advice) in refusals {
        // As often as it may be tried.
        let answers = match kind {
            ErrorKind::Contended => 3,
            _ => 1,
        };
        fake.script(vec![Answer::refusal(400, code, said); answers]);
        let error = index.put_new(&key(1), &record(10, 1)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert_eq!(error.applied(), Applied::No, "{code}: {error}");
        let text = error.to_string();
        assert!(text.contains(advice), "{code}: {text}");
        assert!(
            text.contains("table terrace in us-east-1"),
            "{code}: {text}"
        );
        assert_eq!(fake.operations().len(), answers, "{code}: requests");
        assert!(
            std::error::Error::source(&error).is_some(),
            "{code}: the cause is kept"
        );
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_a_conflict() {
    let fake = Fake::start().await;
    let index = fake.index().await;
    let code = "ConditionalCheckFailedException";
    fake.script([Answer::refusal(400, code, "The conditional request failed")]);
    let put = index.put_new(&key(1), &record(10, 1)).await.unwrap();
    assert_eq!(put, terrace_core::Cas::Conflict);
    assert_eq!(fake.operations(), ["PutItem"]);
}

#[tokio::test]
async fn a_start_without_dynamodb_goes_on_and_promises_less() {
    let index = connect(nowhere().await).await.unwrap();
    assert!(!index.capabilities().durable, "nobody has seen the table");
    let error = index.get(&key(1)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::Later)
    );

    let mut config = nowhere().await;
    config.create = Some(terrace_dynamodb::Billing::OnDemand);
    let error = connect(config).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Unavailable,
        "it cannot be made: {error}"
    );
}
