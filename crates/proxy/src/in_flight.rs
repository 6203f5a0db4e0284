use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;
use tokio::sync::Notify;

/// How many requests are being served. Clones share the number.
#[derive(Debug, Clone)]
pub struct InFlight {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    count: AtomicUsize,
    idle: Notify,
    gauge: Gauge,
}

/// One of them; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    shared: Arc<Shared>,
}

impl InFlight {
    /// Counts, and shows the count on `gauge`.
    pub(crate) fn new(gauge: Gauge) -> Self {
        let shared = Shared {
            count: AtomicUsize::new(0),
            idle: Notify::new(),
            gauge,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// How many there are now.
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::Acquire)
    }

    /// Completes at a moment when there is none. New ones may begin at any time.
    pub async fn idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            tokio::pin!(idle);
            // Registered before the look, so that an end in between is not missed.
            idle.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            idle.await;
        }
    }

    pub(crate) fn enter(&self) -> Flight {
        self.shared.count.fetch_add(1, Ordering::AcqRel);
        self.shared.gauge.increment(1);
        Flight {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shared.gauge.decrement(1);
        if self.shared.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn idle_waits_for_the_last_one() {
        let in_flight = InFlight::new(Gauge::noop());
        in_flight.idle().await;
        let (first, second) = (in_flight.enter(), in_flight.enter());
        assert_eq!(in_flight.count(), 2);
        let waiting = in_flight.idle();
        tokio::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(first);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(second);
        waiting.await;
        assert_eq!(in_flight.count(), 0);
    }
}
