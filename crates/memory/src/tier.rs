use std::sync::Arc;

use async_trait::async_trait;
use quick_cache::DefaultHashBuilder;
use quick_cache::sync::Cache;
use terrace_core::{
    Body, Entry, EpochSlot, EpochTable, Fence, Fill, Generation, Hit, Key, Liveness, Lookup, Meta,
    Peeked, PurgeOutcome, Result, Target, Tier, TierKind, Timestamp, Usage,
};

use budget::Budget;
use evictions::Evictions;
use object::{Object, Weigh};

pub use builder::MemoryTierBuilder;

mod budget;
mod builder;
mod evictions;
mod fill;
mod object;
mod peek;

/// L0: objects in the memory of this process, bounded by bytes, evicted by S3-FIFO.
///
/// # Memory
///
/// What an object weighs is its body, its metadata (twice, because readers keep a parsed form of it), its
/// checksums, and [`OBJECT_OVERHEAD`](Self::OBJECT_OVERHEAD). The sum is bounded by
/// [`capacity`](Self::capacity); fills under way have a bound of their own. Bodies are copied once, when they are
/// filled, into a buffer of exactly their size: a piece from the network may be a corner of something much larger.
/// A body that is evicted while it is being read lives on until its last reader is done, and is not counted.
///
/// An object heavier than [`max_object_bytes`](Self::max_object_bytes) is refused with `Exhausted`, by `admit` if its
/// length was announced and else by the `write` that goes beyond. A commit is therefore never silently
/// without effect; that an object is evicted again, even at once, is the ordinary life of a cache.
///
/// # Cost
///
/// A hit is one look into a sharded hash map under a read lock. It copies neither body nor header bytes, and
/// allocates once, for the boxed future of the trait. An object with tags costs an allocation more for their
/// list and one for each.
///
/// ```
/// # use terrace_core::{Key, Lookup, Tier};
/// # use terrace_memory::MemoryTier;
/// # futures::executor::block_on(async {
/// let tier = MemoryTier::new(256 << 20);
/// let answer = tier.lookup(&Key::named("https://example.com/")).await?;
/// assert!(matches!(answer, Lookup::Miss(_)));
/// # Ok::<(), terrace_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryTier {
    shared: Arc<Shared>,
}

/// # Why a purged object does not come back (P3)
///
/// Everything that changes what a lookup may return, except eviction, happens under the lock of the
/// group's epoch slot: commits, purges, soft purges, metadata updates. Lookups take no such lock. They read, in
/// this order,
///
/// 1. the epoch (their fence),
/// 2. the entry,
/// 3. the group's liveness;
///
/// and each change writes in the opposite order: the entry or the group's liveness first, the epoch last.
///
/// - A lookup that *begins after the purge was acknowledged* finds the entry removed or, for a variant purged with its
///   group, sees the liveness that declares it dead. What it may find instead was committed
///   later, under the lock, with an epoch read after the purge.
/// - A lookup *concurrent with the purge* returns the old entry or a miss. If its fence is the new epoch,
///   then the removal came before its step 2: a fence is never newer than the answer it comes with. If its fence is
///   the old epoch, the fence is void, and so is every fill under it.
/// - Eviction removes entries at any moment. That only turns hits into misses.
#[derive(Debug)]
struct Shared {
    cache: Cache<Key, Arc<Object>, Weigh, DefaultHashBuilder, Evictions>,
    evictions: Evictions,
    epochs: EpochTable,
    /// Memory of fills under way.
    filling: Arc<Budget>,
    max_object_bytes: u64,
}

impl MemoryTier {
    /// What an object weighs beyond its contents, in bytes: its share of the hash map and of the
    /// eviction queues, reference counts, and the rounding of the allocator. An estimate from above.
    pub const OBJECT_OVERHEAD: u64 = object::OVERHEAD;

    /// A tier of `capacity_bytes`, with the defaults of [`MemoryTierBuilder`].
    pub fn new(capacity_bytes: u64) -> Self {
        Self::builder(capacity_bytes).build()
    }

    /// A tier of `capacity_bytes` with other settings.
    pub fn builder(capacity_bytes: u64) -> MemoryTierBuilder {
        MemoryTierBuilder::new(capacity_bytes)
    }

    /// Objects it holds.
    pub fn len(&self) -> usize {
        self.shared.cache.len()
    }

    /// Whether it holds no object.
    pub fn is_empty(&self) -> bool {
        self.shared.cache.is_empty()
    }

    /// What the objects it holds weigh, in bytes.
    pub fn weight(&self) -> u64 {
        self.shared.cache.weight()
    }

    /// The most the objects it holds may weigh, in bytes: what was asked for, rounded up to a
    /// multiple of the number of shards.
    pub fn capacity(&self) -> u64 {
        self.shared.cache.capacity()
    }

    /// The most one object may weigh, in bytes.
    pub fn max_object_bytes(&self) -> u64 {
        self.shared.max_object_bytes
    }

    /// Memory of fills under way, in bytes.
    pub fn filling_bytes(&self) -> u64 {
        self.shared.filling.used()
    }
}

#[async_trait]
impl Tier for MemoryTier {
    fn kind(&self) -> TierKind {
        TierKind::Memory
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        Ok(self.shared.lookup(key))
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        Ok(self.shared.epochs.fence(key.primary()))
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        fill::begin(&self.shared, *key, entry, fence)
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        Ok(self.shared.purge(target))
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        Ok(self.shared.expire(target, at))
    }

    /// If metadata has grown so much that the object no longer fits, the object is evicted, and the answer is
    /// `false`.
    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        Ok(self.shared.update_meta(key, generation, meta))
    }

    /// Leaves the order of eviction as it is.
    async fn peek(&self, key: &Key) -> Result<Option<Peeked>> {
        Ok(self.shared.peek(key))
    }

    fn usage(&self) -> Usage {
        Usage {
            objects: Some(self.len() as u64),
            bytes: Some(self.weight()),
            capacity_bytes: Some(self.capacity()),
            evictions: Some(self.shared.evictions.count()),
        }
    }
}

impl Shared {
    fn lookup(&self, key: &Key) -> Lookup {
        let fence = self.epochs.fence(key.primary());
        let Some(object) = self.cache.get(key) else {
            return Lookup::Miss(fence);
        };
        let group_expired_at = match self.epochs.liveness(key.primary(), object.born) {
            Liveness::Live => None,
            Liveness::Stale(at) => Some(at),
            Liveness::Dead => {
                // Its memory is better used; what may have replaced it meanwhile stays.
                self.cache
                    .remove_if(key, |found| Arc::ptr_eq(found, &object));
                return Lookup::Miss(fence);
            }
        };
        Lookup::Hit(Hit {
            generation: object.generation,
            meta: object.meta.clone(),
            expired_at: earlier(object.expired_at, group_expired_at),
            checksums: Some(Arc::clone(&object.checksums)),
            body: Body::from_bytes(object.body.clone()),
            fence,
        })
    }

    fn purge(&self, target: &Target) -> PurgeOutcome {
        let slot = self.epochs.lock(target.primary());
        let purged = self.current(target);
        if purged.is_some() {
            self.cache.remove(&target.key());
        }
        match target {
            Target::AllVariants(_) => slot.kill_all(),
            // Also when another generation is current, or none: this one may be on its way here.
            Target::Key(_) | Target::Generation(..) => void_fences(&slot),
        }
        purged.map_or(PurgeOutcome::NotFound, |object| {
            PurgeOutcome::Purged(object.generation)
        })
    }

    fn expire(&self, target: &Target, at: Timestamp) -> PurgeOutcome {
        let slot = self.epochs.lock(target.primary());
        let mut expired = self.current(target);
        if let Target::AllVariants(_) = target {
            slot.stale_all(at);
        } else {
            expired = expired.filter(|object| {
                let expired_at = earlier(object.expired_at, Some(at));
                self.replace(target.key(), object.expired(expired_at))
            });
            void_fences(&slot);
        }
        expired.map_or(PurgeOutcome::NotFound, |object| {
            PurgeOutcome::Expired(object.generation)
        })
    }

    fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> bool {
        let slot = self.epochs.lock(key.primary());
        let Some(object) = self.current(&Target::Generation(*key, generation)) else {
            return false;
        };
        // Born after the step below: soft purges of the group until now are answered by the origin's
        // confirmation. A promotion under way still carries the old metadata, hence the step.
        let replaced = self.replace(*key, object.confirmed(meta, slot.born() + 1));
        void_fences(&slot);
        replaced
    }

    /// What `target` names, for a group its primary slot, if it is there and alive. Call it under the slot's
    /// lock, or it may be gone the next moment for other reasons than eviction.
    fn current(&self, target: &Target) -> Option<Arc<Object>> {
        let object = self.cache.peek(&target.key())?;
        let named = match target {
            Target::Generation(_, generation) => *generation == object.generation,
            Target::Key(_) | Target::AllVariants(_) => true,
        };
        let liveness = self.epochs.liveness(target.primary(), object.born);
        (named && liveness != Liveness::Dead).then_some(object)
    }

    /// Puts `object` in the place of the one that is there; `false` if that was evicted or this is too heavy.
    fn replace(&self, key: Key, object: Object) -> bool {
        if object.weight > self.max_object_bytes {
            self.cache.remove(&key);
            return false;
        }
        let soft = true;
        self.cache.replace(key, Arc::new(object), soft).is_ok()
    }
}

fn void_fences(slot: &EpochSlot<'_>) {
    slot.advance();
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
