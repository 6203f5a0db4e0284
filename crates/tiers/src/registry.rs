use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use terrace_core::{EpochTable, Fence, Key, Target};

use crate::progress::InProgress;
use crate::stats;

const ANSWER_COUNTERS: usize = 4096;

/// The bodies in progress: the topmost tier of all, with fences of its own.
///
/// A body is *listed* under its key while others may join it, and known by its id while it runs. A purge takes it
/// off the list: who reads already reads on, nobody else finds it.
#[derive(Debug)]
pub(crate) struct Registry {
    epochs: EpochTable,
    /// Counts, by key, the answers of the origin that came. Keys share counters.
    answers: Box<[AtomicU32]>,
    /// How many are listed: a hit in memory should not pay for a lock when there are none.
    listed: AtomicUsize,
    by_key: Mutex<HashMap<Key, Arc<InProgress>>>,
    by_id: Mutex<HashMap<u64, Arc<InProgress>>>,
    next_id: AtomicU64,
}

impl Registry {
    pub(crate) fn new(epoch_slots: usize) -> Self {
        Self {
            epochs: EpochTable::new(epoch_slots),
            answers: (0..ANSWER_COUNTERS).map(|_| AtomicU32::new(0)).collect(),
            listed: AtomicUsize::new(0),
            by_key: Mutex::default(),
            by_id: Mutex::default(),
            next_id: AtomicU64::new(1),
        }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// How many answers of the origin have come for `key`, and for those that share its counter. Wraps around.
    pub(crate) fn answers(&self, key: &Key) -> u32 {
        self.counter(key).load(Ordering::Acquire)
    }

    /// Notes that the origin has answered for `key`, once whoever looks it up finds that answer.
    pub(crate) fn answered(&self, key: &Key) {
        self.counter(key).fetch_add(1, Ordering::Release);
    }

    fn counter(&self, key: &Key) -> &AtomicU32 {
        let slot = key.primary().to_u64() % self.answers.len() as u64;
        // It is less than a `usize`.
        &self.answers[usize::try_from(slot).unwrap_or(0)]
    }

    pub(crate) fn fence(&self, key: &Key) -> Fence {
        self.epochs.fence(key.primary())
    }

    /// Whether nothing was purged since `fence`.
    pub(crate) fn admits(&self, key: &Key, fence: &Fence) -> bool {
        self.epochs.lock(key.primary()).admits(fence)
    }

    /// Makes `entry` known, and says whether nothing was purged since `fence`. Then it is listed, too, if it is
    /// `joinable`.
    pub(crate) fn insert(
        &self,
        key: Key,
        entry: &Arc<InProgress>,
        fence: &Fence,
        joinable: bool,
    ) -> bool {
        self.by_id.lock().insert(entry.id, Arc::clone(entry));
        stats::in_progress().increment(1);
        let slot = self.epochs.lock(key.primary());
        let admitted = slot.admits(fence);
        if admitted && joinable {
            let mut by_key = self.by_key.lock();
            by_key.insert(key, Arc::clone(entry));
            self.listed.store(by_key.len(), Ordering::Release);
        }
        admitted
    }

    pub(crate) fn listed(&self, key: &Key) -> Option<Arc<InProgress>> {
        // A body listed by somebody else at this very moment may be missed, as if we had come earlier.
        if self.listed.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.by_key.lock().get(key).cloned()
    }

    /// How many there are, listed or not.
    pub(crate) fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<Arc<InProgress>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// Forgets `entry`, which is over.
    pub(crate) fn remove(&self, key: &Key, entry: &InProgress) {
        if self.by_id.lock().remove(&entry.id).is_some() {
            stats::in_progress().decrement(1);
        }
        self.unlist(key, entry);
    }

    /// Lets nobody else join `entry`.
    pub(crate) fn unlist(&self, key: &Key, entry: &InProgress) {
        let mut by_key = self.by_key.lock();
        if by_key.get(key).is_some_and(|listed| listed.id == entry.id) {
            by_key.remove(key);
        }
        self.listed.store(by_key.len(), Ordering::Release);
    }

    /// Voids the fences of what `target` names, and takes it off the list; says whether there was something.
    pub(crate) fn purge(&self, target: &Target) -> bool {
        let slot = self.epochs.lock(target.primary());
        slot.advance();
        let mut by_key = self.by_key.lock();
        let before = by_key.len();
        match target {
            Target::Key(key) => drop(by_key.remove(key)),
            Target::Generation(key, generation) => {
                if by_key
                    .get(key)
                    .is_some_and(|entry| entry.generation == *generation)
                {
                    by_key.remove(key);
                }
            }
            Target::AllVariants(primary) => by_key.retain(|key, _| key.primary() != *primary),
        }
        self.listed.store(by_key.len(), Ordering::Release);
        by_key.len() < before
    }
}
