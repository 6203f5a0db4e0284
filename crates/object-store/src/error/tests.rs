use std::error::Error as _;
use std::io;

use object_store::path::Path;
use terrace_core::{Applied, ErrorKind, Retry};

use super::{from_store, is_opaque, of_a_change};

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic {
        store: "test",
        source: source.into(),
    }
}

/// An error that wraps another, as the local store's private ones do.
#[derive(Debug)]
struct Wrapped(io::Error);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn the_systems_errors_are_told_apart() {
    for (kind, expected) in [
        (io::ErrorKind::StorageFull, ErrorKind::Exhausted),
        (io::ErrorKind::QuotaExceeded, ErrorKind::Exhausted),
        (io::ErrorKind::PermissionDenied, ErrorKind::Denied),
        (io::ErrorKind::ReadOnlyFilesystem, ErrorKind::Denied),
        (io::ErrorKind::TimedOut, ErrorKind::Timeout),
        (io::ErrorKind::ConnectionReset, ErrorKind::Unavailable),
        (io::ErrorKind::Other, ErrorKind::Unavailable),
    ] {
        let store = generic(Wrapped(kind.into()));
        assert!(!is_opaque(&store));
        let error = from_store("object_store.put", &Path::from("ab/c"), store);
        assert_eq!(error.kind(), expected, "{kind:?}");
        let cause = error.source().and_then(|store| store.source());
        assert!(cause.is_some(), "the cause of {kind:?} is kept");
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_says_what_to_do() {
    const ENOSPC: i32 = 28;
    const EMFILE: i32 = 24;
    let full = generic(Wrapped(io::Error::from_raw_os_error(ENOSPC)));
    let error = of_a_change(from_store("object_store.put", &Path::from("ab/c"), full));
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(error.applied(), Applied::No);
    let text = error.to_string();
    assert!(
        text.contains("ab/c: no space left on the device: free some"),
        "{text}"
    );

    let files = generic(Wrapped(io::Error::from_raw_os_error(EMFILE)));
    let error = from_store("object_store.get", &Path::from("ab/c"), files);
    assert_eq!(error.kind(), ErrorKind::Exhausted);
}

#[test]
fn a_change_whose_answer_is_lost_may_have_happened() {
    let lost = || {
        from_store(
            "object_store.put",
            &Path::from("a"),
            generic("connection lost"),
        )
    };
    assert_eq!(lost().applied(), Applied::No);
    assert_eq!(of_a_change(lost()).applied(), Applied::Unknown);
    assert_eq!(of_a_change(lost()).kind(), ErrorKind::Unavailable);
    assert!(is_opaque(&generic("connection lost")));
}
