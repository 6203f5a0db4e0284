use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    Commit, Committed, Entry, Error, ErrorKind, Fence, Fill, Generation, Hit, Key, Lookup, Meta,
    Peeked, PurgeOutcome, Result, Target, Tier, TierKind, Timestamp,
};

use crate::fill::Filling;
use crate::inspect::Seen;
use crate::lookup::Intent;
use crate::stack::Stack;
use crate::stats::LaneEnd;
use crate::ticket::Ticket;

/// A stack is a tier itself, so that stacks nest and the conformance suite runs on a whole one.
///
/// A fence is the fences of all its tiers. A fill is shared with nobody before its commit, and the commit answers
/// what the lowest tier that took the object answered.
#[async_trait]
impl Tier for Stack {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let looked = Self::lookup(self, key, Intent::Revalidate).await;
        let fence = looked.ticket.to_fence();
        let Some(hit) = looked.hit else {
            return Ok(Lookup::Miss(fence));
        };
        let checksums = hit.body.checksums().cloned();
        Ok(Lookup::Hit(Hit {
            generation: hit.generation,
            meta: hit.meta,
            expired_at: hit.expired_at,
            checksums,
            body: hit.body.into(),
            fence,
        }))
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        Ok(Self::lookup(self, key, Intent::Revalidate)
            .await
            .ticket
            .to_fence())
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        let ticket = Ticket::from_fence(*key, &fence).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "stack.admit", "a fence of another tier")
        })?;
        Ok(Box::new(StackFill(self.begin(entry, ticket, false).await)))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        Self::purge(self, target).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.expire_at(target, at).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        Ok(Self::update_meta(self, key, generation, meta, None).await)
    }

    /// The topmost copy. A tier that fails is one without it, as in a lookup.
    async fn peek(&self, key: &Key) -> Result<Option<Peeked>> {
        let tiers = self.inspect(key).await.tiers.into_iter();
        let mut held = tiers.filter_map(|tier| match tier.found {
            Seen::Held(peeked) => Some(peeked),
            Seen::Nothing | Seen::NotAsked | Seen::Failed(_) => None,
        });
        Ok(held.next())
    }
}

struct StackFill(Filling);

#[async_trait]
impl Fill for StackFill {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.0.write(chunk).await;
        Ok(())
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        let purged = !self.0.is_stored();
        let Some(ended) = self.0.conclude(Some(&commit)).await else {
            let message = "the body written is not the one committed";
            return Err(Error::new(ErrorKind::Invalid, "stack.commit", message));
        };
        match ended.await {
            Ok(LaneEnd::Committed) => Ok(Committed::Published),
            Ok(LaneEnd::Fenced) => Ok(Committed::Fenced),
            // No tier began to take it.
            Ok(LaneEnd::Aborted) if purged => Ok(Committed::Fenced),
            _ => {
                let message = "no tier stored the object";
                Err(Error::new(ErrorKind::Unavailable, "stack.commit", message).maybe_applied())
            }
        }
    }
}
