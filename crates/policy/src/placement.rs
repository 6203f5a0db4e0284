use terrace_core::Level;

use crate::admission::{Admission, AdmissionRule, AdmissionRules, Candidate};
use crate::error::PolicyError;

/// Narrows a [`Policy`](crate::Policy) for one object: what a rule of the proxy says of a part of a site.
///
/// It never widens one: an object is stored in a tier only if both say yes. The default narrows nothing.
///
/// ```
/// use terrace_core::Level;
/// use terrace_policy::Placement;
///
/// let in_memory_only = Placement::default().only(&[Level::L0]).max_bytes(64 << 10);
/// assert!(in_memory_only.fits(Level::L0, 1000));
/// assert!(!in_memory_only.fits(Level::L3, 1000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Placement {
    levels: [bool; Level::ALL.len()],
    max_bytes: u64,
    admission: AdmissionRules,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            levels: [true; Level::ALL.len()],
            max_bytes: u64::MAX,
            admission: AdmissionRules::default(),
        }
    }
}

impl Placement {
    /// Stored in these levels only. With none, it is stored nowhere, and shared with concurrent readers all the same.
    pub fn only(mut self, levels: &[Level]) -> Self {
        self.levels = Level::ALL.map(|level| levels.contains(&level));
        self
    }

    /// Stored nowhere if its body has more than `bytes` bytes.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Adds a condition on what is stored in the shared and durable tiers, to those of the policy.
    ///
    /// [`AdmissionRule::SecondRequest`] counts only where requests are counted: see
    /// [`PolicyBuilder::count_requests`](crate::PolicyBuilder::count_requests).
    pub fn admission(mut self, rule: AdmissionRule) -> Result<Self, PolicyError> {
        self.admission.add(rule)?;
        Ok(self)
    }

    /// Whether `level` may store a body of `len` bytes. For a body of unknown length, ask again with the bytes seen so far.
    pub fn fits(&self, level: Level, len: u64) -> bool {
        self.levels[level.index()] && len <= self.max_bytes
    }

    /// Whether a fill from the origin is worth storing in the shared and durable tiers, L1 to L3.
    pub fn admits(&self, candidate: &Candidate) -> Admission {
        self.admission.judge(candidate)
    }

    /// Whether [`Candidate::requests`] is looked at.
    pub fn counts_requests(&self) -> bool {
        self.admission.count_requests()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CANDIDATE: Candidate = Candidate {
        len: None,
        freshness: Duration::from_secs(5),
        requests: 1,
    };

    #[test]
    fn the_default_narrows_nothing() {
        let placement = Placement::default();
        assert!(Level::ALL.iter().all(|it| placement.fits(*it, u64::MAX)));
        assert!(placement.admits(&CANDIDATE).is_admitted());
        assert!(!placement.counts_requests());
    }

    #[test]
    fn levels_sizes_and_conditions_narrow() {
        let placement = Placement::default().only(&[Level::L3]).max_bytes(10);
        assert!(placement.fits(Level::L3, 10));
        assert!(!placement.fits(Level::L3, 11));
        assert!(!placement.fits(Level::L0, 10));
        let second = placement.admission(AdmissionRule::SecondRequest).unwrap();
        assert!(second.counts_requests());
        assert!(!second.admits(&CANDIDATE).is_admitted());
        let long = AdmissionRule::MinFreshness(Duration::from_secs(6));
        let long = placement.admission(long).unwrap();
        assert!(!long.admits(&CANDIDATE).is_admitted());
    }
}
