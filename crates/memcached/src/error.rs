use terrace_core::{Error, ErrorKind};

use crate::link::{Cause, Failure};

/// An operation, for the errors it ends with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    name: &'static str,
    writes: bool,
}

impl Op {
    /// One that changes nothing.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            writes: false,
        }
    }

    /// One that changes something, so that a lost answer leaves open whether it has.
    pub(crate) const fn write(name: &'static str) -> Self {
        Self { name, writes: true }
    }

    pub(crate) fn new_error(self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.name, message)
    }

    /// What a failure at the server `address` means to our caller.
    pub(crate) fn error(self, address: &str, failure: Failure) -> Error {
        let Failure { cause, is_sent } = failure;
        let (kind, advice) = diagnose(&cause);
        let error = Error::new(kind, self.name, format!("Memcached at {address}: {advice}"));
        let error = error.with_source(cause);
        if is_sent && self.writes {
            error.maybe_applied()
        } else {
            error
        }
    }

    /// The server answered what it never should.
    pub(crate) fn unexpected(self, address: &str) -> Error {
        let message = format!(
            "Memcached at {address} answered what was not understood; is it version 1.6 or newer?"
        );
        Error::new(ErrorKind::Internal, self.name, message)
    }
}

fn diagnose(cause: &Cause) -> (ErrorKind, &'static str) {
    match cause {
        Cause::Connect(_) | Cause::Broken(_) => (
            ErrorKind::Unavailable,
            "it cannot be reached, or broke the connection; it is tried again after a moment",
        ),
        Cause::Timeout => (ErrorKind::Timeout, "it did not answer in time"),
        Cause::ServerError(text) if text.contains("out of memory") => (
            ErrorKind::Exhausted,
            "it is full, and found nothing that it may evict: start it with a larger `-m`, and without `-M`",
        ),
        Cause::ServerError(text) if text.contains("too large") => (
            ErrorKind::Exhausted,
            "it takes only smaller items: start it with a larger `-I`",
        ),
        Cause::ServerError(_) => (ErrorKind::Unavailable, "it is not able to; see the cause"),
        Cause::ClientError(_) | Cause::Malformed(_) => (
            ErrorKind::Internal,
            "it speaks another protocol; is it Memcached 1.6 or newer, and no proxy?",
        ),
        Cause::Unsuitable(_) => (ErrorKind::Invalid, "it cannot be used; see the cause"),
        Cause::Forgotten => (
            ErrorKind::Unavailable,
            "it was emptied, or lost its memory; the next call finds it as it is now",
        ),
        Cause::OtherSession => (
            ErrorKind::Contended,
            "the connection was made anew in between",
        ),
        Cause::ShutDown => (
            ErrorKind::Unavailable,
            "this process's runtime is shutting down",
        ),
    }
}

#[cfg(test)]
mod tests {
    use terrace_core::Applied;

    use super::*;

    #[test]
    fn only_a_write_that_was_sent_may_have_taken_effect() {
        let applied = |op: Op, failure| op.error("here:11211", failure).applied();
        let (read, write) = (Op::new("read"), Op::write("write"));
        let (sent, unsent) = (Failure::sent, Failure::unsent);
        assert_eq!(applied(write, sent(Cause::Timeout)), Applied::Unknown);
        assert_eq!(applied(write, unsent(Cause::Timeout)), Applied::No);
        assert_eq!(applied(read, sent(Cause::Timeout)), Applied::No);
    }
}
