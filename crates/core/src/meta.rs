use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The metadata of an object: how long it is good for, and the protocol's own record of it.
///
/// `internal` and `header` are opaque here. The Pingora bridge puts the two parts of
/// `CacheMeta::serialize` in them; another user may put anything.
#[derive(Clone, Serialize, Deserialize)]
pub struct Meta {
    /// When the object was admitted or last revalidated.
    pub updated: Timestamp,
    /// Until when it may be served without asking the origin (promise P6). Absolute: it
    /// travels with the object through every promotion and is never aged anew.
    pub fresh_until: Timestamp,
    /// Until when it may be of any use, stale windows included. A tier may forget it afterwards.
    pub stale_until: Timestamp,
    /// The protocol's private part.
    pub internal: Bytes,
    /// The protocol's header.
    pub header: Bytes,
    /// Labels by which a group of objects is invalidated. Shared: a hit clones the metadata.
    pub tags: Arc<[Box<str>]>,
    /// What this process knows besides, above all a parsed form of the two parts; never stored.
    #[serde(skip)]
    pub decoded: Decoded,
}

impl Meta {
    /// Metadata without parts or tags, fresh and useful until `fresh_until`.
    pub fn new(updated: Timestamp, fresh_until: Timestamp) -> Self {
        Self {
            updated,
            fresh_until,
            stale_until: fresh_until,
            internal: Bytes::new(),
            header: Bytes::new(),
            tags: Arc::default(),
            decoded: Decoded::default(),
        }
    }

    /// When what carries this metadata was last known to be what the tiers below hold; [`Timestamp::EPOCH`] if that was
    /// never said.
    ///
    /// It is never stored, and shared by all clones: whoever confirms a hit confirms the copy in memory that it is of.
    pub fn confirmed(&self) -> Timestamp {
        Timestamp::from_millis(self.decoded.0.confirmed.load(Ordering::Acquire))
    }

    /// Says when what carries this metadata, and every clone of it, was last known to be what the tiers below hold.
    pub fn confirm(&self, at: Timestamp) {
        let confirmed = &self.decoded.0.confirmed;
        confirmed.store(at.as_millis(), Ordering::Release);
    }

    /// Bytes of memory it holds on to, for weighing.
    pub fn weight(&self) -> usize {
        let tags: usize = self
            .tags
            .iter()
            .map(|tag| tag.len() + size_of::<Box<str>>())
            .sum();
        size_of::<Self>() + self.internal.len() + self.header.len() + tags
    }
}

impl PartialEq for Meta {
    /// Compares what is stored.
    fn eq(&self, other: &Self) -> bool {
        (self.updated, self.fresh_until, self.stale_until)
            == (other.updated, other.fresh_until, other.stale_until)
            && self.internal == other.internal
            && self.header == other.header
            && self.tags == other.tags
    }
}

impl Eq for Meta {}

impl fmt::Debug for Meta {
    /// Leaves the parts out: a response header may carry a secret (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meta")
            .field("updated", &self.updated)
            .field("fresh_until", &self.fresh_until)
            .field("stale_until", &self.stale_until)
            .field("internal_bytes", &self.internal.len())
            .field("header_bytes", &self.header.len())
            .field("tags", &self.tags.len())
            .finish_non_exhaustive()
    }
}

/// What a process knows of a [`Meta`] beside what is stored, shared by all its clones: a parsed form, so that a tier that
/// keeps the `Meta` in memory lets its readers parse a header once instead of once per hit, and when it was
/// [confirmed](Meta::confirmed).
#[derive(Clone, Default)]
pub struct Decoded(Arc<Known>);

#[derive(Default)]
struct Known {
    parsed: OnceLock<Box<dyn Any + Send + Sync>>,
    confirmed: AtomicU64,
}

impl Decoded {
    /// The parsed form, made by `parse` if this is the first call; `None` if `parse` says `None`, or if the
    /// cell holds another type.
    pub fn get_or_try_init<T: Any + Send + Sync>(
        &self,
        parse: impl FnOnce() -> Option<T>,
    ) -> Option<&T> {
        let parsed = &self.0.parsed;
        if parsed.get().is_none() {
            // Two first readers may both parse; one result is kept, both are the same.
            let _ = parsed.set(Box::new(parse()?));
        }
        parsed.get()?.downcast_ref()
    }
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.parsed.get().is_some() {
            "Decoded(set)"
        } else {
            "Decoded(empty)"
        })
    }
}
