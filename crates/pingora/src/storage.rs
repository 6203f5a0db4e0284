use std::any::Any;
use std::sync::OnceLock;

use async_trait::async_trait;
use pingora_cache::storage::streaming_write::U64WriteId;
use pingora_cache::storage::{
    HitHandler, MissHandler, PurgeOutcome, PurgeTarget, PurgeType, Storage,
};
use pingora_cache::trace::SpanHandle;
use pingora_cache::{CacheKey, CacheMeta};
use pingora_error::Result;
use terrace_core::{Generation, Key, Target};
use terrace_policy::Placement;
use terrace_tiers::{Intent, Looked, Stack, TierHit};
use tracing::Instrument as _;

use crate::error::{AlreadyInstalled, Op};
use crate::hit::HitReader;
use crate::key::key;
use crate::meta::{decode_meta, encode_meta};
use crate::miss::{FillWriter, announced_len};
use crate::purge;
use crate::slot::{Found, RequestSlot};

/// A stack of tiers as Pingora's cache storage.
///
/// Pingora wants a `'static` storage before its runtimes exist, and tiers want a runtime that lives as long as they
/// do. So this is a `static`, made without tiers, and given them by the background service that owns their
/// runtime. **Until then** every lookup misses, nothing is stored, evictions find nothing, and a purge
/// is an error, because it cannot be promised.
///
/// Attach no eviction manager: the tiers bound themselves. If one is attached, its evictions drop this process's
/// copies only, never the fleet's shared objects.
#[derive(Debug, Default)]
pub struct TerraceStorage {
    stack: OnceLock<Stack>,
}

impl TerraceStorage {
    /// A storage without tiers.
    pub const fn new() -> Self {
        Self {
            stack: OnceLock::new(),
        }
    }

    /// Gives it its tiers. Errors if it has some.
    pub fn install(&self, stack: Stack) -> Result<(), AlreadyInstalled> {
        Op::describe();
        self.stack.set(stack).map_err(|_| AlreadyInstalled)
    }

    /// Its tiers, once installed.
    pub fn stack(&self) -> Option<&Stack> {
        self.stack.get()
    }

    /// Purges what is cached under `key` together with all its variants, or marks it all stale if `soft`. Says
    /// whether its primary slot held anything.
    ///
    /// Pingora's own `PURGE` reaches the primary slot only. Errors mean that nothing was promised; the answer to
    /// the client must not be a success then, nor "not found".
    pub async fn purge_all_variants(&self, key: &CacheKey, soft: bool) -> Result<bool> {
        let target = Target::AllVariants(crate::key(key).primary());
        let outcome = self.invalidate(&target, soft).await?;
        Ok(outcome.generation().is_some())
    }

    async fn invalidate(&self, target: &Target, soft: bool) -> Result<terrace_core::PurgeOutcome> {
        let op = if soft { Op::Expire } else { Op::Purge };
        let stack = self.stack().ok_or_else(|| op.explain(NOT_READY))?;
        let outcome = if soft {
            stack.expire(target).await
        } else {
            stack.purge(target).await
        };
        outcome.map_err(|error| op.error(error))
    }
}

const NOT_READY: &str = "the storage has no tiers yet; retry once it is ready";

#[async_trait]
impl Storage for TerraceStorage {
    async fn lookup(
        &'static self,
        cache_key: &CacheKey,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        let Some(stack) = self.stack() else {
            return Ok(None);
        };
        let (key, slot) = (key(cache_key), RequestSlot::of(cache_key));
        let intent = slot.map_or(Intent::Serve, RequestSlot::intent);
        let placement = slot.map_or_else(Placement::default, RequestSlot::placement);
        let looked = stack.lookup_placed(&key, intent, placement);
        let Looked { hit, mut ticket } = match slot.and_then(RequestSlot::span) {
            Some(span) => looked.instrument(span.clone()).await,
            None => looked.await,
        };
        let was_hit = hit.is_some();
        let hit = hit.and_then(|hit| open(&key, hit));
        if let Some(slot) = slot {
            if was_hit && hit.is_none() {
                // The walk ended at what cannot be read. The origin will be asked: take every fence now.
                ticket = stack.lookup(&key, Intent::Revalidate).await.ticket;
            }
            slot.looked(ticket, hit.as_ref().map(|hit| hit.found));
        }
        Ok(hit.map(Opened::into_parts))
    }

    /// Never `Ok(None)`, which makes Pingora panic.
    async fn lookup_streaming_write(
        &'static self,
        cache_key: &CacheKey,
        tag: Option<&[u8]>,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        let key = key(cache_key);
        let id = tag
            .and_then(|tag| U64WriteId::try_from(tag).ok())
            .map(u64::from);
        let hit = self
            .stack()
            .zip(id)
            .and_then(|(stack, id)| stack.filling(id));
        match hit.and_then(|hit| open(&key, hit)) {
            Some(hit) => Ok(Some(hit.into_parts())),
            None => Err(Op::StreamingWrite.explain("the tag names no write that is under way")),
        }
    }

    async fn get_miss_handler(
        &'static self,
        cache_key: &CacheKey,
        meta: &CacheMeta,
        _trace: &SpanHandle,
    ) -> Result<MissHandler> {
        let (key, slot) = (key(cache_key), RequestSlot::of(cache_key));
        // To Pingora an error here means "not cached"; the client gets its response all the same.
        let stack = self.stack().ok_or_else(|| Op::Fill.explain(NOT_READY))?;
        let stored = encode_meta(meta).map_err(|error| Op::EncodeMeta.error(error))?;
        let mut ticket = slot.and_then(|slot| slot.ticket(&key));
        if let Some(slot) = slot {
            // A variant that was not looked up has no ticket yet.
            let known = match ticket {
                Some(ticket) => ticket,
                None => stack.ticket(&key).await,
            };
            ticket = Some(known.placed(slot.placement()));
        }
        let filling = stack.fill(&key, stored, announced_len(meta), ticket).await;
        if let Some(slot) = slot {
            slot.filling(filling.generation(), filling.is_stored());
        }
        Ok(Box::new(FillWriter::new(filling)))
    }

    async fn purge(
        &'static self,
        target: PurgeTarget<'_>,
        purge_type: PurgeType,
        _trace: &SpanHandle,
    ) -> Result<PurgeOutcome> {
        let Some(named) = purge::target(target) else {
            return Ok(PurgeOutcome::NotFound);
        };
        let outcome = match (purge_type, self.stack()) {
            (PurgeType::Eviction, Some(stack)) => stack.evict(&named).await,
            (PurgeType::Eviction, None) => return Ok(PurgeOutcome::NotFound),
            (PurgeType::Invalidation, _) => self.invalidate(&named, false).await?,
        };
        Ok(purge::outcome(target, outcome))
    }

    async fn expire(
        &'static self,
        target: PurgeTarget<'_>,
        _trace: &SpanHandle,
    ) -> Result<PurgeOutcome> {
        let Some(named) = purge::target(target) else {
            return Ok(PurgeOutcome::NotFound);
        };
        Ok(purge::outcome(target, self.invalidate(&named, true).await?))
    }

    /// Refreshes the generation that was looked up, and no other: Pingora may give the primary slot's key for a
    /// variant's hit, and by now another generation may be there.
    ///
    /// Pingora ignores the answer. What goes wrong is counted, and costs a revalidation.
    async fn update_meta(
        &'static self,
        cache_key: &CacheKey,
        meta: &CacheMeta,
        _trace: &SpanHandle,
    ) -> Result<bool> {
        let (Some(stack), Some((key, generation))) = (self.stack(), confirmed(cache_key, meta))
        else {
            Op::UpdateMeta.failed();
            tracing::debug!("a revalidation does not say which generation it confirmed");
            return Ok(false);
        };
        let stored = encode_meta(meta).map_err(|error| Op::UpdateMeta.error(error))?;
        let slot = RequestSlot::of(cache_key);
        let ticket = slot.and_then(|slot| slot.ticket(&key));
        let updated = stack
            .update_meta(&key, generation, stored, ticket.as_ref())
            .await;
        if let (true, Some(slot)) = (updated, slot) {
            slot.refreshed();
        }
        Ok(updated)
    }

    fn support_streaming_partial_write(&self) -> bool {
        true
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync + 'static) {
        self
    }
}

/// A hit whose metadata could be read.
struct Opened {
    meta: CacheMeta,
    found: Found,
    reader: HitReader,
}

impl Opened {
    fn into_parts(mut self) -> (CacheMeta, HitHandler) {
        self.meta.extensions_mut().insert(self.found);
        (self.meta, Box::new(self.reader))
    }
}

fn open(key: &Key, hit: TierHit) -> Option<Opened> {
    let meta = match decode_meta(&hit.meta, hit.expired_at) {
        Ok(meta) => meta,
        Err(error) => {
            Op::DecodeMeta.failed();
            tracing::debug!(%key, generation = %hit.generation, %error, "a stored object counts as a miss");
            return None;
        }
    };
    let found = Found {
        key: *key,
        source: hit.source,
        generation: hit.generation,
    };
    Some(Opened {
        meta,
        found,
        reader: HitReader::new(hit),
    })
}

/// Which object a revalidation confirmed.
fn confirmed(cache_key: &CacheKey, meta: &CacheMeta) -> Option<(Key, Generation)> {
    let asked = key(cache_key);
    if let Some(found) = meta.extensions().get::<Found>() {
        let same_group = found.key.primary() == asked.primary();
        return same_group.then_some((found.key, found.generation));
    }
    let generation = RequestSlot::of(cache_key)?.generation(&asked)?;
    Some((asked, generation))
}
