use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use terrace_core::{Error, ErrorKind, Result};

/// Memory that fills may use together.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        let used = AtomicU64::new(0);
        Self { used, limit }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// One fill's part of a budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Takes what is missing to `bytes`, or nothing.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        let limit = self.budget.limit;
        let taken = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|&used| used <= limit)
            });
        if taken.is_err() {
            let message =
                format!("fills under way use all of {limit} bytes; raise max_filling_bytes");
            return Err(Error::new(ErrorKind::Exhausted, "memory.write", message));
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
