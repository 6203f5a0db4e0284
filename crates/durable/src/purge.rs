use std::ops::ControlFlow;

use terrace_core::{
    Generation, Group, IndexStore, Key, Manifest, Meta, PurgeOutcome, Result, Target, Timestamp,
};

use crate::edit::Edit;
use crate::shared::Shared;
use crate::slot::Slot;

impl<B: Send + Sync, I: IndexStore> Shared<B, I> {
    /// Replaces the record by a tombstone, also where there was none: that is what voids the
    /// fences of fills under way.
    pub(crate) async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        self.edit("durable.purge", &target.key(), |slot| {
            let group = match target {
                // A new nonce: everything filled under the old one is dead from here on.
                Target::AllVariants(_) => self.new_group(),
                Target::Key(_) => self.own_group(slot),
                Target::Generation(_, generation) if holds(slot, *generation) => {
                    self.own_group(slot)
                }
                Target::Generation(_, generation) => return self.cancel(slot, *generation),
            };
            ControlFlow::Continue(Edit {
                manifest: Manifest::empty(*slot.key(), group),
                retain_until: group_retention(slot),
                answer: slot
                    .live_generation()
                    .map_or(PurgeOutcome::NotFound, PurgeOutcome::Purged),
            })
        })
        .await
    }

    /// Notes since when the object is stale, and voids fences as [`purge`](Self::purge) does.
    ///
    /// Of several moments the earliest counts. For a group that is the earliest of *all* its soft purges: the
    /// group keeps one moment, objects from before the earlier purge must not become fresh again
    /// by a later one that names the future, and objects from between the two are only told to
    /// be stale for longer than they are, which costs a revalidation.
    pub(crate) async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.edit("durable.expire", &target.key(), |slot| {
            if let Target::Generation(_, generation) = target
                && !holds(slot, *generation)
            {
                return self.cancel(slot, *generation);
            }
            let mut manifest = self.own_manifest(slot);
            // Its fill is fenced off now.
            manifest.reservation = None;
            match (target, &mut manifest.group, &mut manifest.object) {
                (Target::AllVariants(_), Some(group), _) => {
                    let at = group.soft.map_or(at, |(_, earlier)| at.min(earlier));
                    group.soft = Some((self.new_version(), at));
                }
                (_, _, Some(object)) => {
                    let earlier = object.expired_at.unwrap_or(at);
                    object.expired_at = Some(at.min(earlier));
                }
                (_, _, None) => {}
            }
            ControlFlow::Continue(Edit {
                manifest,
                retain_until: slot.retain_until().unwrap_or(Timestamp::EPOCH),
                answer: slot
                    .live_generation()
                    .map_or(PurgeOutcome::NotFound, PurgeOutcome::Expired),
            })
        })
        .await
    }

    /// Takes the reservation of a generation that is not there yet away from its fill.
    fn cancel(
        &self,
        slot: &Slot,
        generation: Generation,
    ) -> ControlFlow<PurgeOutcome, Edit<PurgeOutcome>> {
        if slot
            .reservation()
            .is_none_or(|r| r.generation != generation)
        {
            return ControlFlow::Break(PurgeOutcome::NotFound);
        }
        let mut manifest = self.own_manifest(slot);
        manifest.reservation = None;
        ControlFlow::Continue(Edit {
            manifest,
            retain_until: slot.retain_until().unwrap_or(Timestamp::EPOCH),
            answer: PurgeOutcome::NotFound,
        })
    }

    /// Replaces the metadata of `generation`, and lifts soft purges from it, the group's included.
    pub(crate) async fn update_meta(
        &self,
        key: &Key,
        generation: Generation,
        meta: &Meta,
    ) -> Result<bool> {
        self.edit("durable.update_meta", key, |slot| {
            let (Some(group), true) = (slot.group(), slot.live_generation() == Some(generation))
            else {
                return ControlFlow::Break(false);
            };
            let mut manifest = self.own_manifest(slot);
            if let Some(object) = &mut manifest.object {
                object.meta = meta.clone();
                object.expired_at = None;
                object.stamp = group.stamp();
            }
            // The version it fences by is gone, so its fill cannot commit any more.
            manifest.reservation = None;
            ControlFlow::Continue(Edit {
                manifest,
                retain_until: self.object_retention(meta).max(group_retention(slot)),
                answer: true,
            })
        })
        .await
    }

    /// The manifest of a slot; an empty one if it has none that can be read.
    pub(crate) fn own_manifest(&self, slot: &Slot) -> Manifest {
        slot.manifest()
            .cloned()
            .unwrap_or_else(|| Manifest::empty(*slot.key(), self.new_group()))
    }

    /// The group to write into a primary slot's record: what is there is kept for its variants. Of no
    /// consequence for a variant.
    fn own_group(&self, slot: &Slot) -> Group {
        slot.group().unwrap_or_else(|| self.new_group())
    }

    /// How long an object with `meta` is of use.
    pub(crate) fn object_retention(&self, meta: &Meta) -> Timestamp {
        meta.stale_until.after(self.config.retain_slack)
    }
}

/// How long a record has to stay for others' sake: variants live no longer than their primary slot's record.
fn group_retention(slot: &Slot) -> Timestamp {
    match slot.key().variance() {
        None => slot.retain_until().unwrap_or(Timestamp::EPOCH),
        Some(_) => Timestamp::EPOCH,
    }
}

/// Whether the slot's object is of `generation`. It need not be live: a purge must not miss what a later reader
/// could take for live.
fn holds(slot: &Slot, generation: Generation) -> bool {
    let object = slot
        .manifest()
        .and_then(|manifest| manifest.object.as_ref());
    object.is_some_and(|object| object.generation == generation)
}
