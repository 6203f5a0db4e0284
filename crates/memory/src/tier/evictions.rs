use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Lifecycle;
use terrace_core::Key;

use super::object::Object;

/// Counts the objects that had to make room. Clones share the number.
#[derive(Debug, Clone, Default)]
pub(super) struct Evictions(Arc<AtomicU64>);

impl Evictions {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Lifecycle<Key, Arc<Object>> for Evictions {
    /// What was evicted, dropped when the shard is unlocked: freeing a large body takes a while. Two, as the
    /// cache's own default; whatever more an insertion evicts is freed at once.
    type RequestState = [Option<Arc<Object>>; 2];

    fn on_evict(&self, state: &mut Self::RequestState, _: Key, object: Arc<Object>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if let Some(free) = state.iter_mut().find(|kept| kept.is_none()) {
            *free = Some(object);
        }
    }
}
