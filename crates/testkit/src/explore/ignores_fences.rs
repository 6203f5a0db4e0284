use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    Commit, Committed, Entry, Error, ErrorKind, Fence, Fill, Generation, Key, Lookup, Meta,
    PurgeOutcome, Result, Target, Tier, TierKind, Timestamp,
};

/// A tier without the mechanism that keeps purged objects from coming back: a fill takes its fence
/// when it commits.
///
/// For showing that a test of promise P3 fails without fences. Everything else is the inner tier's.
#[derive(Debug)]
pub struct IgnoresFences<T> {
    inner: Arc<T>,
}

/// The largest body a fill gathers, in bytes.
const MAX_BODY: usize = 4 << 20;

impl<T: Tier> IgnoresFences<T> {
    /// `inner` without fences.
    pub fn new(inner: T) -> Self {
        let inner = Arc::new(inner);
        Self { inner }
    }
}

#[async_trait]
impl<T: Tier> Tier for IgnoresFences<T> {
    fn kind(&self) -> TierKind {
        self.inner.kind()
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        self.inner.lookup(key).await
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        self.inner.fence(key).await
    }

    async fn admit(&self, key: &Key, entry: Entry, _ignored: Fence) -> Result<Box<dyn Fill>> {
        let tier = Arc::clone(&self.inner);
        let (key, body) = (*key, Vec::new());
        Ok(Box::new(LateFill {
            tier,
            key,
            entry,
            body,
        }))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        self.inner.purge(target).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.inner.expire(target, at).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        self.inner.update_meta(key, generation, meta).await
    }
}

/// A body being gathered, to be written when it is committed.
struct LateFill<T> {
    tier: Arc<T>,
    key: Key,
    entry: Entry,
    body: Vec<u8>,
}

#[async_trait]
impl<T: Tier> Fill for LateFill<T> {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if self.body.len() + chunk.len() > MAX_BODY {
            let message = format!("this wrapper gathers at most {MAX_BODY} bytes");
            return Err(Error::new(
                ErrorKind::Exhausted,
                "ignores_fences.write",
                message,
            ));
        }
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        let Self {
            tier,
            key,
            entry,
            body,
        } = *self;
        let fence = tier.fence(&key).await?;
        let mut fill = tier.admit(&key, entry, fence).await?;
        fill.write(body.into()).await?;
        fill.commit(commit).await
    }
}
