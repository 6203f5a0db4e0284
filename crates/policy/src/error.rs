use std::num::NonZeroU32;

use terrace_core::Level;

use crate::frequency::Frequency;

/// Why a policy was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A tier would store bodies that the tier below it does not.
    #[error(
        "the {upper} gate ({upper_bytes} bytes) is above the {lower} gate ({lower_bytes} bytes): \
         raise {lower}'s to at least {upper_bytes}, or lower {upper}'s to at most {lower_bytes}"
    )]
    GateShrinks {
        /// The upper tier.
        upper: Level,
        /// Its gate, in bytes.
        upper_bytes: u64,
        /// The tier below it.
        lower: Level,
        /// Its gate, in bytes.
        lower_bytes: u64,
    },
    /// The pair of levels does not lead upwards.
    #[error(
        "there is no promotion from {from} to {to}: promotions lead upwards, from a slower tier to a \
         faster one, for example from L3 to L0"
    )]
    NotUpwards {
        /// Where the hit is.
        from: Level,
        /// Where it was to be copied.
        to: Level,
    },
    /// More hits than are ever counted.
    #[error(
        "promotion from {from} to {to} after {hits} hits would never happen: hits are counted up to {max}; \
         ask for fewer, or use Promotion::Never",
        max = Frequency::MAX_COUNT
    )]
    TooManyHits {
        /// Where the hit is.
        from: Level,
        /// Where it was to be copied.
        to: Level,
        /// The hits asked for.
        hits: NonZeroU32,
    },
    /// A minimum freshness of nothing, which every object has.
    #[error(
        "AdmissionRule::MinFreshness needs a duration above zero; to admit everything, use \
         AdmissionRule::Always"
    )]
    ZeroFreshness,
}
