//! Why the last answers were what they were, for `explain`.

use std::time::Duration;

use parking_lot::Mutex;
use terrace_core::{Key, Timestamp};

use crate::status::Report;

/// The last answer for a key.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) key: Key,
    pub(crate) at: Timestamp,
    pub(crate) outcome: &'static str,
    pub(crate) report: Option<Report>,
    /// What the client was told; 0 if nothing.
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

/// A bounded memory of [`Decision`]s: each key has one place, which it shares with others. The latest stays.
///
/// A request must not wait for it: a place somebody else is writing to at this moment is left to them.
#[derive(Debug)]
pub(crate) struct Decisions {
    places: Box<[Mutex<Option<Decision>>]>,
}

impl Decisions {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: (0..places).map(|_| Mutex::default()).collect(),
        }
    }

    pub(crate) fn remember(&self, decision: Decision) {
        if let Some(place) = self.place(&decision.key)
            && let Some(mut place) = place.try_lock()
        {
            *place = Some(decision);
        }
    }

    /// The last one for exactly this key, if no other has taken its place.
    pub(crate) fn last(&self, key: &Key) -> Option<Decision> {
        let decision = self.place(key)?.lock().clone();
        decision.filter(|decision| decision.key == *key)
    }

    fn place(&self, key: &Key) -> Option<&Mutex<Option<Decision>>> {
        let variance = key.variance().map_or(0, terrace_core::KeyDigest::to_u64);
        let spread = key.primary().to_u64() ^ variance.rotate_left(32);
        let places = u64::try_from(self.places.len()).ok()?;
        let index = spread.checked_rem(places)?;
        self.places.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Forward, Served};

    fn decision(key: Key, status: u16) -> Decision {
        Decision {
            key,
            at: Timestamp::EPOCH,
            outcome: "hit",
            report: Some(Report::new(Served::Hit { stale: false }, Forward::UriMiss)),
            status,
            bytes: 0,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn the_latest_of_a_key_is_remembered_and_memory_is_bounded() {
        let decisions = Decisions::new(8);
        let key = |n: u32| Key::named(n.to_string());
        for n in 0..1000 {
            decisions.remember(decision(key(n), 200));
            decisions.remember(decision(key(n), 304));
            assert_eq!(decisions.last(&key(n)).unwrap().status, 304);
        }
        let left = (0..1000).filter(|n| decisions.last(&key(*n)).is_some());
        assert!(left.count() <= 8);
    }

    #[test]
    fn none_are_remembered_if_there_is_no_place() {
        let decisions = Decisions::new(0);
        decisions.remember(decision(Key::named("a"), 200));
        assert!(decisions.last(&Key::named("a")).is_none());
    }
}
