//! Everything that would make two runs differ comes in through these three ports.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::time::Timestamp;

/// Tells the time of day. Never compared across machines to decide who wins.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Draws numbers nobody can predict.
pub trait Random: Send + Sync + fmt::Debug {
    /// 64 uniformly distributed bits.
    fn next_u64(&self) -> u64;
}

/// Runs work that outlives its caller, and waits.
///
/// Terrace spawns nothing except through this port, so that the embedding program decides on which
/// threads remote I/O runs, can drain it at shutdown, and a test can schedule it step by step.
pub trait Runtime: Send + Sync + fmt::Debug {
    /// Starts `task`. It runs to its end although nobody awaits it. A runtime that is shutting down drops
    /// the task, which every Terrace task takes as an abort.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

/// The operating system's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// # Panics
    ///
    /// If the operating system has no entropy source. Every supported one has; guessing generations
    /// without one would let an old object come back.
    fn next_u64(&self) -> u64 {
        getrandom::u64().expect("the operating system must provide random numbers")
    }
}
