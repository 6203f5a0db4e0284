//! What a policy would have done to recorded traffic.
//!
//! [`replay`] runs a trace through a stack of two tiers: an L0 of bounded size over a durable tier of
//! unbounded size, which starts empty and never expires anything. So it tells what the *policy* costs and saves,
//! and what L0's eviction makes of its bytes; not what a lifetime or a full disk does.
//!
//! ```
//! use terrace_policy::replay::{Counting, NoL0, parse, replay};
//! use terrace_policy::{AdmissionRule, Policy};
//!
//! let trace = ["1 7 100", "2 8 50", "3 7 100", "4 7 100"].map(|line| parse(line.as_bytes()).unwrap());
//! let policy = Policy::builder().admission(AdmissionRule::SecondRequest).build()?;
//! let report = replay(trace, &policy, &mut NoL0, Counting::Exact);
//!
//! assert_eq!((report.durable.writes, report.durable.hits), (1, 1));
//! # Ok::<(), terrace_policy::PolicyError>(())
//! ```

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use terrace_core::{KeyDigest, Level};

use crate::admission::Candidate;
use crate::frequency::Frequency;
use crate::policy::Policy;

mod trace;

pub use trace::{MAX_LINE_BYTES, Malformed, Request, parse};

/// An eviction structure under test: what L0 would be.
pub trait L0 {
    /// Whether the object is there; counts as a use of it.
    fn get(&mut self, request: &Request) -> bool;

    /// Stores the object, at the expense of others. It may as well not.
    fn insert(&mut self, request: &Request);
}

/// The L0 that is not there: what is reported is of the durable tier alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoL0;

impl L0 for NoL0 {
    fn get(&mut self, _: &Request) -> bool {
        false
    }

    fn insert(&mut self, _: &Request) {}
}

/// How requests and hits are counted, for the rules that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// One exact number per object, for ever: a bound on what any counter can do.
    Exact,
    /// With a [`Frequency`] of this window, as a running cache does.
    Sketch {
        /// The requests it remembers.
        window: usize,
    },
}

/// What a replay counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Requests in the trace.
    pub requests: u64,
    /// Bytes that were asked for.
    pub bytes: u64,
    /// What L0 did.
    pub l0: TierReport,
    /// What the durable tier did.
    pub durable: TierReport,
}

/// What a replay counted of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TierReport {
    /// Requests it answered.
    pub hits: u64,
    /// Bytes of those.
    pub hit_bytes: u64,
    /// Objects it was given to store. L0 may have refused them.
    pub writes: u64,
    /// Bytes of those.
    pub written_bytes: u64,
}

impl Report {
    /// The part of the requests that was answered from the cache, 0 to 1.
    pub fn hit_ratio(&self) -> f64 {
        ratio(self.l0.hits + self.durable.hits, self.requests)
    }

    /// The part of the bytes that was answered from the cache, 0 to 1.
    pub fn byte_hit_ratio(&self) -> f64 {
        ratio(self.l0.hit_bytes + self.durable.hit_bytes, self.bytes)
    }
}

/// Runs `trace` through `policy`. Objects with one `id` are one object, whatever their size.
///
/// A trace says nothing of freshness: every object counts as fresh for ever. Memory grows with the
/// number of different objects, by a few words each.
pub fn replay(
    trace: impl IntoIterator<Item = Request>,
    policy: &Policy,
    l0: &mut impl L0,
    counting: Counting,
) -> Report {
    let mut report = Report::default();
    let mut durable = HashSet::new();
    let mut requests = Counter::new(counting);
    let mut hits = Counter::new(counting);

    for request in trace {
        report.requests += 1;
        report.bytes = report.bytes.saturating_add(request.size);
        if l0.get(&request) {
            report.l0.hit(&request);
            continue;
        }
        let to_l0 = if durable.contains(&request.id) {
            report.durable.hit(&request);
            let hits = hits.record_if(policy.counts_hits(), request.id);
            policy.promotes(Level::L3, Level::L0, hits)
        } else {
            let candidate = Candidate {
                len: Some(request.size),
                freshness: Duration::MAX,
                requests: requests.record_if(policy.counts_requests(), request.id),
            };
            if policy.admits(&candidate).is_admitted() {
                report.durable.write(&request);
                durable.insert(request.id);
            }
            true
        };
        if to_l0 && policy.fits(Level::L0, request.size) {
            report.l0.write(&request);
            l0.insert(&request);
        }
    }
    report
}

impl TierReport {
    fn hit(&mut self, request: &Request) {
        self.hits += 1;
        self.hit_bytes = self.hit_bytes.saturating_add(request.size);
    }

    fn write(&mut self, request: &Request) {
        self.writes += 1;
        self.written_bytes = self.written_bytes.saturating_add(request.size);
    }
}

enum Counter {
    Exact(HashMap<u64, u32>),
    Sketch(Frequency),
}

impl Counter {
    fn new(counting: Counting) -> Self {
        match counting {
            Counting::Exact => Self::Exact(HashMap::new()),
            Counting::Sketch { window } => Self::Sketch(Frequency::new(window)),
        }
    }

    fn record_if(&mut self, needed: bool, id: u64) -> u32 {
        match self {
            _ if !needed => 0,
            Self::Exact(counts) => {
                let count = counts.entry(id).or_default();
                *count = count.saturating_add(1);
                *count
            }
            Self::Sketch(frequency) => frequency.record(KeyDigest::of(&[&id.to_le_bytes()])),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests;
