use std::sync::Arc;

use futures::future::BoxFuture;
use terrace_core::{Key, PurgeOutcome, Result, Target, Tier};

use crate::guard::Guard;
use crate::progress::{InProgress, Phase};
use crate::stack::Shared;
use crate::stats::{LaneEnd, Op};

/// What is left to do when every tier has finished.
pub(super) struct Books {
    pub(super) shared: Arc<Shared>,
    pub(super) key: Key,
    pub(super) entry: Arc<InProgress>,
    pub(super) inline: Vec<(Arc<Guard>, LaneEnd)>,
}

impl Books {
    /// Takes the ends of the remote tiers, top-down, and answers that of the lowest tier of all.
    pub(super) async fn close(self, remote: &[(Arc<Guard>, LaneEnd)]) -> LaneEnd {
        if let Some(refused) = remote.iter().rposition(|(_, end)| *end == LaneEnd::Fenced) {
            // Another node purged it before it was durable, or a tier below has a newer one. It must not live on above.
            let above = self.inline.iter().chain(&remote[..refused]);
            for (guard, _) in above.filter(|(_, end)| *end == LaneEnd::Committed) {
                self.drop_from(guard).await;
            }
        }
        self.entry.end(Phase::Settled);
        self.shared.registry.remove(&self.key, &self.entry);
        let inline = self.inline.last().map(|(_, end)| *end);
        remote
            .last()
            .map(|(_, end)| *end)
            .or(inline)
            .unwrap_or(LaneEnd::Aborted)
    }

    /// Where that fails, the object stays there until it expires, as it would if nothing below had been asked.
    async fn drop_from(&self, guard: &Arc<Guard>) {
        let target = Target::Generation(self.key, self.entry.generation);
        let purge = |tier: Arc<dyn Tier>| -> BoxFuture<'static, Result<PurgeOutcome>> {
            Box::pin(async move { tier.purge(&target).await })
        };
        if let Err(error) = self.shared.purge_one(guard, Op::Purge, purge).await {
            tracing::warn!(tier = %guard.level, key = %self.key, %error,
                "an object that a tier below has refused stays here until it expires");
        }
    }
}
