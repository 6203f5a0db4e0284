use std::time::Duration;

use pingora_cache::CacheKey;
use pingora_cache::lock::{CacheKeyLock, CacheLock, LockStatus, Locked, WritePermit};

use crate::slot::RequestSlot;
use crate::storage::TerraceStorage;

/// Pingora's lock that collapses concurrent requests for one object, without its gap.
///
/// Pingora looks up first and locks then. A request that looked in vain, and takes the lock just when the request that
/// held it has got its answer and let go, fetches the object once more. This lock sends it back to look again.
/// It tells by the request's [`RequestSlot`]; requests without one are collapsed as Pingora does it.
#[derive(Debug)]
pub struct CollapseLock {
    inner: CacheLock,
    storage: &'static TerraceStorage,
}

impl CollapseLock {
    /// A lock for what is cached in `storage`. Whoever holds it for longer than `age`, because the origin does not
    /// answer, is not waited for any longer.
    pub fn new(storage: &'static TerraceStorage, age: Duration) -> Self {
        Self {
            inner: CacheLock::new(age),
            storage,
        }
    }

    fn is_too_late(&self, key: &CacheKey) -> bool {
        let ticket = RequestSlot::of(key).and_then(|slot| slot.ticket(&crate::key(key)));
        let stack = self.storage.stack();
        stack
            .zip(ticket)
            .is_some_and(|(stack, ticket)| stack.is_answered_since(&ticket))
    }
}

impl CacheKeyLock for CollapseLock {
    fn lock(&self, key: &CacheKey, stale_writer: bool) -> Locked {
        let locked = self.inner.lock(key, stale_writer);
        let Locked::Write(permit) = locked else {
            return locked;
        };
        if !self.is_too_late(key) {
            return Locked::Write(permit);
        }
        // One that waits for a lock that is released as done looks again.
        let wait = self.inner.lock(key, stale_writer);
        self.inner.release(key, permit, LockStatus::Done);
        wait
    }

    fn release(&self, key: &CacheKey, permit: WritePermit, reason: LockStatus) {
        self.inner.release(key, permit, reason);
    }
}
