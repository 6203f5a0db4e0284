use std::sync::Arc;

use libtest_mimic::Trial;
use terrace_core::BlobStore;

use crate::suite::{Case, Fixture, trials};

mod lists;
mod reads;
mod support;
mod writes;

/// Trials of a [`BlobStore`]: `make` gives each a fresh, empty store.
///
/// They hold the store to the text of the trait, among others that nobody ever sees a part of a blob
/// (P1, P5). They assume nothing else is written to the store meanwhile.
pub fn blob_conformance<S, F, Fut>(name: &str, make: F) -> Vec<Trial>
where
    S: BlobStore,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    trials(name, cases(), make, |store| store)
}

/// What the trials see of a store.
type Blobs = Arc<dyn BlobStore>;

pub(crate) fn cases() -> Vec<Case<dyn BlobStore>> {
    [writes::cases(), reads::cases(), lists::cases()]
        .into_iter()
        .flatten()
        .collect()
}
