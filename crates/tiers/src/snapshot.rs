use terrace_core::{Level, TierKind, Usage};

use crate::breaker::BreakerState;
use crate::guard::Guard;
use crate::stack::Stack;
use crate::stats::Purpose;

/// What a stack holds now, and what it has counted since it was built.
///
/// The numbers are read one after the other, not at one moment. Counters only grow; the same are exported as
/// metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSnapshot {
    /// Its tiers, top-down.
    pub tiers: Vec<TierSnapshot>,
    /// Bodies on their way from the origin.
    pub in_progress: usize,
    /// Bytes of memory that these, and promotions to memory, use.
    pub memory_bytes: usize,
    /// The most they may use: [`Limits::memory_bytes`](crate::Limits::memory_bytes).
    pub memory_limit_bytes: usize,
}

/// One tier's part of a [`StackSnapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierSnapshot {
    /// Which one.
    pub level: Level,
    /// What calling it costs.
    pub kind: TierKind,
    /// Whether it is being asked.
    pub breaker: BreakerState,
    /// What it holds, as far as it can tell.
    pub usage: Usage,
    /// Lookups that found something, fresh or stale.
    pub hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
    /// Body bytes it delivered.
    pub served_bytes: u64,
    /// Calls that failed, those that timed out and those that found damage among them.
    pub errors: u64,
    /// Calls that were given up at their deadline.
    pub timeouts: u64,
    /// Calls that found other bytes than were stored.
    pub corrupt: u64,
    /// Calls that were not made because the breaker was open.
    pub rejected: u64,
    /// Bodies it could not go on with.
    pub failovers: u64,
    /// Bodies on their way into it from the origin.
    pub fills: LaneCounts,
    /// Copies on their way into it from a tier below.
    pub promotions: LaneCounts,
}

/// How the ways of bodies into one tier ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Under way now.
    pub active: u64,
    /// The tier has the object.
    pub committed: u64,
    /// A purge or another writer came first.
    pub fenced: u64,
    /// The tier's write failed or took too long.
    pub failed: u64,
    /// The body was given up: the reader left, sought, or the origin died.
    pub aborted: u64,
    /// The body grew over the tier's gate.
    pub oversize: u64,
    /// The tier was slower than the body, and the body does not wait.
    pub lagged: u64,
    /// There was no memory left in the budget.
    pub no_memory: u64,
}

impl Stack {
    /// What it holds and has counted. Costs some dozen reads of atomics, and two short locks.
    pub fn snapshot(&self) -> StackSnapshot {
        let shared = &self.shared;
        StackSnapshot {
            tiers: shared.tiers.iter().map(|guard| guard.snapshot()).collect(),
            in_progress: shared.registry.len(),
            memory_bytes: shared.memory.used(),
            memory_limit_bytes: shared.limits.memory_bytes,
        }
    }
}

impl Guard {
    fn snapshot(&self) -> TierSnapshot {
        let stats = &self.stats;
        TierSnapshot {
            level: self.level,
            kind: self.tier.0.kind(),
            breaker: self.breaker_state(),
            usage: self.tier.0.usage(),
            hits: stats.hits.get(),
            misses: stats.misses.get(),
            served_bytes: stats.served_bytes.get(),
            errors: stats.failures.all(),
            timeouts: stats.failures.timeouts(),
            corrupt: stats.failures.corrupt(),
            rejected: stats.rejected.get(),
            failovers: stats.failovers.get(),
            fills: stats.lanes(Purpose::Fill).counts(),
            promotions: stats.lanes(Purpose::Promotion).counts(),
        }
    }
}
