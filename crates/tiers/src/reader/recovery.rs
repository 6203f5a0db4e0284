use std::ops::Range;
use std::sync::Arc;

use futures::future::BoxFuture;
use terrace_core::{BlockChecksums, Body, Error, ErrorKind, Lookup, Result, Target};

use super::{Source, Stored};
use crate::guard::Guard;
use crate::rescue::{Rescue, Rescued};
use crate::stack::Shared;
use crate::stats::{self, Op};

/// Where a body came from, and what has failed its reader since.
pub(super) struct Whence {
    shared: Arc<Shared>,
    pub(super) what: Stored,
    pub(super) guard: Arc<Guard>,
    /// One bit per level that has failed this reader.
    failed: u8,
}

/// Another source of a body.
pub(super) struct Recovered {
    /// `None` for the rescue.
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) source: Source,
}

/// The way to another source. It belongs to the body, not to a read of it: Pingora drops reads whenever something else
/// happens, such as a piece of an error that a stale body is served instead of. A source tells of its failure once, and the
/// origin should not be asked once for each read.
pub(super) type Recovery = BoxFuture<'static, Result<Recovered>>;

impl Whence {
    pub(super) fn new(shared: &Arc<Shared>, guard: &Arc<Guard>, what: Stored) -> Self {
        Self {
            shared: Arc::clone(shared),
            what,
            guard: Arc::clone(guard),
            failed: 0,
        }
    }

    /// Looks for another source of the bytes `left`, in the tiers and then from `rescue`; where nobody has them, that is
    /// because of `failure`.
    pub(super) fn recover(
        &mut self,
        left: Range<u64>,
        rescue: Option<Arc<dyn Rescue>>,
        failure: Error,
    ) -> Recovery {
        if self.failed & bit(&self.guard) == 0 {
            self.distrust(&failure);
        }
        let (shared, what, failed) = (Arc::clone(&self.shared), self.what.clone(), self.failed);
        Box::pin(async move {
            if let Some(found) = elsewhere(&shared, &what, failed, &left).await {
                return Ok(found);
            }
            let (Some(rescue), Some(checksums)) = (rescue, &what.checksums) else {
                return Err(failure);
            };
            let rescued = rescue_from(&*rescue, checksums, &left).await;
            let body = rescued.map_err(|error| error.with_source(failure))?;
            Ok(Recovered {
                guard: None,
                source: Source::Whole(Body::Stream(Box::new(body))),
            })
        })
    }

    /// Remembers that the tier failed, and has it drop what it cannot serve.
    fn distrust(&mut self, failure: &Error) {
        self.failed |= bit(&self.guard);
        self.guard.stats.failovers.increment(1);
        tracing::warn!(tier = %self.guard.level, key = %self.what.key, error = %failure,
            "a tier failed in the middle of a body; trying the others");
        if !matches!(failure.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) {
            return;
        }
        let (guard, target) = (
            Arc::clone(&self.guard),
            Target::Generation(self.what.key, self.what.generation),
        );
        let deadline = self.shared.limits.purge_deadline;
        self.shared.env.spawn(async move {
            // A tier that cannot even drop it keeps failing it, which costs but harms nobody.
            let _ = guard
                .timed(Op::Purge, deadline, guard.tier.0.purge(&target))
                .await;
        });
    }
}

/// The same generation in a tier that has not failed yet.
async fn elsewhere(
    shared: &Shared,
    what: &Stored,
    failed: u8,
    left: &Range<u64>,
) -> Option<Recovered> {
    let others = shared.tiers.iter().filter(|guard| failed & bit(guard) == 0);
    for guard in others {
        let Ok(Lookup::Hit(mut hit)) = guard.lookup(&what.key).await else {
            continue;
        };
        if hit.generation == what.generation && hit.body.seek(left.clone()).is_ok() {
            return Some(Recovered {
                guard: Some(Arc::clone(guard)),
                source: Source::new(shared, guard, hit.body),
            });
        }
    }
    None
}

async fn rescue_from(
    rescue: &dyn Rescue,
    checksums: &Arc<BlockChecksums>,
    left: &Range<u64>,
) -> Result<Rescued> {
    let covering = checksums.covering(left);
    let verifier = checksums.verifier(covering.start);
    let body = rescue.resume(covering, checksums.len()).await?;
    stats::rescue_began();
    Ok(Rescued::new(body, verifier, left))
}

fn bit(guard: &Guard) -> u8 {
    1 << guard.level.index()
}
