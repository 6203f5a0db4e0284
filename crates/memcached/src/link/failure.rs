use std::io;
use std::sync::Arc;

use crate::protocol::Unreadable;

/// A call that has no answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// Whether the server may have done what was asked.
    pub(crate) is_sent: bool,
}

/// Why there is no answer. One cause may fail many calls.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Cause {
    #[error("it cannot be connected to")]
    Connect(#[source] Arc<io::Error>),
    #[error("the connection broke")]
    Broken(#[source] Arc<io::Error>),
    #[error("there was no answer in time")]
    Timeout,
    #[error("it sent what is no answer ({0})")]
    Malformed(&'static str),
    #[error("it said: {0}")]
    ServerError(String),
    #[error("it did not understand: {0}")]
    ClientError(String),
    #[error("{0}")]
    Unsuitable(String),
    #[error("it has forgotten, or never heard, which servers there are")]
    Forgotten,
    #[error("the connection is another one than that on which the CAS value was read")]
    OtherSession,
    #[error("the runtime is shutting down")]
    ShutDown,
}

impl Failure {
    pub(crate) fn sent(cause: Cause) -> Self {
        let is_sent = true;
        Self { cause, is_sent }
    }

    pub(crate) fn unsent(cause: Cause) -> Self {
        let is_sent = false;
        Self { cause, is_sent }
    }
}

impl Cause {
    pub(crate) fn broken(error: io::Error) -> Self {
        Self::Broken(Arc::new(error))
    }
}

impl From<Unreadable> for Cause {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Io(error) => Self::broken(error),
            Unreadable::Malformed(what) => Self::Malformed(what),
        }
    }
}
