use pingora_cache::{CacheEntryId, storage};
use terrace_core::{Generation, PurgeOutcome, Target};

use crate::key::compact_key;

/// The one identity scheme of this storage: an entry is a key and a generation.
pub(crate) fn entry_id(generation: Generation) -> CacheEntryId {
    CacheEntryId::new(generation.to_u64())
}

/// What Pingora wants purged; `None` for an id no entry ever had.
///
/// An exact entry without an id (of an eviction manager that was filled by another storage) has nothing to match
/// but its key.
pub(crate) fn target(target: storage::PurgeTarget<'_>) -> Option<Target> {
    let key = compact_key(target.key());
    let id = match target {
        storage::PurgeTarget::Active(_) => None,
        storage::PurgeTarget::Exact(entry) => entry.entry_id(),
    };
    match id {
        None => Some(Target::Key(key)),
        Some(id) => Some(Target::Generation(key, Generation::from_u64(id.get())?)),
    }
}

/// What Pingora is told. An exact target knows its id already, and Pingora insists on not being told another.
pub(crate) fn outcome(
    target: storage::PurgeTarget<'_>,
    outcome: PurgeOutcome,
) -> storage::PurgeOutcome {
    match outcome {
        PurgeOutcome::NotFound => storage::PurgeOutcome::NotFound,
        PurgeOutcome::Expired(_) => storage::PurgeOutcome::Expired,
        PurgeOutcome::Purged(generation) => storage::PurgeOutcome::Purged(match target {
            storage::PurgeTarget::Active(_) => Some(entry_id(generation)),
            storage::PurgeTarget::Exact(_) => None,
        }),
    }
}
