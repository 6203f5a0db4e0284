//! What the engine counts. Handles are made once: looking a metric up by name on every hit would cost more than
//! the hit.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use terrace_core::{ErrorKind, Level, Usage};

use crate::breaker::BreakerState;

pub(crate) use describe::describe;
pub(crate) use lanes::{LaneEnd, Purpose, Tally};
pub(crate) use op::{Op, Stopwatch};

use counted::Counted;
use failures::Failures;

mod counted;
mod describe;
mod failures;
mod lanes;
mod op;

/// One tier's metrics.
pub(crate) struct TierStats {
    level: Level,
    pub(crate) hits: Counted,
    pub(crate) misses: Counted,
    pub(crate) rejected: Counted,
    pub(crate) served_bytes: Counted,
    pub(crate) stored_bytes: Counter,
    pub(crate) failovers: Counted,
    pub(crate) trips: Counter,
    durations: [Histogram; Op::ALL.len()],
    breaker: [Gauge; BreakerState::ALL.len()],
    pub(crate) failures: Failures,
    fills: lanes::Counters,
    promotions: lanes::Counters,
}

impl std::fmt::Debug for TierStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TierStats({})", self.level)
    }
}

impl TierStats {
    pub(crate) fn new(level: Level) -> Self {
        let tier = level.as_str();
        let duration = |op: Op| histogram!("terrace_tier_operation_duration_seconds", "tier" => tier, "op" => op.as_str());
        show_zeros(tier);
        let breaker = |state: BreakerState| gauge!("terrace_tier_breaker_state", "tier" => tier, "state" => state.as_str());
        Self {
            level,
            hits: counter!("terrace_tier_lookups_total", "tier" => tier, "outcome" => "hit").into(),
            misses: counter!("terrace_tier_lookups_total", "tier" => tier, "outcome" => "miss")
                .into(),
            rejected: counter!("terrace_tier_rejected_total", "tier" => tier).into(),
            served_bytes: counter!("terrace_tier_served_bytes_total", "tier" => tier).into(),
            stored_bytes: counter!("terrace_tier_stored_bytes_total", "tier" => tier),
            failovers: counter!("terrace_tier_failovers_total", "tier" => tier).into(),
            trips: counter!("terrace_tier_breaker_trips_total", "tier" => tier),
            durations: Op::ALL.map(duration),
            breaker: BreakerState::ALL.map(breaker),
            failures: Failures::default(),
            fills: lanes::Counters::of_fills(level),
            promotions: lanes::Counters::of_promotions(level),
        }
    }

    pub(crate) fn error(&self, op: Op, kind: ErrorKind) {
        let labels = [
            ("tier", self.level.as_str()),
            ("op", op.as_str()),
            ("kind", kind.as_str()),
        ];
        counter!("terrace_tier_errors_total", &labels).increment(1);
        self.failures.add(kind);
    }

    pub(crate) fn took(&self, op: Op, watch: Stopwatch) {
        self.durations[op.index()].record(watch.seconds());
    }

    pub(crate) fn lanes(&self, purpose: Purpose) -> &lanes::Counters {
        match purpose {
            Purpose::Fill => &self.fills,
            Purpose::Promotion => &self.promotions,
        }
    }

    /// Shows how the tier is now.
    pub(crate) fn show(&self, breaker: BreakerState, usage: Usage) {
        for (state, gauge) in BreakerState::ALL.iter().zip(&self.breaker) {
            gauge.set(u8::from(*state == breaker));
        }
        let tier = self.level.as_str();
        // What a tier does not know is not told at all: a zero would be a lie.
        if let Some(objects) = usage.objects {
            gauge!("terrace_tier_objects", "tier" => tier).set(float(objects));
        }
        if let Some(bytes) = usage.bytes {
            gauge!("terrace_tier_size_bytes", "tier" => tier).set(float(bytes));
        }
        if let Some(bytes) = usage.capacity_bytes {
            gauge!("terrace_tier_capacity_bytes", "tier" => tier).set(float(bytes));
        }
        if let Some(evictions) = usage.evictions {
            counter!("terrace_tier_evictions_total", "tier" => tier).absolute(evictions);
        }
    }
}

/// Counts nothing under the names that alarms are made of: what begins at one, and not at zero, seems never to have
/// changed.
fn show_zeros(tier: &'static str) {
    let ops = [
        Op::Lookup,
        Op::FirstByte,
        Op::Read,
        Op::Write,
        Op::Commit,
        Op::Purge,
    ];
    for op in ops {
        for kind in [
            ErrorKind::Corrupt,
            ErrorKind::Timeout,
            ErrorKind::Unavailable,
        ] {
            let labels = [("tier", tier), ("op", op.as_str()), ("kind", kind.as_str())];
            counter!("terrace_tier_errors_total", &labels).increment(0);
        }
    }
    counter!("terrace_rescues_total").increment(0);
    counter!("terrace_admissions_total", "decision" => "admitted").increment(0);
}

/// A policy was asked whether a fill is worth storing below L0. `decision` is one of a fixed few.
pub(crate) fn admission(decision: &'static str) {
    counter!("terrace_admissions_total", "decision" => decision).increment(1);
}

/// A body is continued by a rescue.
pub(crate) fn rescue_began() {
    counter!("terrace_rescues_total").increment(1);
}

pub(crate) fn in_progress() -> Gauge {
    gauge!("terrace_in_progress_bodies")
}

/// Shows how much memory bodies on their way have.
pub(crate) fn show_memory(used: usize, limit: usize) {
    gauge!("terrace_in_progress_memory_bytes").set(float(used as u64));
    gauge!("terrace_in_progress_memory_limit_bytes").set(float(limit as u64));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure to be looked at: 53 bits are plenty"
)]
fn float(number: u64) -> f64 {
    number as f64
}
