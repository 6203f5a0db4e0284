//! What a failure means, and what to do about it.

use std::error::Error as StdError;

use http::StatusCode;
use object_store::client::{HttpError, HttpErrorKind};
use terrace_core::ErrorKind;

use crate::s3::answer::Refusal;

/// What `error` means, if a server said it, or a connection failed.
pub(crate) fn of_failure(error: &object_store::Error) -> Option<(ErrorKind, &'static str)> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return Some(of_transport(error.kind()));
        }
        cause = error.source();
    }
    of_code(&Refusal::read(&error.to_string()).code)
}

/// `error` as a source of another: without what was signed, which some servers repeat when they refuse a signature, and
/// which contains the session token (promise P11).
pub(crate) fn presentable(error: object_store::Error) -> Box<dyn StdError + Send + Sync> {
    let said = error.to_string();
    if said.contains("CanonicalRequest") || said.contains("StringToSign") {
        let Refusal { code, message, .. } = Refusal::read(&said);
        return format!("{code}: {message}").into();
    }
    error.into()
}

pub(crate) fn of_transport(kind: HttpErrorKind) -> (ErrorKind, &'static str) {
    match kind {
        HttpErrorKind::Timeout => (ErrorKind::Timeout, "no answer in time"),
        HttpErrorKind::Connect => (
            ErrorKind::Unavailable,
            "it cannot be reached: check the endpoint, that the server runs, and its certificate",
        ),
        _ => (ErrorKind::Unavailable, "the connection broke"),
    }
}

/// What an answer means whose code says nothing.
pub(crate) fn of_status(status: StatusCode) -> (ErrorKind, &'static str) {
    match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => of_denial(),
        StatusCode::NOT_FOUND => (
            ErrorKind::NotFound,
            "there is no such thing: is the endpoint one of an object store?",
        ),
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT => of_region(),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            (ErrorKind::Unavailable, "the server is in trouble")
        }
        _ => (
            ErrorKind::Unsupported,
            "it answered what no object store does: check the endpoint",
        ),
    }
}

fn of_denial() -> (ErrorKind, &'static str) {
    (
        ErrorKind::Denied,
        "these credentials may not do this: grant reading, writing, deleting and listing of objects and uploads in \
         the bucket",
    )
}

fn of_region() -> (ErrorKind, &'static str) {
    (
        ErrorKind::Invalid,
        "the bucket is in another region: set the right one",
    )
}

/// What a code means, of those that say more than their status.
pub(crate) fn of_code(code: &str) -> Option<(ErrorKind, &'static str)> {
    Some(match code {
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => of_denial(),
        "InvalidAccessKeyId" | "UserSuspended" => (
            ErrorKind::Denied,
            "the access key is not known there: check the key, and that it is one of this endpoint",
        ),
        "SignatureDoesNotMatch" => (
            ErrorKind::Denied,
            "the secret key is not the one of the access key: check it",
        ),
        "RequestTimeTooSkewed" => (
            ErrorKind::Denied,
            "this machine's clock and the server's differ too much: set them right (NTP)",
        ),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "RequestExpired" => (
            ErrorKind::Denied,
            "the session token is not valid any more: get new credentials",
        ),
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException"
        | "InvalidRegion" => of_region(),
        // Not `NotFound`: that would say that one body is missing.
        "NoSuchBucket" => (
            ErrorKind::Unavailable,
            "there is no such bucket: make it, or correct its name",
        ),
        "InvalidBucketName" => (ErrorKind::Invalid, "no bucket can have this name"),
        "NoSuchKey" | "NoSuchUpload" => (ErrorKind::NotFound, "there is no such blob"),
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "TooManyBuckets" => (
            ErrorKind::Exhausted,
            "the store is full, or a quota used up: free space, run the garbage collection, or raise it",
        ),
        "EntityTooLarge" => (
            ErrorKind::Exhausted,
            "the body is larger than the store takes: raise part_size",
        ),
        "NotImplemented" | "MethodNotAllowed" => {
            (ErrorKind::Unsupported, "the store cannot do this")
        }
        "SlowDown"
        | "Busy"
        | "ServiceUnavailable"
        | "InternalError"
        | "OperationAborted"
        | "RequestTimeout"
        | "XMinioServerNotInitialized" => (
            ErrorKind::Unavailable,
            "the server is in trouble, or has too much to do; it will pass",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: format!("403 Forbidden: {body}").into(),
        }
    }

    #[test]
    fn p11_what_was_signed_is_in_no_source() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>It differs.</Message><CanonicalRequest>PUT\n\
                    x-amz-security-token:canary</CanonicalRequest></Error>";
        let source = presentable(refused(body));
        let said = format!("{source} {source:?}");
        assert!(said.contains("It differs."), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }

    #[test]
    fn codes_are_told_apart() {
        let kind = |code: &str| {
            let body = format!("<Error><Code>{code}</Code></Error>");
            of_failure(&refused(&body)).map(|(kind, _)| kind)
        };
        assert_eq!(kind("SlowDown"), Some(ErrorKind::Unavailable));
        assert_eq!(kind("QuotaExceeded"), Some(ErrorKind::Exhausted));
        assert_eq!(kind("NoSuchBucket"), Some(ErrorKind::Unavailable));
        assert_eq!(kind("InvalidRange"), None);
    }

    #[test]
    fn a_timeout_is_one() {
        let error = object_store::Error::Generic {
            store: "S3",
            source: Box::new(HttpError::new_boxed(HttpErrorKind::Timeout, "late".into())),
        };
        assert_eq!(of_failure(&error).unwrap().0, ErrorKind::Timeout);
    }
}
