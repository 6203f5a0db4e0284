use std::sync::atomic::{AtomicU64, Ordering};

use terrace_core::ErrorKind;

/// Calls of one tier that failed.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    all: AtomicU64,
    timeouts: AtomicU64,
    corrupt: AtomicU64,
}

impl Failures {
    pub(super) fn add(&self, kind: ErrorKind) {
        self.all.fetch_add(1, Ordering::Relaxed);
        match kind {
            ErrorKind::Timeout => self.timeouts.fetch_add(1, Ordering::Relaxed),
            ErrorKind::Corrupt => self.corrupt.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    pub(crate) fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    pub(crate) fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }

    pub(crate) fn corrupt(&self) -> u64 {
        self.corrupt.load(Ordering::Relaxed)
    }
}
