use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::checksum::BlockChecksums;
use crate::generation::{Generation, Version};
use crate::key::Key;
use crate::meta::Meta;
use crate::time::Timestamp;

mod codec;

pub use codec::{MAX_MANIFEST_BYTES, MAX_TAGS, ManifestError};

/// The durable tier's knowledge of one key. There is one per key, and it is the only thing that ever
/// changes; bodies are immutable.
///
/// A manifest holds up to three independent facts, so that none hides another: a stale object can
/// still be served while its successor is being uploaded under a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The key it belongs to. Checked when it is read: bytes of one key never appear under another
    /// (promise P10).
    pub key: Key,
    /// The purges of the whole group. Present in the primary slot's manifest, absent in a variant's.
    pub group: Option<Group>,
    /// The object, if there is one.
    pub object: Option<StoredObject>,
    /// The fill that has announced itself, if there is one.
    pub reservation: Option<Reservation>,
}

/// The manifest's state, derived from its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has an object that was not purged.
    Live,
    /// It has an object that was soft-purged.
    Expired,
    /// It has no object, but a fill has announced one.
    Pending,
    /// It remembers that there is nothing: a purge, or the anchor of a group.
    Tombstone,
}

/// The purge state of a group of variants, kept in its primary slot.
///
/// Each object remembers the group's [stamp](GroupStamp) it was filled under. A purge of all variants
/// replaces a nonce here, which is one write however many variants there are; from then on
/// objects with another stamp are dead or stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Replaced when all variants are purged.
    pub hard: Version,
    /// Replaced, and the moment noted, when all variants are marked stale.
    pub soft: Option<(Version, Timestamp)>,
}

/// What an object remembers of its group's purges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStamp {
    /// [`Group::hard`] when the object's fence was taken.
    pub hard: Version,
    /// [`Group::soft`]'s nonce when the object's fence was taken.
    pub soft: Option<Version>,
}

/// An object in the durable tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Names the body.
    pub generation: Generation,
    /// The purges it was filled under.
    pub stamp: GroupStamp,
    /// Length and checksums of the body.
    pub checksums: Arc<BlockChecksums>,
    /// Where the body is.
    pub location: Location,
    /// Its metadata.
    pub meta: Meta,
    /// Since when it is stale by a soft purge, if it is.
    pub expired_at: Option<Timestamp>,
}

/// Where a body is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Location {
    /// In the manifest itself: one round trip, and no object to pay for.
    Inline(Bytes),
    /// In the blob store, under this key and generation.
    Blob,
}

/// A fill that has announced itself before its upload is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The generation being uploaded: garbage collection leaves its blob alone.
    pub generation: Generation,
    /// When it may be taken for abandoned.
    pub until: Timestamp,
}

impl Manifest {
    /// A manifest without facts. A primary slot gets `group`, a variant drops it.
    pub fn empty(key: Key, group: Group) -> Self {
        let group = key.variance().is_none().then_some(group);
        Self {
            key,
            group,
            object: None,
            reservation: None,
        }
    }

    /// The state its facts amount to.
    pub fn state(&self) -> State {
        match (&self.object, &self.reservation) {
            (
                Some(StoredObject {
                    expired_at: Some(_),
                    ..
                }),
                _,
            ) => State::Expired,
            (Some(_), _) => State::Live,
            (None, Some(_)) => State::Pending,
            (None, None) => State::Tombstone,
        }
    }
}

impl Group {
    /// What an object filled now has to remember.
    pub fn stamp(&self) -> GroupStamp {
        GroupStamp {
            hard: self.hard,
            soft: self.soft.map(|(nonce, _)| nonce),
        }
    }

    /// Whether an object with `stamp` is alive: `None` if it was purged, otherwise since when it is
    /// stale, if it is.
    pub fn judge(&self, stamp: GroupStamp) -> Option<Option<Timestamp>> {
        if stamp.hard != self.hard {
            return None;
        }
        Some(
            self.soft
                .filter(|(nonce, _)| stamp.soft != Some(*nonce))
                .map(|(_, at)| at),
        )
    }
}
