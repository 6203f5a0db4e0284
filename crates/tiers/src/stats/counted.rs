use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::Counter;

/// A counter that is exported, and can be read here, too: what is exported only goes out. Clones share it.
#[derive(Clone)]
pub(crate) struct Counted {
    exported: Counter,
    count: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn increment(&self, by: u64) {
        self.exported.increment(by);
        self.count.fetch_add(by, Ordering::Relaxed);
    }

    /// The sum of all increments.
    pub(crate) fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl From<Counter> for Counted {
    fn from(exported: Counter) -> Self {
        let count = Arc::default();
        Self { exported, count }
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Counted({})", self.get())
    }
}
