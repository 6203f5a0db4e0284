use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use terrace_core::{Error, ErrorKind};

/// The condition of a write did not hold.
const CONDITION: &str = "ConditionalCheckFailedException";
/// The table, or the account, takes no more at the moment; nothing was done.
const THROTTLED: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "Throttling",
];

const NOT_UNDERSTOOD: &str = "the answer was not understood; is the endpoint DynamoDB's?";

/// An operation, for the errors it ends with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    name: &'static str,
    writes: bool,
}

/// How an attempt at a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether a repeat may help and can do no harm.
    pub(crate) repeat: bool,
}

/// What DynamoDB says when it refuses something.
pub(crate) trait Refusal: ProvideErrorMetadata + StdError + Send + Sync + 'static {}

impl<E: ProvideErrorMetadata + StdError + Send + Sync + 'static> Refusal for E {}

/// Whether the condition of a write did not hold.
pub(crate) fn is_conflict<E: Refusal>(error: &SdkError<E>) -> bool {
    error.code() == Some(CONDITION)
}

impl Op {
    /// One that changes nothing.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            writes: false,
        }
    }

    /// One that changes something, so that a lost answer leaves open whether it has, and a repeat might be
    /// refused because of the first attempt's effect.
    pub(crate) const fn write(name: &'static str) -> Self {
        Self { name, writes: true }
    }

    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    /// What `error`, at `place`, means to our caller.
    pub(crate) fn failure<E: Refusal>(self, place: &str, error: Box<SdkError<E>>) -> Failure {
        let Diagnosis {
            kind,
            advice,
            effect,
        } = diagnose(&error);
        let message = format!("{place}: {advice}");
        let error = Error::new(kind, self.name, message).with_source(*error);
        let is_unknown = self.writes && effect == Effect::Unknown;
        Failure {
            repeat: error.retry() == terrace_core::Retry::Later && !is_unknown,
            error: if is_unknown {
                error.maybe_applied()
            } else {
                error
            },
        }
    }

    /// There was no answer in time.
    pub(crate) fn late(self, place: &str) -> Failure {
        let message = format!("{place}: DynamoDB did not answer in time");
        let error = Error::new(ErrorKind::Timeout, self.name, message);
        Failure {
            repeat: !self.writes,
            error: if self.writes {
                error.maybe_applied()
            } else {
                error
            },
        }
    }

    /// There was no connection to be had in time, and nothing was sent.
    pub(crate) fn crowded(self, place: &str, connections: usize) -> Error {
        let message = format!(
            "{place}: all {connections} connections were in use; raise `connections` if that is no surprise"
        );
        Error::new(ErrorKind::Timeout, self.name, message)
    }

    /// What is stored is not what we write.
    pub(crate) fn damaged(self, place: &str, key: impl fmt::Display) -> Error {
        let message = format!(
            "{place}: the item of {key} is not one this cache wrote; does something else write to its table? \
             Delete it"
        );
        Error::new(ErrorKind::Corrupt, self.name, message)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Diagnosis {
    kind: ErrorKind,
    advice: &'static str,
    effect: Effect,
}

/// What a call that failed has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Unknown,
}

const fn refused(kind: ErrorKind, advice: &'static str) -> Diagnosis {
    Diagnosis {
        kind,
        advice,
        effect: Effect::None,
    }
}

const fn unknown(kind: ErrorKind, advice: &'static str) -> Diagnosis {
    Diagnosis {
        kind,
        advice,
        effect: Effect::Unknown,
    }
}

fn diagnose<E: Refusal>(error: &SdkError<E>) -> Diagnosis {
    if let Some(cause) = find::<CredentialsError>(error) {
        return without_credentials(cause);
    }
    match error {
        SdkError::ServiceError(said) => {
            let code = error.code().unwrap_or_default();
            let message = error.message().unwrap_or_default();
            from_service(said.raw().status().as_u16(), code, message)
        }
        SdkError::TimeoutError(_) => unknown(ErrorKind::Timeout, "DynamoDB did not answer in time"),
        SdkError::DispatchFailure(_) if never_connected(error) => refused(
            ErrorKind::Unavailable,
            "DynamoDB cannot be reached; check the region, the endpoint and the network if it does not pass",
        ),
        SdkError::DispatchFailure(_) => unknown(
            ErrorKind::Unavailable,
            "the connection to DynamoDB broke; the next call opens another",
        ),
        SdkError::ResponseError(_) => unknown(ErrorKind::Unavailable, NOT_UNDERSTOOD),
        _ => refused(
            ErrorKind::Invalid,
            "the request could not be made from the configuration; see the cause",
        ),
    }
}

/// What an answer with an error means, by its HTTP status, its code and its message.
fn from_service(status: u16, code: &str, message: &str) -> Diagnosis {
    match code {
        _ if THROTTLED.contains(&code) => refused(
            ErrorKind::Unavailable,
            "DynamoDB throttles it: raise its capacity, or make it on-demand",
        ),
        "TransactionConflictException"
        | "ReplicatedWriteConflictException"
        | "ResourceInUseException" => refused(
            ErrorKind::Contended,
            "somebody else is changing it; try again",
        ),
        "LimitExceededException" => refused(
            ErrorKind::Contended,
            "too many tables of this account are being changed at once; try again",
        ),
        "ResourceNotFoundException" => refused(
            ErrorKind::NotFound,
            "there is no such table: check its name, the region and the endpoint, make it as the README of \
             terrace-dynamodb says, or set `create`",
        ),
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => refused(
            ErrorKind::Denied,
            "these credentials may not do this: grant the actions that the README of terrace-dynamodb lists",
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "ExpiredTokenException"
        | "ExpiredToken" => refused(
            ErrorKind::Denied,
            "DynamoDB does not know these credentials, or they have expired: check the access key, and that \
             region and endpoint belong to its account",
        ),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => refused(
            ErrorKind::Denied,
            "DynamoDB refuses the signature: the secret is wrong, or this machine's clock is off by more than \
             five minutes",
        ),
        "ValidationException" if message.contains("size has exceeded") => refused(
            ErrorKind::Exhausted,
            "the record is larger than an item may be",
        ),
        "ValidationException" => refused(
            ErrorKind::Invalid,
            "DynamoDB finds the request invalid: the table has other keys than those the README of \
             terrace-dynamodb gives it",
        ),
        // The SDK takes a success that it cannot read for a refusal.
        _ if status < 400 => unknown(ErrorKind::Unavailable, NOT_UNDERSTOOD),
        _ if status >= 500 => unknown(
            ErrorKind::Unavailable,
            "DynamoDB has trouble of its own; it will pass",
        ),
        _ => refused(ErrorKind::Internal, "DynamoDB refuses it; see the cause"),
    }
}

/// The request was not signed, so it was not sent.
fn without_credentials(cause: &CredentialsError) -> Diagnosis {
    match cause {
        CredentialsError::CredentialsNotLoaded(_) => refused(
            ErrorKind::Denied,
            "no credentials were found: give the machine or container a role, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        ),
        CredentialsError::InvalidConfiguration(_) => refused(
            ErrorKind::Invalid,
            "the configuration of the credentials is wrong; see the cause",
        ),
        CredentialsError::ProviderTimedOut(_) => refused(
            ErrorKind::Timeout,
            "the source of the credentials did not answer in time",
        ),
        _ => refused(
            ErrorKind::Unavailable,
            "the source of the credentials failed; see the cause",
        ),
    }
}

/// Whether no connection was made, so that nothing was sent.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// The cause of this type, if there is one.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
