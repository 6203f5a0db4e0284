use terrace_core::Level;

use crate::admission::{Admission, AdmissionRules, Candidate};
use crate::builder::PolicyBuilder;
use crate::promotion::{Promotion, Promotions};

const MIB: u64 = 1024 * 1024;

/// What goes where, and when. Immutable; made by a [`PolicyBuilder`], which refuses contradictions.
///
/// | | default |
/// |---|---|
/// | gates | L0 2 MiB, L1 64 MiB, L2 and L3 none |
/// | promotions | [`Promotion::OnStreamCommit`] on every edge |
/// | admission | [`AdmissionRule::Always`](crate::AdmissionRule::Always) |
/// | durable before finish | no |
///
/// The gates, the promotions and the admission are independent questions, and an object is stored in a tier only
/// if all that concern it say yes: gates hold for every tier and every way in; [`promotes`](Self::promotes)
/// is about hits, [`admits`](Self::admits) about fills from the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(crate) gates: [u64; Level::ALL.len()],
    pub(crate) promotions: Promotions,
    pub(crate) admission: AdmissionRules,
    pub(crate) counts_requests: bool,
    pub(crate) durable_before_finish: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            gates: [2 * MIB, 64 * MIB, u64::MAX, u64::MAX],
            promotions: Promotions::default(),
            admission: AdmissionRules::default(),
            counts_requests: false,
            durable_before_finish: false,
        }
    }
}

impl Policy {
    /// A builder that starts from the defaults.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// The largest body `level` stores, in bytes; `u64::MAX` if there is no bound.
    ///
    /// Gates never shrink from L0 down to L3. A gate of 0 lets only empty bodies in (redirects, mostly).
    pub fn gate(&self, level: Level) -> u64 {
        self.gates[level.index()]
    }

    /// Whether a body of `len` bytes passes the gate of `level`: the gate itself still does.
    ///
    /// For a body of unknown length, ask again with the bytes seen so far, as they arrive.
    pub fn fits(&self, level: Level, len: u64) -> bool {
        len <= self.gate(level)
    }

    /// Whether a hit in `from` is copied to `to`, if the body fits there.
    ///
    /// `hits` is how often the object was hit in `from` lately, this hit included. It is looked at only
    /// where [`counts_hits`](Self::counts_hits) holds; any number will do otherwise. False for what
    /// is not an edge upwards.
    pub fn promotes(&self, from: Level, to: Level, hits: u32) -> bool {
        match self.promotions.edge(from, to) {
            Promotion::Never => false,
            Promotion::OnStreamCommit => true,
            Promotion::AfterHits(n) => hits >= n.get(),
        }
    }

    /// Whether any edge waits for a number of hits: whether hits have to be counted at all.
    pub fn counts_hits(&self) -> bool {
        self.promotions.count_hits()
    }

    /// Whether a fill from the origin is worth storing in the shared and durable tiers, L1 to L3.
    ///
    /// L0 is not asked: it is memory, costs nothing to write, and holds the object until its second
    /// request comes.
    pub fn admits(&self, candidate: &Candidate) -> Admission {
        if candidate.len.is_some_and(|len| !self.fits(Level::L3, len)) {
            return Admission::Refused(crate::Refusal::TooLarge);
        }
        self.admission.judge(candidate)
    }

    /// Whether [`Candidate::requests`] is looked at: whether requests have to be counted at all.
    pub fn counts_requests(&self) -> bool {
        self.counts_requests || self.admission.count_requests()
    }

    /// Whether a fill is reported as finished only when the durable tier has committed it. The client that
    /// filled it then waits for that commit with the last bytes of its response.
    pub fn durable_before_finish(&self) -> bool {
        self.durable_before_finish
    }
}

#[cfg(test)]
mod tests;
