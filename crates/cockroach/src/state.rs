//! What an error of the database says about a statement, and about the connection it came by.

use terrace_core::ErrorKind;

/// What became of the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It certainly has none.
    None,
    /// It certainly has none, because others were in its way: it may be sent again at once.
    Again,
    /// It may have one.
    Unknown,
}

/// What to make of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) kind: ErrorKind,
    pub(crate) effect: Effect,
    /// Whether the connection can be used for the next statement.
    pub(crate) is_usable: bool,
    pub(crate) advice: &'static str,
}

pub(crate) fn diagnose(error: &sqlx::Error) -> Diagnosis {
    let lost = |kind, advice| Diagnosis {
        kind,
        effect: Effect::Unknown,
        is_usable: false,
        advice,
    };
    match error {
        sqlx::Error::Database(error) => by_state(error.code().as_deref().unwrap_or_default()),
        sqlx::Error::Io(_) => lost(
            ErrorKind::Unavailable,
            "the database cannot be reached, or broke the connection; the next call tries again",
        ),
        sqlx::Error::Tls(_) => lost(
            ErrorKind::Denied,
            "no TLS with the database: check its certificate, `authority` and the host's name; `sslmode=disable` in the \
             URL does without",
        ),
        sqlx::Error::Configuration(_) => {
            lost(ErrorKind::Invalid, "the URL cannot be used; see the cause")
        }
        sqlx::Error::Protocol(_) => lost(
            ErrorKind::Internal,
            "the answer was not understood; is it really CockroachDB, or PostgreSQL?",
        ),
        _ => lost(ErrorKind::Internal, "unexpected; see the cause"),
    }
}

/// By the five characters of SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. `CockroachDB`
/// has the same, and some of its own.
fn by_state(state: &str) -> Diagnosis {
    use Effect::{Again, None, Unknown};

    let class = state.get(..2).unwrap_or_default();
    let (kind, effect, is_usable, advice) = match (state, class) {
        ("40001" | "40P01", _) => (
            ErrorKind::Contended,
            Again,
            true,
            "others changed the same records all the time; try again later",
        ),
        ("40003", _) => (
            ErrorKind::Unavailable,
            Unknown,
            true,
            "the database lost track of a commit, as when a node dies",
        ),
        ("57014", _) => (
            ErrorKind::Timeout,
            Unknown,
            true,
            "the database gave up, `response_timeout` had passed: see what it is busy with",
        ),
        ("25006", _) => (
            ErrorKind::Unavailable,
            None,
            false,
            "the server may only be read: it is a standby, perhaps since a moment ago; the next call connects anew",
        ),
        (_, "57" | "08") | ("25P03" | "25P04", _) => (
            ErrorKind::Unavailable,
            Unknown,
            false,
            "the server is starting or stopping, or ended the connection; it will pass",
        ),
        (_, "28") => (
            ErrorKind::Denied,
            None,
            true,
            "the database wants another user, password or certificate: check the URL",
        ),
        ("42501", _) => (
            ErrorKind::Denied,
            None,
            true,
            "the user may not do this: it needs the privileges that this crate's README lists",
        ),
        ("3D000" | "3F000" | "42P01" | "42703", _) => (
            ErrorKind::NotFound,
            None,
            true,
            "the database or the table is not there, or another than this cache made: if it was dropped, start again",
        ),
        ("53300", _) => (
            ErrorKind::Unavailable,
            None,
            false,
            "the server has no connection left: raise its limit, or lower `max_connections`",
        ),
        (_, "53") => (
            ErrorKind::Exhausted,
            None,
            true,
            "the server has no space or memory left: free some",
        ),
        ("0A000", _) => (
            ErrorKind::Unsupported,
            None,
            true,
            "the server cannot do this; a hot standby cannot be used, nor a CockroachDB before 22.2",
        ),
        ("XX001" | "XX002", _) => (
            ErrorKind::Corrupt,
            Unknown,
            false,
            "the server found its files damaged: restore them, or drop the table and start again; that empties the \
             cache, and garbage collection removes the bodies",
        ),
        (_, "58" | "XX") => (
            ErrorKind::Unavailable,
            Unknown,
            false,
            "the server failed, by its own account; its log may say more",
        ),
        _ => (
            ErrorKind::Internal,
            Unknown,
            false,
            "unexpected; see the cause",
        ),
    };
    Diagnosis {
        kind,
        effect,
        is_usable,
        advice,
    }
}

#[cfg(test)]
mod tests {
    use terrace_core::{Applied, Retry};

    use super::*;
    use crate::error::Op;

    #[test]
    fn states_mean_what_they_should() {
        use Effect::{Again, None, Unknown};
        use ErrorKind::{
            Contended, Corrupt, Denied, Exhausted, Internal, NotFound, Timeout, Unavailable,
        };
        for (state, kind, effect, is_usable) in [
            ("40001", Contended, Again, true),
            ("40P01", Contended, Again, true),
            ("40003", Unavailable, Unknown, true),
            ("57014", Timeout, Unknown, true),
            ("57P01", Unavailable, Unknown, false),
            ("57P02", Unavailable, Unknown, false),
            ("57P03", Unavailable, Unknown, false),
            ("08006", Unavailable, Unknown, false),
            ("25006", Unavailable, None, false),
            ("28P01", Denied, None, true),
            ("42501", Denied, None, true),
            ("42P01", NotFound, None, true),
            ("53100", Exhausted, None, true),
            ("53300", Unavailable, None, false),
            ("58030", Unavailable, Unknown, false),
            ("XX000", Unavailable, Unknown, false),
            ("XX001", Corrupt, Unknown, false),
            ("99999", Internal, Unknown, false),
            ("", Internal, Unknown, false),
            ("é", Internal, Unknown, false),
        ] {
            let found = by_state(state);
            assert_eq!(
                (found.kind, found.effect, found.is_usable),
                (kind, effect, is_usable),
                "{state}"
            );
            assert!(!found.advice.is_empty());
        }
    }

    #[test]
    fn a_broken_connection_leaves_a_write_open_and_a_read_not() {
        let broken = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let write = Op::write("cockroach.put_new").error(broken());
        assert_eq!(write.applied(), Applied::Unknown);
        assert_eq!(write.retry(), Retry::Later);
        let read = Op::new("cockroach.get").error(broken());
        assert_eq!(read.applied(), Applied::No);
        let unsent = Op::write("cockroach.put_new").refused(broken());
        assert_eq!(unsent.applied(), Applied::No);
    }
}
