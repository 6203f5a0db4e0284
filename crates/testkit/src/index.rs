use std::sync::Arc;

use libtest_mimic::Trial;
use terrace_core::IndexStore;

use crate::suite::{Case, Fixture, trials};

mod basics;
mod cancel;
mod cas;
mod history;
mod patient;
mod races;
mod scan;
mod ttl;

/// Trials of an [`IndexStore`]: `make` gives each a fresh, empty store.
///
/// They hold the store to the text of the trait, among others that compare-and-swap is linearizable
/// under 32 concurrent writers (P4). They assume nothing else is written to the store meanwhile.
pub fn index_conformance<S, F, Fut>(name: &str, make: F) -> Vec<Trial>
where
    S: IndexStore,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    trials(name, cases(), make, |store| store)
}

/// What the trials see of a store.
type Index = Arc<dyn IndexStore>;

pub(crate) fn cases() -> Vec<Case<dyn IndexStore>> {
    [
        basics::cases(),
        cas::cases(),
        ttl::cases(),
        scan::cases(),
        races::cases(),
        cancel::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
