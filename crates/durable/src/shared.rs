use std::sync::Arc;

use terrace_core::{
    Applied, Cas, Clock, Group, IndexStore, Key, Random, Record, Result, Timestamp, Version,
};

use crate::config::DurableConfig;
use crate::descent::Descent;
use crate::held::Held;

/// What the tier, its fills and its bodies have in common.
#[derive(Debug)]
pub(crate) struct Shared<B, I> {
    pub(crate) blobs: Arc<B>,
    pub(crate) index: I,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) config: DurableConfig,
    pub(crate) held: Held,
    pub(crate) descent: Descent,
}

impl<B, I: IndexStore> Shared<B, I> {
    pub(crate) fn new_version(&self) -> Version {
        Version::random(&*self.random)
    }

    /// A group nobody has filled under.
    pub(crate) fn new_group(&self) -> Group {
        Group {
            hard: self.new_version(),
            soft: None,
        }
    }

    /// The retention of a record written now that is wanted until `wanted`.
    ///
    /// *Every* record we write stays for `tombstone_ttl`, because it may be all that tells a fill
    /// with an older fence that something has happened.
    pub(crate) fn retention(&self, wanted: Timestamp) -> Timestamp {
        wanted.max(self.clock.now().after(self.config.tombstone_ttl))
    }

    /// Writes `record` if the record of `key` has version `expected`, `None` for absent.
    pub(crate) async fn swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        record: &Record,
    ) -> Result<Cas> {
        match expected {
            Some(expected) => self.index.cas_update(key, expected, record).await,
            None => self.index.put_new(key, record).await,
        }
    }

    /// As [`swap`](Self::swap), and reads back if it was refused or the answer was lost: a store whose client
    /// repeats a call it got no answer to is refused by its own first attempt. `Conflict` also if the write
    /// took effect and was overwritten since.
    ///
    /// Errors with [`Applied::Unknown`] only if the write may still be on its way.
    pub(crate) async fn swap_surely(
        &self,
        key: &Key,
        expected: Option<Version>,
        record: &Record,
    ) -> Result<Cas> {
        let lost = match self.swap(key, expected, record).await {
            Ok(Cas::Applied) => return Ok(Cas::Applied),
            Ok(Cas::Conflict) => None,
            Err(cause) if cause.applied() == Applied::Unknown => Some(cause),
            Err(cause) => return Err(cause),
        };
        let found = match (self.index.get(key).await, lost) {
            (Ok(found), None) => found,
            (Ok(found), Some(_)) if version_of(found.as_ref()) != expected => found,
            // Unchanged, or unreadable: it may still arrive.
            (_, Some(cause)) => return Err(cause),
            (Err(_), None) => return Ok(Cas::Conflict),
        };
        if version_of(found.as_ref()) == Some(record.version) {
            return Ok(Cas::Applied);
        }
        Ok(Cas::Conflict)
    }
}

fn version_of(record: Option<&Record>) -> Option<Version> {
    record.map(|record| record.version)
}
