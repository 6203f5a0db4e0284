use std::sync::Arc;

use metrics::{Gauge, describe_gauge, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections there may be, and are.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    scarce_below: usize,
    gauge: Gauge,
}

/// The place of one connection, given back on drop.
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    gauge: Gauge,
}

impl Slots {
    /// Of clients: they are counted in the metrics.
    pub(super) fn of_clients(max: usize) -> Self {
        describe_gauge!("terrace_proxy_connections", "Connections of clients");
        Self::new(max, gauge!("terrace_proxy_connections"))
    }

    pub(super) fn uncounted(max: usize) -> Self {
        Self::new(max, Gauge::noop())
    }

    fn new(max: usize, gauge: Gauge) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(max)),
            scarce_below: max.div_ceil(4),
            gauge,
        }
    }

    pub(super) fn take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.gauge.increment(1);
        Some(Slot {
            _permit: permit,
            gauge: self.gauge.clone(),
        })
    }

    pub(super) fn are_scarce(&self) -> bool {
        self.free.available_permits() < self.scarce_below
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gauge.decrement(1);
    }
}
