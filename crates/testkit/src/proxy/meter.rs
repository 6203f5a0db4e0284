use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Towards;

/// Counts what passes, over all connections.
#[derive(Debug, Default)]
pub(super) struct Meter {
    accepted: AtomicU64,
    turns: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

/// Who spoke last on one connection.
#[derive(Debug, Default)]
pub(super) struct LastWord(AtomicBool);

impl Meter {
    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// `bytes` came in, on a connection with `last`.
    pub(super) fn pass(&self, towards: Towards, bytes: usize, last: &LastWord) {
        let asks = towards == Towards::Server;
        let asked = last.0.swap(asks, Ordering::AcqRel);
        if asks && !asked {
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
        self.of(towards).fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn of(&self, towards: Towards) -> &AtomicU64 {
        match towards {
            Towards::Server => &self.to_server,
            Towards::Client => &self.to_client,
        }
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self, towards: Towards) -> u64 {
        self.of(towards).load(Ordering::Relaxed)
    }
}
