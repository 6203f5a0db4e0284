use futures::future;
use terrace_core::{
    Generation, Group, IndexStore, Key, Manifest, Record, Reservation, Result, StoredObject,
    Timestamp, Version,
};

use crate::fence::Token;
use crate::record::Seen;
use crate::shared::Shared;

/// All the index knows of one key: its record, and what its group's primary slot says of purges.
#[derive(Debug)]
pub(crate) struct Slot {
    key: Key,
    seen: Option<Seen>,
    /// The primary slot's record of a variant; a primary slot is its own.
    primary: Option<Seen>,
    taken: Timestamp,
}

impl<B, I: IndexStore> Shared<B, I> {
    /// Reads the slot of `key`, for a variant two records at once.
    ///
    /// Two reads are no snapshot. A hit needs a group nonce that is the same in both, so that a purge between them
    /// makes it a miss, which is an answer the lookup could have got a moment later.
    pub(crate) async fn read(&self, key: &Key) -> Result<Slot> {
        let taken = self.clock.now();
        let (seen, primary) = if key.variance().is_none() {
            (self.read_record(key).await?, None)
        } else {
            let group = key.group();
            future::try_join(self.read_record(key), self.read_record(&group)).await?
        };
        Ok(Slot {
            key: *key,
            seen,
            primary,
            taken,
        })
    }

    pub(crate) async fn read_record(&self, key: &Key) -> Result<Option<Seen>> {
        let record: Option<Record> = self.index.get(key).await?;
        record.map(|record| Seen::decode(key, &record)).transpose()
    }
}

impl Slot {
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The version of the key's own record.
    pub(crate) fn version(&self) -> Option<Version> {
        self.seen.as_ref().map(|seen| seen.version)
    }

    pub(crate) fn retain_until(&self) -> Option<Timestamp> {
        self.seen.as_ref().map(|seen| seen.retain_until)
    }

    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        self.seen.as_ref()?.manifest.as_ref()
    }

    /// The purges of the key's group; `None` if its primary slot has no readable record.
    pub(crate) fn group(&self) -> Option<Group> {
        // A variant whose primary slot is empty ends up at its own manifest, which never has a group.
        let holder = self.primary.as_ref().or(self.seen.as_ref())?;
        holder.manifest.as_ref()?.group
    }

    /// The object, if no purge has touched it, and since when it is stale by a soft purge, if it is.
    pub(crate) fn live(&self) -> Option<(&StoredObject, Option<Timestamp>)> {
        let object = self.manifest()?.object.as_ref()?;
        let group_soft = self.group()?.judge(object.stamp)?;
        let expired_at = match (object.expired_at, group_soft) {
            (Some(own), Some(group)) => Some(own.min(group)),
            (own, group) => own.or(group),
        };
        Some((object, expired_at))
    }

    /// The generation of the object, if it is [live](Self::live).
    pub(crate) fn live_generation(&self) -> Option<Generation> {
        self.live().map(|(object, _)| object.generation)
    }

    pub(crate) fn reservation(&self) -> Option<Reservation> {
        self.manifest()?.reservation
    }

    /// Whether a record that decides what is live cannot be read.
    pub(crate) fn is_damaged(&self) -> bool {
        let damaged = |seen: &Option<Seen>| seen.as_ref().is_some_and(|s| s.manifest.is_none());
        damaged(&self.seen) || damaged(&self.primary)
    }

    pub(crate) fn token(&self) -> Token {
        Token {
            version: self.version(),
            stamp: self.group().map(|group| group.stamp()),
            taken: self.taken,
        }
    }
}
