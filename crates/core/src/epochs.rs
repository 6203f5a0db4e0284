use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::fence::Fence;
use crate::key::KeyDigest;
use crate::time::Timestamp;

/// Fences for a tier that lives in one process: a fixed array of epochs, indexed by the key's
/// group.
///
/// Every purge advances its slot; a commit compares the slot with the epoch it saw before it read its
/// source, under the slot's lock. Slots never expire, so that no fill is too slow to be caught, and a table
/// never grows. Two groups that share a slot cost each other a fill, never a wrong answer.
///
/// Purging *all variants* of a group is one store: entries remember the epoch they were [born](EpochSlot::born) in,
/// and a lookup calls those older than the group's last purge dead ([`EpochTable::liveness`]).
///
/// ```
/// # use terrace_core::{EpochTable, Key, Liveness};
/// let table = EpochTable::new(1024);
/// let key = Key::named("https://example.com/");
///
/// let fence = table.fence(key.primary());      // before the source is read
/// table.lock(key.primary()).advance();         // a purge, meanwhile
///
/// assert!(!table.lock(key.primary()).admits(&fence));
/// ```
#[derive(Debug)]
pub struct EpochTable {
    slots: Box<[Slot]>,
}

#[derive(Debug, Default)]
struct Slot {
    lock: Mutex<()>,
    /// Grows by one with every purge of any kind.
    epoch: AtomicU64,
    /// Entries born before this epoch are gone.
    hard: AtomicU64,
    /// Entries born before this epoch are stale since `soft_at`.
    soft: AtomicU64,
    soft_at: AtomicU64,
    /// Entries born before this epoch are stale since `earlier_at`, if that is earlier.
    earlier: AtomicU64,
    earlier_at: AtomicU64,
}

/// What a group's purges mean for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// No purge of the group touched it.
    Live,
    /// The group was marked stale at that moment.
    Stale(Timestamp),
    /// The group was purged: the entry must not be returned again.
    Dead,
}

impl EpochTable {
    /// A table of `slots` slots, rounded up to a power of two, of 56 bytes each.
    ///
    /// With *n* slots, one purge in *n* hits a given other group's fills.
    pub fn new(slots: usize) -> Self {
        let slots = slots.clamp(1, 1 << 24).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
        }
    }

    /// The fence of a group at this moment. Lock-free.
    pub fn fence(&self, group: KeyDigest) -> Fence {
        Fence::from_words([self.slot(group).epoch.load(Ordering::Acquire), 0, 0])
    }

    /// What the purges of `group` mean for an entry born in `born`. Lock-free.
    pub fn liveness(&self, group: KeyDigest, born: u64) -> Liveness {
        let slot = self.slot(group);
        if born < slot.hard.load(Ordering::Acquire) {
            return Liveness::Dead;
        }
        if born < slot.soft.load(Ordering::Acquire) {
            // Read in the opposite order of the writes in `stale_all`: who sees a later purge's moment here
            // also sees the earlier ones below.
            let mut at = slot.soft_at.load(Ordering::Acquire);
            if born < slot.earlier.load(Ordering::Acquire) {
                at = at.min(slot.earlier_at.load(Ordering::Acquire));
            }
            return Liveness::Stale(Timestamp::from_millis(at));
        }
        Liveness::Live
    }

    /// Locks a group's slot: between this and the guard's drop, no purge and no commit of the
    /// group happens. Hold it for a map operation, never across an await.
    pub fn lock(&self, group: KeyDigest) -> EpochSlot<'_> {
        let slot = self.slot(group);
        EpochSlot {
            slot,
            _guard: slot.lock.lock(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "any bits of a digest will do"
    )]
    fn slot(&self, group: KeyDigest) -> &Slot {
        &self.slots[group.to_u64() as usize & (self.slots.len() - 1)]
    }
}

/// A group's slot, locked.
#[derive(Debug)]
pub struct EpochSlot<'a> {
    slot: &'a Slot,
    _guard: MutexGuard<'a, ()>,
}

impl EpochSlot<'_> {
    /// Whether nothing was purged since `fence` was taken.
    pub fn admits(&self, fence: &Fence) -> bool {
        fence.words() == Some([self.born(), 0, 0])
    }

    /// The epoch to remember in an entry that is committed now.
    pub fn born(&self) -> u64 {
        self.slot.epoch.load(Ordering::Relaxed)
    }

    /// Voids every fence taken so far.
    pub fn advance(&self) -> u64 {
        self.slot.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Voids every fence taken so far and declares everything born until now dead.
    pub fn kill_all(&self) {
        // Before the epoch: a fence must not be newer than the answer a lookup returns with it.
        self.slot.hard.store(self.born() + 1, Ordering::Release);
        self.advance();
    }

    /// Voids every fence taken so far and declares everything born until now stale since `at`, or
    /// since an earlier moment if an earlier call said so.
    ///
    /// The last two calls are told apart. What survives more of them is stale since the earliest of all but the last,
    /// which may be before it was born.
    pub fn stale_all(&self, at: Timestamp) {
        let slot = self.slot;
        let soft = slot.soft.load(Ordering::Relaxed);
        if soft > 0 {
            let mut earliest = slot.soft_at.load(Ordering::Relaxed);
            if slot.earlier.load(Ordering::Relaxed) > 0 {
                earliest = earliest.min(slot.earlier_at.load(Ordering::Relaxed));
            }
            slot.earlier_at.store(earliest, Ordering::Release);
            slot.earlier.store(soft, Ordering::Release);
        }
        slot.soft_at.store(at.as_millis(), Ordering::Release);
        slot.soft.store(self.born() + 1, Ordering::Release);
        self.advance();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    #[test]
    fn a_purge_voids_fences_and_kills_only_what_was_there() {
        let table = EpochTable::new(8);
        let group = Key::named("a").primary();
        let before = table.fence(group);
        let born = table.lock(group).born();

        table.lock(group).kill_all();

        assert!(!table.lock(group).admits(&before));
        assert_eq!(table.liveness(group, born), Liveness::Dead);
        let after = table.fence(group);
        assert!(table.lock(group).admits(&after));
        assert_eq!(
            table.liveness(group, table.lock(group).born()),
            Liveness::Live
        );
    }

    #[test]
    fn a_soft_purge_tells_since_when() {
        let table = EpochTable::new(1);
        let group = Key::named("a").primary();
        let born = table.lock(group).born();
        table.lock(group).stale_all(Timestamp::from_millis(7));
        assert_eq!(
            table.liveness(group, born),
            Liveness::Stale(Timestamp::from_millis(7))
        );
        assert_eq!(
            table.liveness(group, table.lock(group).born()),
            Liveness::Live
        );
    }

    #[test]
    fn a_later_soft_purge_does_not_undo_an_earlier_one() {
        let table = EpochTable::new(1);
        let group = Key::named("a").primary();
        let stale_all = |millis| {
            let born = table.lock(group).born();
            table.lock(group).stale_all(Timestamp::from_millis(millis));
            born
        };
        let since = |born| match table.liveness(group, born) {
            Liveness::Stale(at) => at.as_millis(),
            other => panic!("{other:?}"),
        };
        let first = stale_all(7);
        let second = stale_all(9);
        assert_eq!((since(first), since(second)), (7, 9));
        let third = stale_all(8);
        assert_eq!((since(first), since(second), since(third)), (7, 7, 8));
    }
}
