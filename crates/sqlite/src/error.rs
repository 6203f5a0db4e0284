use std::path::Path;
use std::sync::Arc;

use terrace_core::{Error, ErrorKind};

/// Primary result codes of SQLite: <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const NOMEM: i32 = 7;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const PROTOCOL: i32 = 15;
    pub(super) const TOOBIG: i32 = 18;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
}

/// What `error` of the operation `op` on the file at `path` means to our caller. Shared, because a
/// failed batch fails all that were in it.
pub(crate) fn from_sqlx(op: &'static str, path: &Path, error: Arc<sqlx::Error>) -> Error {
    let (kind, advice) = diagnose(&error);
    Error::new(kind, op, format!("{}: {advice}", path.display())).with_source(error)
}

/// A row that SQLite takes for intact, and that we cannot have written.
pub(crate) fn damaged_row(op: &'static str, path: &Path) -> Error {
    let path = path.display();
    let message = format!("{path}: a record has no version; {REMOVE}");
    Error::new(ErrorKind::Corrupt, op, message)
}

/// Whether another connection has what this one needed.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::BUSY | code::LOCKED))
}

const REMOVE: &str = "stop the processes that use the file, then remove it and its -wal and -shm; that empties the \
                      cache, and garbage collection removes the bodies";

fn diagnose(error: &sqlx::Error) -> (ErrorKind, String) {
    let (kind, advice) = match (error, primary_code(error)) {
        (_, Some(code::BUSY | code::LOCKED | code::PROTOCOL)) => (
            ErrorKind::Contended,
            "another process was writing all the time; try again later",
        ),
        (_, Some(code::FULL)) => (
            ErrorKind::Exhausted,
            "no space left on its device: free some",
        ),
        (_, Some(code::CORRUPT | code::NOTADB)) => {
            return (
                ErrorKind::Corrupt,
                format!("the file is damaged, or no SQLite database: {REMOVE}"),
            );
        }
        (_, Some(code::CANTOPEN)) => (
            ErrorKind::Denied,
            "it cannot be opened: this user must be able to read and write it and its directory, which must \
             exist; the limit of open files may be reached, too",
        ),
        (_, Some(code::PERM | code::READONLY | code::AUTH)) => (
            ErrorKind::Denied,
            "it cannot be written: check its permissions, those of its directory, and that the file system is \
             not read-only",
        ),
        (_, Some(code::IOERR)) => (
            ErrorKind::Unavailable,
            "input/output error: check the disk; the system log may say more",
        ),
        (_, Some(code::NOMEM)) => (ErrorKind::Exhausted, "out of memory"),
        (_, Some(code::TOOBIG)) => (ErrorKind::Exhausted, "the record is too large"),
        (sqlx::Error::Io(_), _) => (
            ErrorKind::Invalid,
            "not a path SQLite can open: it must be UTF-8",
        ),
        (sqlx::Error::WorkerCrashed, _) => (
            ErrorKind::Unavailable,
            "the connection ended; the next call opens another",
        ),
        _ => (ErrorKind::Internal, "unexpected; see the cause"),
    };
    (kind, advice.to_owned())
}

/// The lower eight bits of the extended code are the primary one.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}
