use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use terrace_core::{
    BlobName, BlobStore, BlockChecksums, Body, Clock, Entry, Fence, Fill, Generation, Hit,
    IndexStore, Key, Location, Lookup, Meta, OsRandom, PurgeOutcome, Random, Result, StoredObject,
    SystemClock, Target, Tier, TierKind, Timestamp, Usage,
};

use crate::body::blob_body;
use crate::config::DurableConfig;
use crate::descent::Descent;
use crate::fence::Token;
use crate::fill::DurableFill;
use crate::gc;
use crate::held::Held;
use crate::shared::Shared;

/// The tier that has the last word: bodies in a blob store, everything that changes in an index.
///
/// Cloning it is cheap, and clones are the same tier. The [crate's documentation](crate) tells how it keeps
/// its promises.
pub struct DurableTier<B, I> {
    pub(crate) shared: Arc<Shared<B, I>>,
}

/// Builds a [`DurableTier`].
pub struct DurableTierBuilder<B, I> {
    shared: Shared<B, I>,
}

impl<B: BlobStore, I: IndexStore> DurableTier<B, I> {
    /// Begins to build a tier over `blobs` and `index`, with the system's clock and randomness and the
    /// default configuration.
    pub fn builder(blobs: B, index: I) -> DurableTierBuilder<B, I> {
        DurableTierBuilder {
            shared: Shared {
                blobs: Arc::new(blobs),
                index,
                clock: Arc::new(SystemClock),
                random: Arc::new(OsRandom),
                config: DurableConfig::default(),
                held: Held::default(),
                descent: Descent::default(),
            },
        }
    }

    /// A hit of `object`; `None` if its inline body is not what was stored.
    fn hit(
        &self,
        key: &Key,
        object: &StoredObject,
        expired_at: Option<Timestamp>,
        fence: &Fence,
    ) -> Option<Hit> {
        let body = match &object.location {
            Location::Inline(bytes) => {
                if *object.checksums != BlockChecksums::of(bytes) {
                    tracing::warn!(%key, generation = %object.generation, "corrupt inline body: a miss");
                    return None;
                }
                Body::from_bytes(bytes.clone())
            }
            Location::Blob => Body::Stream(Box::new(blob_body(
                Arc::clone(&self.shared.blobs),
                BlobName {
                    key: *key,
                    generation: object.generation,
                },
                Arc::clone(&object.checksums),
                self.shared.config.read_piece,
            ))),
        };
        Some(Hit {
            generation: object.generation,
            meta: object.meta.clone(),
            expired_at,
            checksums: Some(Arc::clone(&object.checksums)),
            body,
            fence: fence.clone(),
        })
    }
}

impl<B, I> DurableTierBuilder<B, I> {
    /// Takes the time from `clock`. It need not agree with the index's by more than the margins in
    /// [`DurableConfig`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.shared.clock = clock;
        self
    }

    /// Draws versions from `random`. They must not repeat: an operating system's generator, or a seeded one in
    /// a test.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.shared.random = random;
        self
    }

    /// Replaces the default configuration.
    #[must_use]
    pub fn config(mut self, config: DurableConfig) -> Self {
        self.shared.config = config;
        self
    }

    /// The tier. Errors with `Invalid`, naming the field, if the configuration leaves its bounds.
    pub fn build(self) -> Result<DurableTier<B, I>> {
        self.shared.config.validate()?;
        gc::describe();
        Ok(DurableTier {
            shared: Arc::new(self.shared),
        })
    }
}

#[async_trait]
impl<B: BlobStore, I: IndexStore> Tier for DurableTier<B, I> {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    /// One read of the index, for a variant two at once. The body is opened when it is read.
    ///
    /// A damaged record is a miss, and the next fill replaces it. Errors with `Unsupported` for a record
    /// that a newer version wrote.
    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let slot = self.shared.read(key).await?;
        let fence = slot.token().to_fence();
        let hit = slot
            .live()
            .and_then(|(object, expired_at)| self.hit(key, object, expired_at, &fence));
        Ok(hit.map_or(Lookup::Miss(fence), Lookup::Hit))
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        Ok(self.shared.read(key).await?.token().to_fence())
    }

    /// Calls no store yet.
    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        let fence = Token::from_fence(&fence)?;
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(DurableFill::new(shared, *key, entry, fence)?))
    }

    /// The bytes stay in the blob store until [`collect`](DurableTier::collect) finds them.
    ///
    /// Errors with `Contended` when others changed the record `max_attempts` times meanwhile.
    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        self.shared.purge(target).await
    }

    /// For [`Target::AllVariants`], of several moments the earliest counts, for objects too that were filled
    /// between two soft purges. Errors as [`purge`](Self::purge).
    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.shared.expire(target, at).await
    }

    /// Errors as [`purge`](Self::purge).
    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        self.shared.update_meta(key, generation, &meta).await
    }

    /// Bodies outside of the index, as the last [`collect`](DurableTier::collect) found them.
    fn usage(&self) -> Usage {
        let (objects, bytes) = self.shared.held.last().unzip();
        Usage {
            objects,
            bytes,
            ..Usage::default()
        }
    }
}

impl<B, I> Clone for DurableTier<B, I> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<B, I> fmt::Debug for DurableTier<B, I> {
    /// Leaves the stores out: they may hold credentials (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableTier")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl<B, I> fmt::Debug for DurableTierBuilder<B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableTierBuilder")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
