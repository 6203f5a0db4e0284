use terrace_core::{
    BlobStore, Cas, Error, GroupStamp, IndexStore, Manifest, Result, Timestamp, Version,
};

use super::DurableFill;
use crate::record::encode;

/// What became of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is visible.
    Published,
    /// It is not visible. No manifest names it, and none will.
    Unnamed,
    /// It is not visible. Whether a manifest names it is not known.
    Invisible,
}

/// The record that holds the object.
pub(super) struct Written {
    pub(super) version: Version,
    pub(super) retain_until: Timestamp,
    pub(super) stamp: GroupStamp,
}

impl<B: BlobStore, I: IndexStore> DurableFill<B, I> {
    /// Finds out how a swap ended that was refused, or whose answer was `lost`, by reading back.
    ///
    /// A refusal is looked into as well: a store whose client repeats a call it got no answer to is refused by
    /// its own first attempt, and deleting the blob then would leave a manifest without one.
    pub(super) async fn settle(&self, lost: Option<Error>) -> Result<Outcome> {
        let unclear = |lost: Option<Error>| lost.map_or(Ok(Outcome::Invisible), Err);
        let Ok(seen) = self.shared.read_record(&self.key).await else {
            return unclear(lost);
        };
        if lost.is_some() && seen.as_ref().map(|seen| seen.version) == self.fence.version {
            // It may still arrive.
            return unclear(lost);
        }
        let Some(seen) = seen else {
            return Ok(Outcome::Unnamed);
        };
        let Some(manifest) = seen.manifest else {
            return unclear(lost);
        };
        match manifest.object {
            Some(object) if object.generation == self.generation => {
                let written = Written {
                    version: seen.version,
                    retain_until: seen.retain_until,
                    stamp: object.stamp,
                };
                self.confirm(&written).await
            }
            _ => Ok(Outcome::Unnamed),
        }
    }

    /// Looks whether the group of a variant was purged while its record was being written. The object would be
    /// dead or stale anyway, by its stamp; this makes the answer true and the record small.
    pub(super) async fn confirm(&self, written: &Written) -> Result<Outcome> {
        if self.key.variance().is_none() {
            return Ok(Outcome::Published);
        }
        let held = self.hold_group(written.stamp, written.retain_until).await;
        if held.map_err(Error::maybe_applied)? {
            return Ok(Outcome::Published);
        }
        self.withdraw(written.version).await
    }

    /// Takes back what was just published. By a tombstone: the record that it had replaced may have been one
    /// that older fences must still find.
    async fn withdraw(&self, version: Version) -> Result<Outcome> {
        let tombstone = encode(
            &Manifest::empty(self.key, self.shared.new_group()),
            self.shared.new_version(),
            self.shared.retention(Timestamp::EPOCH),
        )?;
        let swapped = self
            .shared
            .swap_surely(&self.key, Some(version), &tombstone);
        match swapped.await.map_err(Error::maybe_applied)? {
            Cas::Applied => Ok(Outcome::Unnamed),
            Cas::Conflict => Ok(Outcome::Invisible),
        }
    }
}
