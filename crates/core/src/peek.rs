//! What a tier tells of itself to those who watch it.

use crate::generation::Generation;
use crate::meta::Meta;
use crate::tier::Hit;
use crate::time::Timestamp;

/// An object that was looked at, and not asked for: [`Tier::peek`](crate::Tier::peek).
#[derive(Debug, Clone)]
pub struct Peeked {
    /// Which of the key's bodies.
    pub generation: Generation,
    /// Its metadata.
    pub meta: Meta,
    /// Since when it is stale by a soft purge, if it is.
    pub expired_at: Option<Timestamp>,
    /// Its length in bytes, where that is known.
    pub len: Option<u64>,
}

impl From<Hit> for Peeked {
    fn from(hit: Hit) -> Self {
        Self {
            generation: hit.generation,
            meta: hit.meta,
            expired_at: hit.expired_at,
            len: hit.checksums.map(|sums| sums.len()),
        }
    }
}

/// What a tier holds: [`Tier::usage`](crate::Tier::usage). `None` where it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Objects.
    pub objects: Option<u64>,
    /// Their bytes, as the tier counts them towards its capacity.
    pub bytes: Option<u64>,
    /// The most bytes it will hold.
    pub capacity_bytes: Option<u64>,
    /// Objects it has given up for others since it was opened.
    pub evictions: Option<u64>,
}
