use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    Body, Commit, Committed, Entry, Fence, Fill, Generation, Key, Lookup, Meta, PurgeOutcome,
    ReadBody, Result, Target, Tier, TierKind, Timestamp,
};

use super::Explorer;

/// A tier whose every call can be interleaved with other actors: one step before it, and one between its effect
/// and its answer. So do the writes and the commit of its fills, and the reads of its bodies.
#[derive(Debug)]
pub struct Stepped<T> {
    inner: T,
    steps: Steps,
}

#[derive(Debug, Clone)]
struct Steps {
    explorer: Explorer,
    name: &'static str,
    after: bool,
}

impl Steps {
    async fn around<R>(&self, what: [&'static str; 2], call: impl Future<Output = R>) -> R {
        let [call_name, answer_name] = what;
        self.explorer.step_at(self.name, call_name).await;
        let answer = call.await;
        if self.after {
            self.explorer.step_at(self.name, answer_name).await;
        }
        answer
    }
}

impl<T: Tier> Stepped<T> {
    /// `inner` with steps, which schedules call `name`.
    pub fn new(name: &'static str, inner: T, explorer: &Explorer) -> Self {
        let explorer = explorer.clone();
        Self {
            inner,
            steps: Steps {
                explorer,
                name,
                after: true,
            },
        }
    }

    /// Leaves out the steps after the calls. Nothing is lost by that where an actor does, between two calls,
    /// nothing others can see; and there are far fewer schedules.
    #[must_use]
    pub fn coarse(mut self) -> Self {
        self.steps.after = false;
        self
    }

    /// The tier itself, without steps.
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

#[async_trait]
impl<T: Tier> Tier for Stepped<T> {
    fn kind(&self) -> TierKind {
        self.inner.kind()
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let call = self.inner.lookup(key);
        let answer = self.steps.around(["lookup", "looked up"], call).await?;
        Ok(match answer {
            Lookup::Hit(mut hit) => {
                hit.body = Body::Stream(Box::new(SteppedBody {
                    inner: hit.body,
                    steps: self.steps.clone(),
                }));
                Lookup::Hit(hit)
            }
            miss @ Lookup::Miss(_) => miss,
        })
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        let call = self.inner.fence(key);
        self.steps.around(["fence", "fence taken"], call).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        let call = self.inner.admit(key, entry, fence);
        let inner = self.steps.around(["admit", "admitted"], call).await?;
        let steps = self.steps.clone();
        Ok(Box::new(SteppedFill { inner, steps }))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        let call = self.inner.purge(target);
        self.steps.around(["purge", "purged"], call).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        let call = self.inner.expire(target, at);
        self.steps.around(["expire", "expired"], call).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        let call = self.inner.update_meta(key, generation, meta);
        let what = ["update_meta", "metadata updated"];
        self.steps.around(what, call).await
    }
}

struct SteppedFill {
    inner: Box<dyn Fill>,
    steps: Steps,
}

#[async_trait]
impl Fill for SteppedFill {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let call = self.inner.write(chunk);
        self.steps.around(["write", "written"], call).await
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        let call = self.inner.commit(commit);
        self.steps.around(["commit", "committed"], call).await
    }
}

struct SteppedBody {
    inner: Body,
    steps: Steps,
}

#[async_trait]
impl ReadBody for SteppedBody {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let call = self.inner.read();
        self.steps.around(["read", "read on"], call).await
    }

    fn seek(&mut self, range: Range<u64>) -> Result<()> {
        self.inner.seek(range)
    }
}
