use redis::{ErrorKind as Redis, RedisError, ServerErrorKind};
use terrace_core::{Error, ErrorKind};

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

    /// What `error` means to our caller.
    pub(crate) fn error(self, error: RedisError) -> Error {
        let is_unknown = self.writes && !is_refusal(&error);
        let error = self.refused(error);
        if is_unknown {
            error.maybe_applied()
        } else {
            error
        }
    }

    /// The same, where nothing was sent.
    pub(crate) fn refused(self, error: RedisError) -> Error {
        let (kind, advice) = diagnose(&error);
        Error::new(kind, self.name, advice).with_source(error)
    }

    /// What is stored is not what we write.
    pub(crate) fn damaged(self, what: &str) -> Error {
        let message = format!(
            "{what} is not what this cache wrote: does something else write under its prefix?"
        );
        Error::new(ErrorKind::Corrupt, self.name, message)
    }
}

/// Whether the server said that it did nothing.
fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        Redis::Server(kind) => kind != ServerErrorKind::ExecAbort,
        Redis::AuthenticationFailed
        | Redis::InvalidClientConfig
        | Redis::Client
        | Redis::MasterNameNotFoundBySentinel
        | Redis::EmptySentinelList
        | Redis::ClusterConnectionNotFound
        | Redis::Extension => true,
        _ => error.is_connection_refusal(),
    }
}

fn diagnose(error: &RedisError) -> (ErrorKind, &'static str) {
    match (error.kind(), error.code()) {
        (Redis::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => (
            ErrorKind::Denied,
            "Redis wants another user or password: check the URL",
        ),
        (Redis::Server(ServerErrorKind::NoPerm), _) => (
            ErrorKind::Denied,
            "the user may not do this: it needs the commands and keys that this crate's README lists",
        ),
        (_, Some("OOM")) => (
            ErrorKind::Exhausted,
            "Redis is full: raise `maxmemory`, or set `maxmemory-policy` to one that evicts, for a tier",
        ),
        (Redis::Server(ServerErrorKind::ReadOnly), _) => (
            ErrorKind::Unavailable,
            "the server is a replica, perhaps since a moment ago; the next call asks for the primary",
        ),
        (
            Redis::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask,
            )
            | Redis::ClusterConnectionNotFound,
            _,
        ) => (
            ErrorKind::Unavailable,
            "Redis is starting, or choosing a new primary; it will pass",
        ),
        (Redis::MasterNameNotFoundBySentinel, _) => (
            ErrorKind::Unavailable,
            "the sentinels know no reachable primary of this name",
        ),
        (Redis::InvalidClientConfig | Redis::EmptySentinelList, _) => (
            ErrorKind::Invalid,
            "the configuration cannot be used; see the cause",
        ),
        (Redis::Parse | Redis::UnexpectedReturnType, _) => (
            ErrorKind::Internal,
            "Redis answered what was not understood; is it really Redis, 6.2 or newer?",
        ),
        _ if error.is_timeout() => (ErrorKind::Timeout, "Redis did not answer in time"),
        _ if error.is_io_error() || error.is_connection_dropped() => (
            ErrorKind::Unavailable,
            "Redis cannot be reached, or broke the connection; the next call tries again",
        ),
        _ => (ErrorKind::Internal, "unexpected; see the cause"),
    }
}
