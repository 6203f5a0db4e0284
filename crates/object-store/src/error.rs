use std::error::Error as StdError;
use std::io;

use object_store::path::Path;
use terrace_core::{Error, ErrorKind};

/// What `error` of the operation `op` on `path` means to our caller.
pub(crate) fn from_store(op: &'static str, path: &Path, error: object_store::Error) -> Error {
    let (kind, advice) = diagnose(&error);
    let answer = Error::new(kind, op, format!("{path}: {advice}"));
    #[cfg(feature = "s3")]
    return answer.with_source(crate::s3::presentable(error));
    #[cfg(not(feature = "s3"))]
    return answer.with_source(error);
}

/// What `error` of the operation `op` means to our caller; `subject` says what was tried on which file.
pub(crate) fn from_io(op: &'static str, subject: &str, error: io::Error) -> Error {
    let (kind, advice) = diagnose_io(&error);
    Error::new(kind, op, format!("{subject}: {advice}")).with_source(error)
}

/// For an operation that changes something: whether it may have happened despite `error`.
///
/// What was refused, or did not fit, was not done. Of everything else only the answer may be lost: a repeated
/// completion even finds nothing to complete.
pub(crate) fn of_a_change(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Denied | ErrorKind::Exhausted | ErrorKind::Invalid | ErrorKind::Unsupported => {
            error
        }
        _ => error.maybe_applied(),
    }
}

/// Whether `error` is one of the store that says nothing of its nature, as answers to wrong ranges are.
pub(crate) fn is_opaque(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Generic { .. })
        && io_cause(error).is_none()
        && of_server(error).is_none()
}

/// What the failure of a connection, or the words of a server, say.
#[cfg(feature = "s3")]
fn of_server(error: &object_store::Error) -> Option<(ErrorKind, &'static str)> {
    crate::s3::of_failure(error)
}

#[cfg(not(feature = "s3"))]
fn of_server(_: &object_store::Error) -> Option<(ErrorKind, &'static str)> {
    None
}

fn diagnose(error: &object_store::Error) -> (ErrorKind, &'static str) {
    use object_store::Error as E;
    if let Some(known) = of_server(error) {
        return known;
    }
    match error {
        E::NotFound { .. } => (ErrorKind::NotFound, "there is no such blob"),
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => (
            ErrorKind::Denied,
            "the store refused: check the credentials and what they may do",
        ),
        E::NotSupported { .. } | E::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the store cannot do this")
        }
        E::InvalidPath { .. } => (ErrorKind::Invalid, "not a path the store can name"),
        E::JoinError { source } if !source.is_panic() => {
            (ErrorKind::Unavailable, "the runtime is shutting down")
        }
        E::Generic { .. } => match io_cause(error) {
            Some(io) => diagnose_io(io),
            None => (ErrorKind::Unavailable, "the store failed; see the cause"),
        },
        _ => (
            ErrorKind::Internal,
            "the store answered what it should not; see the cause",
        ),
    }
}

/// The operating system's error that caused `error`, if one did.
fn io_cause(error: &object_store::Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

fn diagnose_io(error: &io::Error) -> (ErrorKind, &'static str) {
    use io::ErrorKind as E;
    // "Too many open files", in the process and in the system: no `io::ErrorKind` says so. The numbers
    // are those of every Unix.
    if cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24)) {
        return (
            ErrorKind::Exhausted,
            "too many open files: raise the limit (ulimit -n)",
        );
    }
    match error.kind() {
        E::NotFound => (ErrorKind::NotFound, "there is no such file or directory"),
        E::PermissionDenied => (
            ErrorKind::Denied,
            "permission denied: this user must be able to read and write it",
        ),
        E::ReadOnlyFilesystem => (
            ErrorKind::Denied,
            "the file system is read-only: mount it writable; it may be so because of a disk error",
        ),
        E::StorageFull => (
            ErrorKind::Exhausted,
            "no space left on the device: free some, or run the garbage collection",
        ),
        E::QuotaExceeded => (
            ErrorKind::Exhausted,
            "the disk quota is used up: raise it, or run the garbage collection",
        ),
        E::FileTooLarge => (
            ErrorKind::Exhausted,
            "the file exceeds a size limit of the process (ulimit -f) or of the file system",
        ),
        E::OutOfMemory => (ErrorKind::Exhausted, "out of memory"),
        E::TimedOut => (ErrorKind::Timeout, "no answer in time"),
        E::Unsupported => (ErrorKind::Unsupported, "the system cannot do this"),
        E::NotADirectory | E::IsADirectory | E::InvalidFilename => (
            ErrorKind::Invalid,
            "a file is in the place of a directory, or the name is not possible here",
        ),
        _ => (
            ErrorKind::Unavailable,
            "input/output error: check the disk or the connection; the system log may say more",
        ),
    }
}

#[cfg(test)]
mod tests;
