use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use terrace_core::{Clock, Random, Runtime, Timestamp};
use tokio::runtime::Handle;

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Sets it, forwards or backwards: real clocks are stepped, too.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::Release);
    }

    /// Moves it forward, saturating at [`Timestamp::MAX`].
    pub fn advance(&self, by: Duration) {
        // `update` never fails with `Some`; the previous time is of no interest.
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                Some(Timestamp::from_millis(now).after(by).as_millis())
            });
    }
}

impl Default for ManualClock {
    /// A clock that shows a moment in 2033, between [`LONG_AGO`](crate::sample::LONG_AGO) and
    /// [`FAR_AHEAD`](crate::sample::FAR_AHEAD).
    fn default() -> Self {
        Self::new(Timestamp::from_millis(2_000_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Acquire))
    }
}

/// Random numbers that repeat: the same seed draws the same sequence.
///
/// `SplitMix64` (Steele, Lea and Flood, 2014): every number comes up exactly once in a period.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    /// A generator that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> u64 {
        let mut z = self
            .0
            .fetch_add(Self::STEP, Ordering::Relaxed)
            .wrapping_add(Self::STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The tokio runtime of a test, as the port.
#[derive(Debug)]
pub struct CurrentRuntime(Handle);

impl CurrentRuntime {
    /// The runtime this is called on.
    ///
    /// # Panics
    ///
    /// Outside of one.
    pub fn port() -> Arc<dyn Runtime> {
        Arc::new(Self(Handle::current()))
    }
}

impl Runtime for CurrentRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_moves_when_it_is_told_to() {
        let clock = ManualClock::new(Timestamp::from_millis(5));
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp::from_millis(1005));
        clock.set(Timestamp::from_millis(3));
        assert_eq!(clock.now(), Timestamp::from_millis(3));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn a_seed_draws_its_own_sequence_again_and_again() {
        let draw = |seed| {
            let random = SeededRandom::new(seed);
            [(); 100].map(|()| random.next_u64())
        };
        assert_eq!(draw(1), draw(1));
        assert!(draw(1).iter().all(|n| !draw(2).contains(n)));
    }
}
