use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// "This tier, for this key, as I saw it before I read the source."
///
/// A tier hands one out with every lookup and demands it back in
/// [`Tier::admit`](crate::Tier::admit); the commit happens only if nothing was purged in
/// between. That is how promise P3, *a purged object never comes back*, is kept without comparing clocks.
///
/// Only the tier that made a fence can read it. To everyone else it is a token to carry.
///
/// Fences of generational caches go back to the leases of Nishtala et al., *Scaling Memcache at
/// Facebook* (NSDI 2013).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Repr {
    Words([u64; 3]),
    Bytes(Arc<[u8]>),
}

impl Fence {
    /// A fence of up to three numbers: an epoch, a version.
    pub const fn from_words(words: [u64; 3]) -> Self {
        Self(Repr::Words(words))
    }

    /// A fence of the backend's own bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Repr::Bytes(bytes.into()))
    }

    /// The numbers, if this fence was made from numbers.
    pub const fn words(&self) -> Option<[u64; 3]> {
        match self.0 {
            Repr::Words(words) => Some(words),
            Repr::Bytes(_) => None,
        }
    }

    /// The bytes, if this fence was made from bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Words(_) => None,
            Repr::Bytes(bytes) => Some(bytes),
        }
    }
}
