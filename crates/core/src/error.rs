use std::error::Error as StdError;
use std::fmt;

/// What went wrong, in terms of what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing named does not exist. Lookups do not use this: they answer with a miss.
    NotFound,
    /// The stored bytes are not those that were written: drop the entry, use another source.
    Corrupt,
    /// The backend did not answer in time.
    Timeout,
    /// The backend cannot be reached, or said that it is not able to work now.
    Unavailable,
    /// Others changed the record too often while we tried to: nothing is broken, try again later.
    Contended,
    /// No space, no quota, or a configured bound is reached.
    Exhausted,
    /// The backend refused the credentials or the permission.
    Denied,
    /// The request itself is wrong: a bad range, a body of another length than announced.
    Invalid,
    /// The backend cannot do this at all.
    Unsupported,
    /// A defect, here or in the backend.
    Internal,
}

impl ErrorKind {
    /// Its name in metric labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Corrupt => "corrupt",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Contended => "contended",
            Self::Exhausted => "exhausted",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }
}

/// Whether the same call may succeed when it is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again until somebody changes something.
    Never,
    /// It may succeed; wait first.
    Later,
}

/// Whether a failed write may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It certainly has not.
    No,
    /// It may have: the answer was lost. Read back before concluding anything.
    Unknown,
}

/// An error of a tier, a blob store or an index store.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    retry: Retry,
    applied: Applied,
    op: &'static str,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` in operation `op` (`"sqlite.get"`), certainly without effect.
    ///
    /// Timeouts, unavailability and contention may be retried; the rest may not.
    pub fn new(kind: ErrorKind, op: &'static str, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Contended => Retry::Later,
            _ => Retry::Never,
        };
        Self {
            kind,
            retry,
            applied: Applied::No,
            op,
            message: message.into(),
            source: None,
        }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says that the write may have taken effect.
    #[must_use]
    pub fn maybe_applied(mut self) -> Self {
        self.applied = Applied::Unknown;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// Whether a failed write may have taken effect. Meaningless for reads.
    pub fn applied(&self) -> Applied {
        self.applied
    }

    /// The operation that failed.
    pub fn op(&self) -> &'static str {
        self.op
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.op, self.message)?;
        if self.applied == Applied::Unknown {
            f.write_str(" (it may have taken effect)")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
