use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use terrace_core::{Error, ErrorKind, Fence, Key, Level, Lookup, Result, Tier, TierKind};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::breaker::{Breaker, BreakerState, Permit, Verdict};
use crate::env::Env;
use crate::limits::Limits;
use crate::stats::{Op, Stopwatch, TierStats};

/// One tier of the stack, and what stands between it and the requests.
///
/// Calls to a [`TierKind::Memory`] tier are made in line. All others run as tasks of the storage's
/// own runtime, so that a caller that goes away (Pingora drops futures at any await) never cuts a
/// backend's protocol short, and under a deadline, because Pingora has none.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) level: Level,
    pub(crate) tier: TierRef,
    pub(crate) stats: TierStats,
    pub(crate) env: Env,
    pub(crate) lookup_deadline: Duration,
    breaker: Arc<Breaker>,
}

/// A tier without a `Debug` of its own.
#[derive(Clone)]
pub(crate) struct TierRef(pub(crate) Arc<dyn Tier>);

impl std::fmt::Debug for TierRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tier({:?})", self.0.kind())
    }
}

impl Guard {
    pub(crate) fn new(level: Level, tier: Arc<dyn Tier>, env: Env, limits: &Limits) -> Arc<Self> {
        let stats = TierStats::new(level);
        Arc::new(Self {
            level,
            tier: TierRef(tier),
            env,
            lookup_deadline: limits.lookup_deadline,
            breaker: Breaker::new(limits.breaker, stats.trips.clone()),
            stats,
        })
    }

    pub(crate) fn is_memory(&self) -> bool {
        self.tier.0.kind() == TierKind::Memory
    }

    pub(crate) async fn lookup(self: &Arc<Self>, key: &Key) -> Result<Lookup> {
        let looked = if self.is_memory() {
            let watch = Stopwatch::sampled();
            // The tier's own method, not that of the `Arc`, which boxes another future around it.
            let looked = (*self.tier.0).lookup(key).await;
            if let Some(watch) = watch {
                self.stats.took(Op::Lookup, watch);
            }
            looked
        } else {
            let key = *key;
            self.call(Op::Lookup, self.lookup_deadline, move |tier| {
                Box::pin(async move { tier.lookup(&key).await })
            })
            .await
        };
        match &looked {
            Ok(Lookup::Hit(_)) => self.stats.hits.increment(1),
            Ok(Lookup::Miss(_)) => self.stats.misses.increment(1),
            Err(_) => {}
        }
        looked
    }

    pub(crate) async fn fence(self: &Arc<Self>, key: &Key) -> Result<Fence> {
        if self.is_memory() {
            return self.tier.0.fence(key).await;
        }
        let key = *key;
        self.call(Op::Fence, self.lookup_deadline, move |tier| {
            Box::pin(async move { tier.fence(&key).await })
        })
        .await
    }

    /// Calls the tier as a task, unless its breaker is open.
    pub(crate) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        op: Op,
        deadline: Duration,
        call: impl FnOnce(Arc<dyn Tier>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let permit = self.permit(op)?;
        self.task(op, deadline, Some(permit), call).await
    }

    /// Calls the tier as a task whatever its breaker says: for what must not be left out.
    pub(crate) async fn insist<T: Send + 'static>(
        self: &Arc<Self>,
        op: Op,
        deadline: Duration,
        call: impl FnOnce(Arc<dyn Tier>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        self.task(op, deadline, None, call).await
    }

    async fn task<T: Send + 'static>(
        self: &Arc<Self>,
        op: Op,
        deadline: Duration,
        permit: Option<Permit>,
        call: impl FnOnce(Arc<dyn Tier>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let (guard, work) = (Arc::clone(self), call(Arc::clone(&self.tier.0)));
        // Whoever called may be gone; what is logged belongs to its request all the same.
        let task = async move {
            let result = guard.timed(op, deadline, work).await;
            if let Some(permit) = permit {
                permit.settle(verdict(&result), guard.env.now());
            }
            // Nobody listens any more if the caller was dropped.
            let _ = answer.send(result);
        };
        self.env.spawn(task.in_current_span());
        answered.await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                op.as_str(),
                "the storage is shutting down",
            )
            .maybe_applied())
        })
    }

    /// Runs `work` under a deadline, times it, and counts its failure.
    pub(crate) async fn timed<T>(
        &self,
        op: Op,
        deadline: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let watch = Stopwatch::start();
        let result = self.env.within(deadline, work).await.unwrap_or_else(|| {
            let message = format!("{} did not answer within {deadline:?}", self.level);
            Err(Error::new(ErrorKind::Timeout, op.as_str(), message).maybe_applied())
        });
        self.stats.took(op, watch);
        if let Err(error) = &result {
            self.stats.error(op, error.kind());
            tracing::debug!(tier = %self.level, op = op.as_str(), error = %Chain(error), "a tier failed; going on without it");
        }
        result
    }

    /// Leave to call the tier, or the error to give instead.
    pub(crate) fn permit(&self, op: Op) -> Result<Permit> {
        self.breaker.permit(self.env.now()).ok_or_else(|| {
            self.stats.rejected.increment(1);
            let message = format!("{} failed before and is left alone for a while", self.level);
            Error::new(ErrorKind::Unavailable, op.as_str(), message)
        })
    }

    /// Tells the breaker of a failure that happened outside of [`call`](Self::call): in a body, in a lane.
    pub(crate) fn failed(&self, error: &Error) {
        let verdict = match verdict::<()>(&Err(Error::new(error.kind(), "", ""))) {
            // The wait was for one piece of one body; only lookups that wait trip the breaker at once.
            Verdict::TimedOut => Verdict::Failed,
            verdict => verdict,
        };
        if let (Verdict::Failed, Some(permit)) = (verdict, self.breaker.permit(self.env.now())) {
            permit.settle(verdict, self.env.now());
        }
    }

    /// Shows how the tier is now on its gauges.
    pub(crate) fn show(&self) {
        self.stats.show(self.breaker_state(), self.tier.0.usage());
    }

    pub(crate) fn breaker_state(&self) -> BreakerState {
        self.breaker.state(self.env.now())
    }
}

/// An answer about one key (a damaged record, a bad fence) says nothing about the tier's health.
fn verdict<T>(result: &Result<T>) -> Verdict {
    match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::Timeout) => Verdict::TimedOut,
        Err(
            ErrorKind::Unavailable | ErrorKind::Denied | ErrorKind::Exhausted | ErrorKind::Internal,
        ) => Verdict::Failed,
        _ => Verdict::Well,
    }
}

/// An error with its sources, on one line.
struct Chain<'a>(&'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
