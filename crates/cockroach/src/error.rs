use terrace_core::{Error, ErrorKind};

use crate::state::{Diagnosis, Effect, diagnose};

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

    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    pub(crate) const fn writes(self) -> bool {
        self.writes
    }

    /// What `error` means to our caller.
    pub(crate) fn error(self, error: sqlx::Error) -> Error {
        let is_unknown = self.writes && diagnose(&error).effect == Effect::Unknown;
        let error = self.refused(error);
        if is_unknown {
            error.maybe_applied()
        } else {
            error
        }
    }

    /// The same, where no statement was sent.
    pub(crate) fn refused(self, error: sqlx::Error) -> Error {
        let Diagnosis { kind, advice, .. } = diagnose(&error);
        Error::new(kind, self.name, advice).with_source(error)
    }

    /// There is no answer in time.
    pub(crate) fn late(self, message: &str) -> Error {
        Error::new(ErrorKind::Timeout, self.name, message)
    }

    /// A statement was sent, and nothing came back.
    pub(crate) fn unanswered(self) -> Error {
        let error = self.late("the database did not answer in time");
        if self.writes {
            error.maybe_applied()
        } else {
            error
        }
    }

    /// The runtime that works for us ends.
    pub(crate) fn ending(self) -> Error {
        let message = "the runtime is shutting down";
        Error::new(ErrorKind::Unavailable, self.name, message)
    }

    /// What is stored is not what we write.
    pub(crate) fn damaged(self, what: &str) -> Error {
        let message =
            format!("{what} is not what this cache wrote: does something else write its table?");
        Error::new(ErrorKind::Corrupt, self.name, message)
    }
}
