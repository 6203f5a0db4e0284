use std::sync::Arc;

use terrace_core::{
    Applied, BlobStore, BlockChecksums, Cas, Committed, Group, GroupStamp, IndexStore, Location,
    Manifest, Replaces, Result, StoredObject, Timestamp, Version,
};

use super::settle::{Outcome, Written};
use super::{DurableFill, unpublished};
use crate::record::encode;

/// What an object's record says beside the object.
struct Frame {
    version: Version,
    group: Option<Group>,
    stamp: GroupStamp,
    retain_until: Timestamp,
}

impl<B: BlobStore, I: IndexStore> DurableFill<B, I> {
    /// Makes the object visible by one compare-and-swap on the fence. The body is in its place already, so
    /// that no manifest ever names a blob that is not there.
    pub(super) async fn publish(
        mut self: Box<Self>,
        checksums: Arc<BlockChecksums>,
        location: Location,
    ) -> Result<Committed> {
        let has_blob = location == Location::Blob;
        let mut outcome = self.swap_in(&checksums, &location).await?;
        for _ in 1..self.shared.config.max_attempts {
            if outcome != Outcome::Unnamed || !self.follows_a_fill().await {
                break;
            }
            outcome = self.swap_in(&checksums, &location).await?;
        }
        match outcome {
            Outcome::Published => Ok(Committed::Published),
            Outcome::Unnamed => {
                if has_blob {
                    self.delete_blob().await;
                }
                Ok(Committed::Fenced)
            }
            Outcome::Invisible => Ok(Committed::Fenced),
        }
    }

    /// Looks why the object was not published: takes a new fence, and says so, if it was only because of fills of
    /// answers that are older than ours.
    ///
    /// That is no question of safety: two answers that no purge has voided may both be served. Which of them is newer
    /// is told by their own moments; of equal ones the first stays.
    async fn follows_a_fill(&mut self) -> bool {
        if self.replaces != Replaces::Anything {
            // What was filled since is newer than a copy.
            return false;
        }
        if self.reserved_until.is_some() {
            // Without its reservation, the blob may have been collected.
            return false;
        }
        let Ok(Some(seen)) = self.shared.read_record(&self.key).await else {
            return false;
        };
        let Some(manifest) = seen.manifest else {
            return false;
        };
        let is_older = |object: StoredObject| object.meta.updated < self.meta.updated;
        if !self.shared.descent.leads(self.fence.version, seen.version)
            || !manifest.object.is_none_or(is_older)
        {
            return false;
        }
        self.fence.version = Some(seen.version);
        true
    }

    async fn swap_in(
        &self,
        checksums: &Arc<BlockChecksums>,
        location: &Location,
    ) -> Result<Outcome> {
        let frame = self.frame().await.map_err(unpublished)?;
        let Some(frame) = frame.filter(|_| self.is_in_time(self.shared.clock.now())) else {
            return Ok(Outcome::Unnamed);
        };
        let manifest = Manifest {
            key: self.key,
            group: frame.group,
            object: Some(StoredObject {
                generation: self.generation,
                stamp: frame.stamp,
                checksums: Arc::clone(checksums),
                location: location.clone(),
                meta: self.meta.clone(),
                expired_at: None,
            }),
            reservation: None,
        };
        let retain_until = self.shared.retention(frame.retain_until);
        let record = encode(&manifest, frame.version, retain_until)?;
        let descent = &self.shared.descent;
        descent.note(self.fence.version, frame.version);
        let swapped = self.shared.swap(&self.key, self.fence.version, &record);
        match swapped.await {
            Ok(Cas::Applied) => {
                let written = Written {
                    version: frame.version,
                    retain_until,
                    stamp: frame.stamp,
                };
                self.confirm(&written).await
            }
            Ok(Cas::Conflict) => self.settle(None).await,
            Err(cause) if cause.applied() == Applied::Unknown => self.settle(Some(cause)).await,
            Err(cause) => Err(cause),
        }
    }

    /// `None` if somebody came first.
    async fn frame(&self) -> Result<Option<Frame>> {
        let useful_until = self.shared.object_retention(&self.meta);
        if self.key.variance().is_some() {
            let stamp = match self.fence.stamp {
                Some(stamp) => Some(stamp),
                None => self.anchor(useful_until).await?,
            };
            return Ok(stamp.map(|stamp| Frame {
                version: self.shared.new_version(),
                group: None,
                stamp,
                retain_until: useful_until,
            }));
        }
        let Some(expected) = self.fence.version else {
            let group = self.shared.new_group();
            return Ok(Some(Frame {
                // Made from nothing; see `anchor`.
                version: group.hard,
                group: Some(group),
                stamp: group.stamp(),
                retain_until: useful_until,
            }));
        };
        let seen = self.shared.read_record(&self.key).await?;
        Ok(seen.filter(|seen| seen.version == expected).map(|seen| {
            // Its group and its retention serve the variants as well.
            let group = seen.manifest.and_then(|manifest| manifest.group);
            let group = group.unwrap_or_else(|| self.shared.new_group());
            Frame {
                version: self.shared.new_version(),
                group: Some(group),
                stamp: group.stamp(),
                retain_until: useful_until.max(seen.retain_until),
            }
        }))
    }

    /// Saves garbage collection the work. Where it fails, the blob is an orphan like any other.
    async fn delete_blob(&self) {
        let name = self.blob_name();
        if let Err(cause) = self.shared.blobs.delete(&name).await {
            tracing::debug!(%name, %cause, "a fenced blob is left to garbage collection");
        }
    }
}
