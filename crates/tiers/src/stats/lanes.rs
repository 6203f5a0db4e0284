use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::counter;
use terrace_core::Level;

use super::counted::Counted;
use crate::guard::Guard;
use crate::snapshot::LaneCounts;

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
    const ALL: [Self; 7] = [
        Self::Committed,
        Self::Fenced,
        Self::Failed,
        Self::Aborted,
        Self::Oversize,
        Self::Lagged,
        Self::NoMemory,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
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

impl Purpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Promotion => "promotion",
        }
    }
}

/// The lanes of one purpose into one tier.
pub(crate) struct Counters {
    started: Counted,
    ended: [Counted; LaneEnd::ALL.len()],
}

impl Counters {
    pub(super) fn of_fills(level: Level) -> Self {
        let tier = level.as_str();
        Self {
            started: counter!("terrace_fill_lanes_started_total", "tier" => tier).into(),
            ended: LaneEnd::ALL.map(|end| {
                counter!("terrace_fill_lanes_total", "tier" => tier, "outcome" => end.as_str())
                    .into()
            }),
        }
    }

    pub(super) fn of_promotions(level: Level) -> Self {
        let tier = level.as_str();
        Self {
            started: counter!("terrace_promotion_lanes_started_total", "tier" => tier).into(),
            ended: LaneEnd::ALL.map(
                |end| counter!("terrace_promotion_lanes_total", "tier" => tier, "outcome" => end.as_str()).into(),
            ),
        }
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> LaneCounts {
        // What has ended has started: read in this order, no more have ended than started.
        let ended = LaneEnd::ALL.map(|end| self.ended[end as usize].get());
        let of = |end: LaneEnd| ended[end as usize];
        LaneCounts {
            active: self.started.get().saturating_sub(ended.iter().sum()),
            committed: of(LaneEnd::Committed),
            fenced: of(LaneEnd::Fenced),
            failed: of(LaneEnd::Failed),
            aborted: of(LaneEnd::Aborted),
            oversize: of(LaneEnd::Oversize),
            lagged: of(LaneEnd::Lagged),
            no_memory: of(LaneEnd::NoMemory),
        }
    }
}

/// The books of one lane: it is counted when it starts, and once more when it ends, by the first cause that is
/// told. Dropped without one, it was aborted.
pub(crate) struct Tally {
    pub(crate) guard: Arc<Guard>,
    purpose: Purpose,
    ended: AtomicBool,
}

impl Tally {
    pub(crate) fn start(guard: &Arc<Guard>, purpose: Purpose) -> Self {
        guard.stats.lanes(purpose).started.increment(1);
        Self {
            guard: Arc::clone(guard),
            purpose,
            ended: AtomicBool::new(false),
        }
    }

    pub(crate) fn end(&self, end: LaneEnd) {
        if !self.ended.swap(true, Ordering::AcqRel) {
            self.guard.stats.lanes(self.purpose).ended[end as usize].increment(1);
        }
    }

    /// It ended with a body of `len` bytes in the tier.
    pub(crate) fn committed(&self, len: u64) {
        self.guard.stats.stored_bytes.increment(len);
        self.end(LaneEnd::Committed);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.end(LaneEnd::Aborted);
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tally({:?} to {})", self.purpose, self.guard.level)
    }
}
