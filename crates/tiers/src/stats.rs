use metrics::{Counter, Gauge, counter, gauge};
use terrace_core::{ErrorKind, Level};

/// One tier's counters. Handles are made once: looking a metric up by name on every hit would cost more than
/// the hit.
#[derive(Clone)]
pub(crate) struct TierStats {
    level: Level,
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) rejected: Counter,
    pub(crate) served_bytes: Counter,
    pub(crate) failovers: Counter,
}

impl std::fmt::Debug for TierStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TierStats({})", self.level)
    }
}

impl TierStats {
    pub(crate) fn new(level: Level) -> Self {
        let tier = level.as_str();
        Self {
            level,
            hits: counter!("terrace_tier_lookups_total", "tier" => tier, "outcome" => "hit"),
            misses: counter!("terrace_tier_lookups_total", "tier" => tier, "outcome" => "miss"),
            rejected: counter!("terrace_tier_rejected_total", "tier" => tier),
            served_bytes: counter!("terrace_tier_served_bytes_total", "tier" => tier),
            failovers: counter!("terrace_tier_failovers_total", "tier" => tier),
        }
    }

    pub(crate) fn error(&self, op: &'static str, kind: ErrorKind) {
        let labels = [
            ("tier", self.level.as_str()),
            ("op", op),
            ("kind", kind.as_str()),
        ];
        counter!("terrace_tier_errors_total", &labels).increment(1);
    }
}

/// How a lane, the way of one body into one tier, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneEnd {
    Committed,
    /// A purge or another writer came first.
    Fenced,
    /// The tier's write failed or took too long.
    Failed,
    /// The body was given up: the reader left, sought, or the origin died.
    Aborted,
    /// The body grew over the tier's gate.
    Oversize,
    /// The tier was slower than the body, and the body does not wait.
    Lagged,
    /// There was no memory left in the budget.
    NoMemory,
}

impl LaneEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Fenced => "fenced",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Oversize => "oversize",
            Self::Lagged => "lagged",
            Self::NoMemory => "no_memory",
        }
    }
}

/// Why a lane exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Fill,
    Promotion,
}

pub(crate) fn lane_ended(purpose: Purpose, to: Level, end: LaneEnd) {
    let name = match purpose {
        Purpose::Fill => "terrace_fill_lanes_total",
        Purpose::Promotion => "terrace_promotion_lanes_total",
    };
    counter!(name, "tier" => to.as_str(), "outcome" => end.as_str()).increment(1);
}

pub(crate) fn in_progress() -> Gauge {
    gauge!("terrace_in_progress_bodies")
}
