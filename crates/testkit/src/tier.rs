use std::sync::Arc;

use libtest_mimic::Trial;
use terrace_core::Tier;

use crate::suite::{Case, Fixture, trials};

mod bodies;
mod cancel;
mod clocks;
mod copies;
mod expiry;
mod fills;
mod kind;
mod purges;
mod races;
mod refresh;
mod support;

/// Trials of a [`Tier`]: `make` gives each a fresh, empty tier that holds bodies of 2 MiB.
///
/// They hold the tier to the text of the trait, among others that a purged object never comes back
/// (P3). They assume nothing else is stored in the tier meanwhile, and room for 8 MiB.
pub fn tier_conformance<T, F, Fut>(name: &str, make: F) -> Vec<Trial>
where
    T: Tier,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<T>> + Send + 'static,
{
    trials(name, cases(), make, |tier| tier)
}

/// What the trials see of a tier.
type AnyTier = Arc<dyn Tier>;

pub(crate) fn cases() -> Vec<Case<dyn Tier>> {
    [
        fills::cases(),
        copies::cases(),
        bodies::cases(),
        purges::cases(),
        expiry::cases(),
        clocks::cases(),
        kind::cases(),
        refresh::cases(),
        races::cases(),
        cancel::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
