use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use pingora_cache::storage::{
    HandleHit, HandleMiss, HitHandler, MissFinishType, MissHandler, PurgeOutcome, PurgeTarget,
    PurgeType, Storage,
};
use pingora_cache::trace::SpanHandle;
use pingora_cache::{CacheKey, CacheMeta, MemCache};
use pingora_error::{Error, ErrorType, Result};
use tokio::sync::Semaphore;

/// A `MemCache` that misbehaves on demand.
pub(crate) struct Odd {
    inner: MemCache,
    pub(crate) fails: AtomicBool,
    pub(crate) loses_its_answer: AtomicBool,
    /// Answers every lookup with what is stored under this key.
    pub(crate) mixes_up: OnceLock<CacheKey>,
    /// Bytes that a body has less (negative) or more than was stored.
    length: i32,
    seeks: bool,
    /// Commits wait here, between the write and the end of it.
    pub(crate) gate: Semaphore,
}

pub(crate) const OPEN: usize = 1000;

pub(crate) fn odd(length: i32, seeks: bool, permits: usize) -> &'static Odd {
    Box::leak(Box::new(Odd {
        inner: MemCache::new(),
        fails: AtomicBool::new(false),
        loses_its_answer: AtomicBool::new(false),
        mixes_up: OnceLock::new(),
        length,
        seeks,
        gate: Semaphore::new(permits),
    }))
}

impl Odd {
    fn check(&self) -> Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Error::e_explain(ErrorType::ReadError, "the disk is on fire");
        }
        Ok(())
    }
}

struct OddHit {
    inner: HitHandler,
    storage: &'static Odd,
    surplus: bool,
}

struct OddMiss {
    inner: MissHandler,
    storage: &'static Odd,
}

#[async_trait]
impl Storage for Odd {
    async fn lookup(
        &'static self,
        key: &CacheKey,
        trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        self.check()?;
        let key = self.mixes_up.get().unwrap_or(key);
        let found = self.inner.lookup(key, trace).await?;
        Ok(found.map(|(meta, inner)| {
            let handler = OddHit {
                inner,
                storage: self,
                surplus: self.length > 0,
            };
            (meta, Box::new(handler) as HitHandler)
        }))
    }

    async fn get_miss_handler(
        &'static self,
        key: &CacheKey,
        meta: &CacheMeta,
        trace: &SpanHandle,
    ) -> Result<MissHandler> {
        self.check()?;
        let inner = self.inner.get_miss_handler(key, meta, trace).await?;
        Ok(Box::new(OddMiss {
            inner,
            storage: self,
        }))
    }

    async fn purge(
        &'static self,
        target: PurgeTarget<'_>,
        why: PurgeType,
        trace: &SpanHandle,
    ) -> Result<PurgeOutcome> {
        self.check()?;
        self.inner.purge(target, why, trace).await
    }

    async fn update_meta(
        &'static self,
        key: &CacheKey,
        meta: &CacheMeta,
        trace: &SpanHandle,
    ) -> Result<bool> {
        self.check()?;
        self.inner.update_meta(key, meta, trace).await
    }

    fn support_streaming_partial_write(&self) -> bool {
        true
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

#[async_trait]
impl HandleHit for OddHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        self.storage.check()?;
        if let Some(mut piece) = self.inner.read_body().await? {
            let missing = usize::try_from(-self.storage.length).unwrap_or(0);
            piece.truncate(piece.len() - missing);
            return Ok(Some(piece));
        }
        Ok(std::mem::take(&mut self.surplus).then(|| Bytes::from_static(b"surplus")))
    }

    async fn finish(
        self: Box<Self>,
        storage: &'static (dyn Storage + Sync),
        key: &CacheKey,
        trace: &SpanHandle,
    ) -> Result<()> {
        self.inner.finish(storage, key, trace).await
    }

    fn can_seek(&self) -> bool {
        self.storage.seeks
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        self.inner.seek(start, end)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

#[async_trait]
impl HandleMiss for OddMiss {
    async fn write_body(&mut self, data: Bytes, eof: bool) -> Result<()> {
        self.inner.write_body(data, eof).await
    }

    async fn finish(self: Box<Self>) -> Result<MissFinishType> {
        self.storage.gate.acquire().await.unwrap().forget();
        let finished = self.inner.finish().await;
        if self.storage.loses_its_answer.load(Ordering::Relaxed) {
            return Error::e_explain(ErrorType::WriteError, "it is stored, but who knows");
        }
        finished
    }
}
