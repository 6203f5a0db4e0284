use std::sync::Arc;

use futures::future::BoxFuture;
use terrace_core::{Generation, Key, Level, Meta, PurgeOutcome, Result, Target, Tier, Timestamp};

use crate::guard::Guard;
use crate::stack::{Shared, Stack};
use crate::stats::Op;
use crate::ticket::Ticket;

impl Stack {
    /// Removes what `target` names from every tier, bottom-up, and from the bodies in progress.
    ///
    /// - Effect: once it answers `Ok`, no lookup here returns what existed before (P3). Breakers do not count:
    ///   a tier that was left alone may come back with what it has.
    /// - Cancellation: tiers that have been called finish by themselves; the purge is not acknowledged.
    /// - Errors: some tier did not do it. Others may have; repeat the purge until it succeeds.
    /// - Idempotence: a repeat answers `NotFound`.
    pub async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        let target = *target;
        self.shared
            .bottom_up(&target, Op::Purge, |tier| {
                Box::pin(async move { tier.purge(&target).await })
            })
            .await
    }

    /// Marks what `target` names stale as of now, in every tier (a soft purge). Otherwise as
    /// [`purge`](Self::purge).
    pub async fn expire(&self, target: &Target) -> Result<PurgeOutcome> {
        self.expire_at(target, self.shared.env.now()).await
    }

    pub(crate) async fn expire_at(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        let target = *target;
        self.shared
            .bottom_up(&target, Op::Expire, |tier| {
                Box::pin(async move { tier.expire(&target, at).await })
            })
            .await
    }

    /// Drops this process's own copies of what `target` names, and nothing that others share: for an
    /// eviction, which is local and never travels.
    pub async fn evict(&self, target: &Target) -> PurgeOutcome {
        for guard in self.shared.tiers.iter().filter(|guard| guard.is_memory()) {
            match guard.tier.0.purge(target).await {
                Ok(PurgeOutcome::NotFound) => {}
                Ok(found) => return found,
                Err(error) => guard.stats.error(Op::Evict, error.kind()),
            }
        }
        PurgeOutcome::NotFound
    }

    /// Replaces the metadata of `generation` in every tier that has it, bottom-up: the origin has just confirmed
    /// its body. Says whether any tier had it.
    ///
    /// A purge, soft or not, that came since `ticket` was taken wins; without a ticket, one that comes from now on.
    pub async fn update_meta(
        &self,
        key: &Key,
        generation: Generation,
        meta: Meta,
        ticket: Option<&Ticket>,
    ) -> bool {
        let (shared, key) = (&self.shared, *key);
        let seen = ticket
            .filter(|ticket| ticket.key == key)
            .map(|ticket| ticket.top.clone());
        let fence = seen.unwrap_or_else(|| shared.registry.fence(&key));
        if !shared.registry.admits(&key, &fence) {
            return false;
        }
        let asked = shared.env.now();
        let (mut updated, mut confirmed) = (false, false);
        for guard in shared.tiers.iter().rev() {
            let meta = meta.clone();
            let update = |tier: Arc<dyn Tier>| -> BoxFuture<'static, Result<bool>> {
                Box::pin(async move { tier.update_meta(&key, generation, meta).await })
            };
            let result = if guard.is_memory() {
                update(Arc::clone(&guard.tier.0)).await
            } else {
                guard
                    .call(Op::UpdateMeta, shared.limits.write_deadline, update)
                    .await
            };
            let result = result.unwrap_or(false);
            updated |= result;
            confirmed |= result && guard.level > Level::L0;
        }
        if confirmed {
            // The copy in L0 shares this with it.
            meta.confirm(asked);
        }
        shared.registry.answered(&key);
        if !shared.registry.admits(&key, &fence) {
            // A purge came in between, and our update may have undone it in some tier.
            let undone = self.expire(&Target::Generation(key, generation)).await;
            tracing::debug!(%key, ?undone, "a purge overtook a revalidation");
        }
        updated
    }
}

impl Shared {
    /// Bottom-up, because a reader takes its fence of an upper tier before it reads a lower one: read
    /// before the purge, its fence is void when the purge arrives above; read after, there is nothing.
    async fn bottom_up(
        &self,
        target: &Target,
        op: Op,
        call: impl Fn(Arc<dyn Tier>) -> BoxFuture<'static, Result<PurgeOutcome>>,
    ) -> Result<PurgeOutcome> {
        // First as well: whoever writes without a fence of the tiers (`update_meta`) looks here.
        let mut in_progress = self.registry.purge(target);
        let (mut outcome, mut failure) = (PurgeOutcome::NotFound, None);
        for guard in self.tiers.iter().rev() {
            match self.purge_one(guard, op, &call).await {
                Ok(found) if outcome == PurgeOutcome::NotFound => outcome = found,
                Ok(_) => {}
                // The tiers above are purged all the same; the authority's failure is the one to report.
                Err(error) => failure = failure.or(Some((guard.level, error))),
            }
        }
        in_progress |= self.registry.purge(target);
        if let Some((level, error)) = failure {
            tracing::error!(tier = %level, ?target, %error, op = op.as_str(), "not acknowledged; repeat it until it succeeds");
            return Err(error);
        }
        tracing::debug!(?target, ?outcome, in_progress, op = op.as_str(), "done");
        Ok(outcome)
    }

    pub(crate) async fn purge_one(
        &self,
        guard: &Arc<Guard>,
        op: Op,
        call: impl FnOnce(Arc<dyn Tier>) -> BoxFuture<'static, Result<PurgeOutcome>>,
    ) -> Result<PurgeOutcome> {
        if guard.is_memory() {
            call(Arc::clone(&guard.tier.0)).await
        } else {
            guard.insist(op, self.limits.purge_deadline, call).await
        }
    }
}
