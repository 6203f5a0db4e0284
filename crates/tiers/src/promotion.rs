use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use terrace_core::{BlockChecksums, Commit, Committed, Key, Level};

use crate::budget::Charge;
use crate::fill::InlineFill;
use crate::lane::{Lane, Plan};
use crate::stats::{LaneEnd, Op, Purpose, Tally};

/// The copies a hit leaves in the tiers above while it streams.
///
/// Started by the first piece read, fed with every piece, committed by the last one, by count and checksum.
/// Anything else (a seek, a full lane, a reader that leaves) poisons it.
#[derive(Debug, Default)]
pub(crate) struct Promotions {
    planned: Vec<Planned>,
    running: Vec<Running>,
    fed: u64,
    checksums: Option<Arc<BlockChecksums>>,
    lane_bytes: usize,
    step: Duration,
}

#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) claim: Claim,
    /// For a memory tier, which buffers the whole body.
    pub(crate) charge: Option<Charge>,
}

#[derive(Debug)]
struct Running {
    way: Way,
    _claim: Claim,
    _charge: Option<Charge>,
}

#[derive(Debug)]
enum Way {
    Inline(InlineFill),
    Lane(Lane),
}

impl Promotions {
    pub(crate) fn new(
        planned: Vec<Planned>,
        checksums: Arc<BlockChecksums>,
        lane_bytes: usize,
        step: Duration,
    ) -> Self {
        Self {
            planned,
            checksums: Some(checksums),
            lane_bytes,
            step,
            running: Vec::new(),
            fed: 0,
        }
    }

    /// Passes on a piece of the body, the next one after those fed before.
    ///
    /// Cancellation: memory tiers do not wait, so that there is no await to be dropped at.
    pub(crate) async fn feed(&mut self, piece: &Bytes) {
        if self.fed == 0 {
            self.start().await;
        }
        self.fed += piece.len() as u64;
        for index in (0..self.running.len()).rev() {
            let fed = match &mut self.running[index].way {
                Way::Inline(fill) => fill.fill.write(piece.clone()).await.is_ok(),
                Way::Lane(lane) => lane.offer(piece),
            };
            if !fed {
                match self.running.remove(index).way {
                    Way::Inline(fill) => fill.tally.end(LaneEnd::Failed),
                    Way::Lane(lane) => lane.poison(LaneEnd::Lagged),
                }
            }
        }
        if self
            .checksums
            .as_ref()
            .is_some_and(|sums| sums.len() == self.fed)
        {
            self.commit().await;
        }
    }

    /// Gives every copy up.
    pub(crate) fn poison(&mut self) {
        self.planned.clear();
        self.running.clear();
    }

    async fn start(&mut self) {
        for Planned {
            plan,
            claim,
            charge,
        } in std::mem::take(&mut self.planned)
        {
            let way = if plan.guard.is_memory() {
                let tally = Tally::start(&plan.guard, Purpose::Promotion);
                match plan
                    .guard
                    .tier
                    .0
                    .admit(&plan.key, plan.entry, plan.fence)
                    .await
                {
                    Ok(fill) => Way::Inline(InlineFill { fill, tally }),
                    Err(error) => {
                        plan.guard.stats.error(Op::Admit, error.kind());
                        tally.end(LaneEnd::Failed);
                        continue;
                    }
                }
            } else {
                Way::Lane(Lane::start(
                    plan,
                    Purpose::Promotion,
                    self.lane_bytes,
                    self.step,
                ))
            };
            self.running.push(Running {
                way,
                _claim: claim,
                _charge: charge,
            });
        }
    }

    async fn commit(&mut self) {
        let Some(checksums) = self.checksums.take() else {
            return;
        };
        for running in std::mem::take(&mut self.running) {
            let commit = Commit {
                checksums: Arc::clone(&checksums),
            };
            match running.way {
                Way::Inline(InlineFill { fill, tally }) => match fill.commit(commit).await {
                    Ok(Committed::Published) => tally.committed(checksums.len()),
                    Ok(Committed::Fenced) => tally.end(LaneEnd::Fenced),
                    Err(_) => tally.end(LaneEnd::Failed),
                },
                // It commits in the background; nobody waits for it.
                Way::Lane(lane) => drop(lane.commit(commit)),
            }
        }
    }
}

impl Drop for Promotions {
    fn drop(&mut self) {
        self.poison();
    }
}

/// Which promotions are under way: a hundred hits of one object copy it upwards once.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashSet<(Key, Level)>>);

/// The right to promote one key to one level, given back on drop.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    what: (Key, Level),
}

/// The most promotions at once, whatever their size.
const MAX_CLAIMS: usize = 4096;

impl Claims {
    pub(crate) fn claim(self: &Arc<Self>, key: Key, level: Level) -> Option<Claim> {
        let mut claims = self.0.lock();
        let claimed = claims.len() < MAX_CLAIMS && claims.insert((key, level));
        claimed.then(|| Claim {
            claims: Arc::clone(self),
            what: (key, level),
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().remove(&self.what);
    }
}
