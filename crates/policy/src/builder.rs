use terrace_core::Level;

use crate::admission::AdmissionRule;
use crate::error::PolicyError;
use crate::policy::Policy;
use crate::promotion::Promotion;

/// Builds a [`Policy`] from the defaults. What contradicts itself is refused by
/// [`build`](Self::build), with the first contradiction that was said.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct PolicyBuilder {
    policy: Policy,
    refused: Option<PolicyError>,
}

impl PolicyBuilder {
    /// The largest body L0 stores, in bytes; `u64::MAX` for no bound. With 0, only empty bodies.
    ///
    /// It only bounds single bodies. How much L0 holds in all is the memory tier's own capacity.
    pub fn l0_max(self, bytes: u64) -> Self {
        self.gate(Level::L0, bytes)
    }

    /// The largest body L1 stores, in bytes; `u64::MAX` for no bound.
    pub fn l1_max(self, bytes: u64) -> Self {
        self.gate(Level::L1, bytes)
    }

    /// The largest body L2 stores, in bytes; `u64::MAX` for no bound.
    pub fn l2_max(self, bytes: u64) -> Self {
        self.gate(Level::L2, bytes)
    }

    /// The largest body L3 stores, in bytes; `u64::MAX` for no bound. Larger bodies are not cached.
    pub fn l3_max(self, bytes: u64) -> Self {
        self.gate(Level::L3, bytes)
    }

    /// The largest body `level` stores, in bytes: [`l0_max`](Self::l0_max) and its siblings for a level that
    /// is only known at run time.
    pub fn gate(mut self, level: Level, bytes: u64) -> Self {
        self.policy.gates[level.index()] = bytes;
        self
    }

    /// When hits in `from` are copied to `to`, a tier above it.
    pub fn promotion(mut self, from: Level, to: Level, promotion: Promotion) -> Self {
        let set = self.policy.promotions.set(from, to, promotion);
        self.note(set)
    }

    /// When hits are copied, on every edge. Set single edges afterwards.
    pub fn promotions(mut self, promotion: Promotion) -> Self {
        for from in Level::ALL {
            for &to in from.above() {
                self = self.promotion(from, to, promotion);
            }
        }
        self
    }

    /// Adds a condition on what is stored in the shared and durable tiers. All that were added
    /// must hold.
    pub fn admission(mut self, rule: AdmissionRule) -> Self {
        let added = self.policy.admission.add(rule);
        self.note(added)
    }

    /// Whether requests are counted even if no condition here needs it, because a [`Placement`](crate::Placement) does.
    pub fn count_requests(mut self, yes: bool) -> Self {
        self.policy.counts_requests = yes;
        self
    }

    /// Whether a fill is finished only when the durable tier has committed it.
    pub fn durable_before_finish(mut self, yes: bool) -> Self {
        self.policy.durable_before_finish = yes;
        self
    }

    /// The policy, or the first thing that is wrong with it.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let Self { policy, refused } = self;
        if let Some(error) = refused {
            return Err(error);
        }
        for pair in Level::ALL.windows(2) {
            let (upper, lower) = (pair[0], pair[1]);
            if policy.gate(upper) > policy.gate(lower) {
                return Err(PolicyError::GateShrinks {
                    upper,
                    upper_bytes: policy.gate(upper),
                    lower,
                    lower_bytes: policy.gate(lower),
                });
            }
        }
        Ok(policy)
    }

    fn note(mut self, step: Result<(), PolicyError>) -> Self {
        self.refused = self.refused.or(step.err());
        self
    }
}
