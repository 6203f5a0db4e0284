use std::time::Duration;

use crate::error::PolicyError;

/// A condition on what is stored in the shared and durable tiers. Several can be combined; all
/// must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdmissionRule {
    /// No condition.
    Always,
    /// The object was asked for before. Most objects of most traffic are asked for once; not writing
    /// them saves most writes for a part of the hits. [`replay`](mod@crate::replay) tells how many.
    SecondRequest,
    /// It is going to be fresh for at least this long: writing what expires at once only costs.
    MinFreshness(Duration),
}

/// What is known of an object when its fill begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The body's length in bytes, if it was announced.
    pub len: Option<u64>,
    /// For how long it may be served without asking the origin.
    pub freshness: Duration,
    /// How often it was asked for lately, this request included. See [`Frequency`](crate::Frequency).
    pub requests: u32,
}

/// The answer to a [`Candidate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Admission {
    /// Store it.
    Admitted,
    /// Do not, for this reason.
    Refused(Refusal),
}

impl Admission {
    /// Whether to store it.
    pub fn is_admitted(self) -> bool {
        self == Self::Admitted
    }
}

/// Why a candidate is not stored. Where several reasons hold, the first of them in this order is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It passes the gate of no shared or durable tier.
    TooLarge,
    /// It is going to be fresh for less than [`AdmissionRule::MinFreshness`].
    ShortLived,
    /// [`AdmissionRule::SecondRequest`] is set, and this is the first.
    FirstRequest,
}

impl Refusal {
    /// Its name in metric labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::ShortLived => "short_lived",
            Self::FirstRequest => "first_request",
        }
    }
}

/// The conjunction of the rules given: each kind of rule is held once, in its strictest form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AdmissionRules {
    min_freshness: Duration,
    second_request: bool,
}

impl AdmissionRules {
    pub(crate) fn add(&mut self, rule: AdmissionRule) -> Result<(), PolicyError> {
        match rule {
            AdmissionRule::Always => {}
            AdmissionRule::SecondRequest => self.second_request = true,
            AdmissionRule::MinFreshness(Duration::ZERO) => return Err(PolicyError::ZeroFreshness),
            AdmissionRule::MinFreshness(least) => {
                self.min_freshness = self.min_freshness.max(least);
            }
        }
        Ok(())
    }

    pub(crate) fn judge(&self, candidate: &Candidate) -> Admission {
        if candidate.freshness < self.min_freshness {
            return Admission::Refused(Refusal::ShortLived);
        }
        if self.second_request && candidate.requests < 2 {
            return Admission::Refused(Refusal::FirstRequest);
        }
        Admission::Admitted
    }

    pub(crate) fn count_requests(&self) -> bool {
        self.second_request
    }
}
