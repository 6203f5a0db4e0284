use std::sync::Arc;

use async_trait::async_trait;
use pingora_cache::storage::{HitHandler, PurgeTarget, PurgeType, Storage};
use pingora_cache::trace::{Span, SpanHandle};
use terrace_core::{
    Entry, EpochTable, Error, ErrorKind, Fence, Fill, Generation, Key, KeyDigest, Liveness, Lookup,
    Meta, PurgeOutcome, Random, Result, Target, Tier, TierKind, Timestamp,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore};

use crate::key::to_cache_key;

use body::StorageBody;
use buffer::Buffer;
use fill::StorageFill;
use record::Record;

pub use record::MAX_RECORD_BYTES;

mod body;
mod buffer;
mod fill;
mod record;

/// Slots of the epoch table, and of the locks beside it.
const SLOTS: usize = 1024;
/// The largest body a tier takes unless told otherwise.
const MAX_OBJECT_BYTES: usize = 8 * 1024 * 1024;
/// What all fills may hold unless told otherwise.
const FILLING_BYTES: usize = 64 * 1024 * 1024;

/// Any Pingora storage as one tier of a stack, for example Pingora's own `MemCache`.
///
/// Pingora's storages know neither fences nor generations nor checksums. The tier adds them:
///
/// - What Terrace knows of an object travels in a header field of the `CacheMeta` the storage keeps. The
///   response's own header is inside of it, opaque to the storage.
/// - Fences, and purges of all variants, are an [`EpochTable`] of this tier.
/// - A fill is held in memory and written in one go by its commit. Its checksums are known then, so that its
///   hits can be verified and promoted; and a storage that shows its partial writes, as many do, has none
///   to show. [One fill](Self::with_max_object_bytes) is bounded, and so are
///   [all together](Self::with_filling_bytes).
/// - A slot's lock makes check and write of a commit, and voiding and removal of a purge, one
///   step. A lookup waits for a commit in the same slot, not for a fill.
///
/// # What it cannot keep
///
/// - **Only one tier value, in one process, may use the storage.** Fences live in this value's memory. What
///   another tier, Pingora itself, or this program before its last start left in the storage is
///   therefore never served: it was written under fences nobody remembers. It is a miss until it is replaced.
///   After a restart the tier is cold, also over a persistent storage.
/// - A purge of all variants makes them unreachable; their bytes stay until the storage evicts them, because
///   a storage cannot list them. The same goes for other groups in the same one of 1024 slots: they
///   are lost to the tier, never wrong.
/// - A storage that goes on with a commit after its future was dropped may publish after a purge that was
///   acknowledged meanwhile.
/// - A storage that hangs holds its slot's lock until the call is dropped. A stack drops it at the
///   deadline; bare callers bring their own.
/// - A storage that panics (`MemCache` does, asked to update what it does not have) panics here, too; the tier
///   looks before it updates, under the slot's lock.
/// - A hit's handler is never told [`finish`](pingora_cache::storage::HandleHit::finish): it is dropped, as Pingora
///   does with the handler of a client that left.
///
/// [`EpochTable`]: terrace_core::EpochTable
pub struct StorageTier<S: ?Sized + 'static = dyn Storage + Sync> {
    shared: Arc<Shared<S>>,
    max_object_bytes: usize,
    /// One permit for each byte that fills may hold.
    filling: Arc<Semaphore>,
}

struct Shared<S: ?Sized + 'static> {
    storage: &'static S,
    /// Drawn anew for every tier value: what carries another one was written by somebody else.
    incarnation: u64,
    epochs: EpochTable,
    locks: Box<[RwLock<()>]>,
}

impl<S: Storage + Sync + ?Sized> StorageTier<S> {
    /// A tier over `storage`, which nobody else may use. `random` must not repeat across restarts if
    /// the storage survives them.
    pub fn new(storage: &'static S, random: &dyn Random) -> Self {
        let shared = Shared {
            storage,
            incarnation: random.next_u64(),
            epochs: EpochTable::new(SLOTS),
            locks: (0..SLOTS).map(|_| RwLock::default()).collect(),
        };
        Self {
            shared: Arc::new(shared),
            max_object_bytes: MAX_OBJECT_BYTES,
            filling: Arc::new(Semaphore::new(FILLING_BYTES)),
        }
    }

    /// Sets the largest body, in bytes, that a fill may have. Default: 8 MiB.
    #[must_use]
    pub fn with_max_object_bytes(mut self, bytes: usize) -> Self {
        self.max_object_bytes = bytes;
        self
    }

    /// Sets how many bytes all fills together may hold, at most 4 GiB; a fill for which there are none left fails
    /// with `Exhausted`. Buffers that grow may take up to twice as much. Default: 64 MiB.
    #[must_use]
    pub fn with_filling_bytes(mut self, bytes: u32) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.filling = Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        self
    }
}

impl<S: ?Sized> std::fmt::Debug for StorageTier<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageTier")
            .field("max_object_bytes", &self.max_object_bytes)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Storage + Sync + ?Sized> Tier for StorageTier<S> {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let fence = self.shared.epochs.fence(key.primary());
        let found = {
            let _no_commit = self.shared.read(key.primary()).await;
            self.shared.find(key).await?
        };
        Ok(match found {
            None => Lookup::Miss(fence),
            Some((record, handler)) => {
                let body = StorageBody::new(handler, record.checksums.len());
                Lookup::Hit(record.into_hit(body, fence))
            }
        })
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        Ok(self.shared.epochs.fence(key.primary()))
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        if fence.words().is_none() {
            let message = "the fence was made by another tier";
            return Err(Error::new(
                ErrorKind::Invalid,
                "storage_tier.admit",
                message,
            ));
        }
        let budget = Arc::clone(&self.filling);
        let buffer = Buffer::new(entry.len, self.max_object_bytes, budget)?;
        Ok(Box::new(StorageFill {
            shared: Arc::clone(&self.shared),
            key: *key,
            entry,
            fence,
            buffer,
        }))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        let _alone = self.shared.write(target.primary()).await;
        let found = self.shared.find(&target.key()).await;
        if let Target::AllVariants(primary) = target {
            self.shared.epochs.lock(*primary).kill_all();
        } else {
            self.shared.epochs.lock(target.primary()).advance();
        }
        let found = found?.map(|(record, _)| record.generation);
        if let Target::Generation(_, generation) = target
            && found != Some(*generation)
        {
            return Ok(PurgeOutcome::NotFound);
        }
        self.shared.remove(&target.key()).await?;
        Ok(found.map_or(PurgeOutcome::NotFound, PurgeOutcome::Purged))
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        let _alone = self.shared.write(target.primary()).await;
        let found = self.shared.find(&target.key()).await?;
        let mut found = found.map(|(record, _)| record);
        if let Target::AllVariants(primary) = target {
            self.shared.epochs.lock(*primary).stale_all(at);
        } else {
            self.shared.epochs.lock(target.primary()).advance();
            if let Target::Generation(_, generation) = target {
                found = found.filter(|record| record.generation == *generation);
            }
            if let Some(record) = &mut found {
                record.expire(at);
                if !self.shared.rewrite(record).await? {
                    found = None;
                }
            }
        }
        Ok(found.map_or(PurgeOutcome::NotFound, |record| {
            PurgeOutcome::Expired(record.generation)
        }))
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        let _alone = self.shared.write(key.primary()).await;
        let found = self.shared.find(key).await?.map(|(record, _)| record);
        let Some(mut record) = found.filter(|record| record.generation == generation) else {
            return Ok(false);
        };
        record.meta = meta;
        record.expired_at = None;
        // Confirmed now: the group's earlier soft purges are no longer about it. A promotion under way carries
        // the old metadata, so its fence is void.
        record.born = self.shared.epochs.lock(key.primary()).advance();
        self.shared.rewrite(&record).await
    }
}

impl<S: Storage + Sync + ?Sized> Shared<S> {
    /// Keeps commits and purges of the group's slot away.
    async fn read(&self, group: KeyDigest) -> RwLockReadGuard<'_, ()> {
        self.lock(group).read().await
    }

    /// Keeps everybody else of the group's slot away.
    async fn write(&self, group: KeyDigest) -> RwLockWriteGuard<'_, ()> {
        self.lock(group).write().await
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "any bits of a digest will do"
    )]
    fn lock(&self, group: KeyDigest) -> &RwLock<()> {
        &self.locks[group.to_u64() as usize % self.locks.len()]
    }

    /// What the storage has for `key`, if this tier wrote it and no purge of the group killed it.
    async fn find(&self, key: &Key) -> Result<Option<(Record, HitHandler)>> {
        let found = self.storage.lookup(&to_cache_key(key), &span()).await;
        let Some((meta, handler)) = found.map_err(|error| storage_error("lookup", error))? else {
            return Ok(None);
        };
        let Some(mut record) = Record::read(&meta) else {
            return Ok(None);
        };
        if record.key != *key || record.incarnation != self.incarnation {
            return Ok(None);
        }
        match self.epochs.liveness(key.primary(), record.born) {
            Liveness::Dead => return Ok(None),
            Liveness::Live => {}
            Liveness::Stale(at) => record.expire(at),
        }
        Ok(Some((record, handler)))
    }

    async fn remove(&self, key: &Key) -> Result<()> {
        let key = to_cache_key(key).to_compact();
        let target = PurgeTarget::Active(&key);
        let purged = self
            .storage
            .purge(target, PurgeType::Invalidation, &span())
            .await;
        purged
            .map(drop)
            .map_err(|error| storage_error("purge", error).maybe_applied())
    }

    /// Replaces the record of an entry that was just found, under the slot's lock.
    async fn rewrite(&self, record: &Record) -> Result<bool> {
        let meta = record.write()?;
        let updated = self
            .storage
            .update_meta(&to_cache_key(&record.key), &meta, &span())
            .await;
        updated.map_err(|error| storage_error("update_meta", error).maybe_applied())
    }
}

/// Nobody traces what a tier does for itself.
fn span() -> SpanHandle {
    Span::inactive().handle()
}

fn storage_error(what: &'static str, error: pingora_error::BError) -> Error {
    let message = format!("the pingora storage failed in {what}");
    Error::new(ErrorKind::Unavailable, "storage_tier", message).with_source(error)
}
