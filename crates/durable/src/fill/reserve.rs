//! A slow fill announces itself.
//!
//! A fence that saw no record trusts the index to remember what has happened since, and garbage collection
//! trusts a blob that nobody names after `gc_grace` to be an orphan. Both end; so before they
//! do, the fill writes a reservation into its slot. From then on its fence is the reservation's version, which a
//! purge replaces, and the reservation is what garbage collection finds.

use terrace_core::{BlobStore, Cas, IndexStore, Manifest, Reservation, Result, Timestamp};

use super::{DurableFill, unpublished};
use crate::record::encode;

impl<B: BlobStore, I: IndexStore> DurableFill<B, I> {
    /// Reserves when the fill has become slow, prolongs when half of the reservation has passed. `false`
    /// if somebody came first.
    pub(super) async fn keep_reserved(&mut self) -> Result<bool> {
        let now = self.shared.clock.now();
        let config = &self.shared.config;
        let due = match self.reserved_until {
            None => now.since(self.fence.taken) >= config.reserve_after(),
            Some(until) => until.since(now) < config.reservation_ttl / 2,
        };
        if !due {
            return Ok(true);
        }
        if !self.is_in_time(now) {
            return Ok(false);
        }
        self.reserve(now).await.map_err(unpublished)
    }

    /// Whether at `now` the index still remembers all that could have voided the fence, and garbage collection
    /// still spares the blob.
    pub(super) fn is_in_time(&self, now: Timestamp) -> bool {
        match self.reserved_until {
            Some(until) => now < until,
            None => now.since(self.fence.taken) < self.shared.config.unreserved_max(),
        }
    }

    async fn reserve(&mut self, now: Timestamp) -> Result<bool> {
        let until = now.after(self.shared.config.reservation_ttl);
        if self.key.variance().is_some() && self.fence.stamp.is_none() {
            let Some(stamp) = self.anchor(until).await? else {
                return Ok(false);
            };
            self.fence.stamp = Some(stamp);
        }
        let seen = self.shared.read_record(&self.key).await?;
        if seen.as_ref().map(|seen| seen.version) != self.fence.version {
            return Ok(false);
        }
        let kept = seen
            .as_ref()
            .map_or(Timestamp::EPOCH, |seen| seen.retain_until);
        // The old object stays: it can be served stale until its successor is complete.
        let mut manifest = seen
            .and_then(|seen| seen.manifest)
            .unwrap_or_else(|| Manifest::empty(self.key, self.shared.new_group()));
        manifest.reservation = Some(Reservation {
            generation: self.generation,
            until,
        });
        // Garbage collection honours it for `gc_grace` longer, against clocks that disagree.
        let seen_by_collection = until.after(self.shared.config.gc_grace);
        let retain_until = self.shared.retention(kept.max(seen_by_collection));
        let record = encode(&manifest, self.shared.new_version(), retain_until)?;
        let swapped = self
            .shared
            .swap_surely(&self.key, self.fence.version, &record);
        if swapped.await? == Cas::Conflict {
            return Ok(false);
        }
        self.fence.version = Some(record.version);
        self.reserved_until = Some(until);
        match self.fence.stamp {
            Some(stamp) if self.key.variance().is_some() => {
                self.hold_group(stamp, record.retain_until).await
            }
            _ => Ok(true),
        }
    }
}
