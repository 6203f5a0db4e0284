//! A storage with its tiers, and short forms of what Pingora does with it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use pingora_cache::storage::{
    HitHandler, MissHandler, PurgeOutcome, PurgeTarget, PurgeType, Storage,
};
use pingora_cache::trace::{Span, SpanHandle};
use pingora_cache::{CacheEntryId, CacheEntryKey, CacheKey, CacheMeta};
use pingora_http::ResponseHeader;
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Clock, NoTier, Result, SystemClock, Target,
};
use terrace_durable::{DurableConfig, DurableTier};
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore, MemoryTier};
use terrace_pingora::{Found, TerraceStorage, key};
use terrace_policy::Policy;
use terrace_tiers::{MultiTier, Source, Stack, TokioRuntime};

pub(crate) type Durable = DurableTier<CutBlobs, InMemoryIndexStore>;

pub(crate) struct Rig {
    pub(crate) storage: &'static TerraceStorage,
    pub(crate) stack: Stack,
    /// From now on, blobs end after their first bytes.
    pub(crate) cut: Arc<AtomicBool>,
    /// The durable tier by itself: as another node sees it.
    pub(crate) l3: Arc<Durable>,
}

impl Rig {
    /// A stack in which what `finish` answered is durable, so that tests need not wait.
    pub(crate) fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let cut = Arc::new(AtomicBool::new(false));
        let blobs = CutBlobs {
            inner: InMemoryBlobStore::new(Arc::clone(&clock), 64 << 20),
            cut: Arc::clone(&cut),
        };
        let index = InMemoryIndexStore::new(Arc::clone(&clock));
        let config = DurableConfig {
            inline_max: 0,
            read_piece: 4096,
            ..DurableConfig::default()
        };
        let durable = DurableTier::builder(blobs, index)
            .config(config)
            .build()
            .unwrap();
        let policy = Policy::builder()
            .durable_before_finish(true)
            .build()
            .unwrap();
        let multi: MultiTier<MemoryTier, NoTier, NoTier, Durable> = MultiTier::builder(durable)
            .l0(MemoryTier::new(64 << 20))
            .policy(policy)
            .runtime(Arc::new(TokioRuntime::current()))
            .build()
            .unwrap();
        let storage: &'static TerraceStorage = Box::leak(Box::default());
        storage.install(multi.stack().clone()).unwrap();
        Self {
            storage,
            stack: multi.stack().clone(),
            cut,
            l3: Arc::clone(multi.l3()),
        }
    }

    pub(crate) async fn lookup(&self, key: &CacheKey) -> Option<(CacheMeta, HitHandler)> {
        self.storage
            .lookup(key, &span())
            .await
            .expect("a lookup never fails")
    }

    pub(crate) async fn hit(&self, key: &CacheKey) -> (CacheMeta, HitHandler) {
        self.lookup(key).await.expect("it is stored")
    }

    pub(crate) async fn begin(&self, key: &CacheKey, meta: &CacheMeta) -> MissHandler {
        self.storage
            .get_miss_handler(key, meta, &span())
            .await
            .unwrap()
    }

    /// What Pingora does with a response: begin, one write, finish.
    pub(crate) async fn store(&self, key: &CacheKey, body: &'static [u8]) -> CacheEntryId {
        self.store_as(key, &page(Some(body.len())), body).await
    }

    pub(crate) async fn store_as(
        &self,
        key: &CacheKey,
        meta: &CacheMeta,
        body: &'static [u8],
    ) -> CacheEntryId {
        let mut fill = self.begin(key, meta).await;
        let id = fill.entry_id().expect("fills are identified");
        fill.write_body(body.into(), true).await.unwrap();
        fill.finish().await.unwrap();
        id
    }

    /// The originator's own reader.
    pub(crate) async fn own_reader(&self, key: &CacheKey, fill: &MissHandler) -> HitHandler {
        let tag = fill.streaming_write_tag();
        let found = self.storage.lookup_streaming_write(key, tag, &span()).await;
        found.unwrap().expect("never Ok(None)").1
    }

    pub(crate) async fn purge(&self, key: &CacheKey) -> PurgeOutcome {
        let key = key.to_compact();
        let target = PurgeTarget::Active(&key);
        self.storage
            .purge(target, PurgeType::Invalidation, &span())
            .await
            .unwrap()
    }

    pub(crate) async fn purge_exact(
        &self,
        key: &CacheKey,
        id: CacheEntryId,
        why: PurgeType,
    ) -> PurgeOutcome {
        let entry = CacheEntryKey::identified(key.to_compact(), id);
        self.storage
            .purge(PurgeTarget::Exact(&entry), why, &span())
            .await
            .unwrap()
    }

    /// Drops the copy in memory, as a restart would.
    pub(crate) async fn forget_l0(&self, key: &CacheKey) {
        self.stack
            .evict(&Target::Key(terrace_pingora::key(key)))
            .await;
    }

    pub(crate) async fn drained(&self) {
        assert!(
            self.stack.drain(Duration::from_mins(1)).await,
            "background work hangs"
        );
    }

    pub(crate) async fn source(&self, key: &CacheKey) -> Option<Source> {
        let (meta, _) = self.lookup(key).await?;
        meta.extensions().get::<Found>().map(|found| found.source)
    }
}

pub(crate) fn span() -> SpanHandle {
    Span::inactive().handle()
}

pub(crate) fn url(path: &str) -> CacheKey {
    CacheKey::new(format!("https://example.com/{path}"), "")
}

pub(crate) fn variant_of(key: &CacheKey, variance: u8) -> CacheKey {
    let mut variant = key.clone();
    variant.set_variance_key([variance; 16]);
    variant
}

pub(crate) fn now() -> SystemTime {
    SystemClock.now().into()
}

/// The metadata of a response that is fresh for an hour.
pub(crate) fn page(len: Option<usize>) -> CacheMeta {
    page_with(len, &[])
}

pub(crate) fn page_with(len: Option<usize>, fields: &[(&'static str, &str)]) -> CacheMeta {
    let mut header = ResponseHeader::build(200, None).unwrap();
    if let Some(len) = len {
        header
            .append_header("Content-Length", len.to_string())
            .unwrap();
    }
    for (name, value) in fields {
        header.append_header(*name, *value).unwrap();
    }
    CacheMeta::new(now() + Duration::from_hours(1), now(), 60, 60, header)
}

pub(crate) async fn read_all(handler: &mut HitHandler) -> pingora_error::Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(piece) = handler.read_body().await? {
        assert!(
            !piece.is_empty(),
            "an empty piece would end a chunked response"
        );
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

pub(crate) async fn finish(handler: HitHandler, rig: &Rig, key: &CacheKey) {
    handler.finish(rig.storage, key, &span()).await.unwrap();
}

/// The identity of `key`'s current object.
pub(crate) async fn found(rig: &Rig, cache_key: &CacheKey) -> Found {
    let (meta, _) = rig.hit(cache_key).await;
    let found = *meta
        .extensions()
        .get::<Found>()
        .expect("every hit says where it is from");
    assert_eq!(found.key, key(cache_key));
    found
}

/// A blob store whose bodies can be made to end early.
pub(crate) struct CutBlobs {
    inner: InMemoryBlobStore,
    cut: Arc<AtomicBool>,
}

#[async_trait]
impl BlobStore for CutBlobs {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        let whole = self.inner.get(name, range).await?;
        if !self.cut.load(Ordering::Relaxed) {
            return Ok(whole);
        }
        let first = whole.take(1).collect::<Vec<Result<Bytes>>>().await;
        let first = first
            .into_iter()
            .map(|piece| piece.map(|bytes| bytes.slice(..bytes.len() / 2)));
        Ok(stream::iter(first.collect::<Vec<_>>()).boxed())
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        self.inner.head(name).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        self.inner.put(name).await
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        self.inner.delete(name).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        self.inner.list()
    }
}
