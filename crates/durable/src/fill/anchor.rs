use terrace_core::{Applied, BlobStore, Cas, GroupStamp, IndexStore, Manifest, Result, Timestamp};

use super::DurableFill;
use crate::record::{Seen, encode};

impl<B: BlobStore, I: IndexStore> DurableFill<B, I> {
    /// Gives the group of a variant a primary slot, where its fence saw none, that lasts until `wanted` at
    /// least. `None` if a purge may have come first.
    ///
    /// A primary slot's record that was made from nothing by a fill, and not changed since, has its group's nonce for
    /// its version; no purge leaves such a record. Finding one that another fill of the group
    /// has made, we can share it: between our fence, which saw none, and this record there was no purge, because its
    /// tombstone would still be there.
    pub(super) async fn anchor(&self, wanted: Timestamp) -> Result<Option<GroupStamp>> {
        let slot = self.key.group();
        let group = self.shared.new_group();
        let manifest = Manifest::empty(slot, group);
        let record = encode(&manifest, group.hard, self.shared.retention(wanted))?;
        self.shared.descent.note(None, group.hard);
        let lost = match self.shared.index.put_new(&slot, &record).await {
            Ok(Cas::Applied) => return Ok(Some(group.stamp())),
            Ok(Cas::Conflict) => None,
            Err(cause) if cause.applied() == Applied::Unknown => Some(cause),
            Err(cause) => return Err(cause),
        };
        let Some(found) = self.shared.read_record(&slot).await? else {
            return lost.map_or(Ok(None), Err);
        };
        let Some(group) = found.manifest.as_ref().and_then(|manifest| manifest.group) else {
            self.repair(&found).await?;
            return Ok(None);
        };
        Ok((group.hard == found.version).then(|| group.stamp()))
    }

    /// Whether a variant's group is still as `stamp` says. If so, its primary slot's record is made to last
    /// until `wanted`; where that fails, the variant ends with its group.
    pub(super) async fn hold_group(&self, stamp: GroupStamp, wanted: Timestamp) -> Result<bool> {
        let slot = self.key.group();
        for _ in 0..self.shared.config.max_attempts {
            let seen = self.shared.read_record(&slot).await?;
            let unchanged = seen.filter(|seen| {
                let group = seen.manifest.as_ref().and_then(|manifest| manifest.group);
                group.is_some_and(|group| group.stamp() == stamp)
            });
            let Some(primary) = unchanged else {
                return Ok(false);
            };
            if primary.retain_until >= wanted {
                return Ok(true);
            }
            let touched = self
                .shared
                .index
                .touch_ttl(&slot, primary.version, wanted)
                .await;
            match touched {
                Ok(Cas::Applied) => return Ok(true),
                Ok(Cas::Conflict) => {}
                Err(cause) => {
                    tracing::debug!(key = %self.key, %cause, "a group was not prolonged");
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    /// Replaces a primary slot's damaged record, without which no variant could ever be filled.
    ///
    /// What it knew of purges is lost, so a new nonce leaves all variants dead, and a version of its own
    /// keeps fences from before from sharing it.
    async fn repair(&self, damaged: &Seen) -> Result<()> {
        let slot = self.key.group();
        let record = encode(
            &Manifest::empty(slot, self.shared.new_group()),
            self.shared.new_version(),
            self.shared.retention(damaged.retain_until),
        )?;
        // If somebody else was faster, the record is in order again, too.
        let _ = self
            .shared
            .index
            .cas_update(&slot, damaged.version, &record)
            .await?;
        Ok(())
    }
}
