use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use terrace_core::{
    ChecksumBuilder, Commit, Committed, Entry, Fill, Generation, Key, Level, Meta, Replaces,
};
use terrace_policy::{Admission, Candidate, Placement};
use tokio::sync::oneshot;

use crate::guard::Guard;
use crate::lane::{Lane, Plan};
use crate::progress::{InProgress, Phase};
use crate::stack::{Shared, Stack};
use crate::stats::{self, LaneEnd, Op, Purpose, Stopwatch, Tally};
use crate::ticket::Ticket;
use crate::window::Window;

use books::Books;

mod books;

/// A body that comes from the origin and goes to every tier that may have it, and to concurrent readers.
///
/// Nothing here fails: a tier that cannot keep up, errs, or finds the body too large is left out, and the client
/// gets its bytes all the same (P7). Dropping it is an abort: readers get an error, tiers publish nothing (P5).
#[derive(Debug)]
pub struct Filling {
    shared: Arc<Shared>,
    key: Key,
    entry: Arc<InProgress>,
    inline: Vec<InlineFill>,
    lanes: Vec<Lane>,
    checksums: ChecksumBuilder,
    placement: Placement,
    /// For how long tiers have held the origin back.
    stalled: Duration,
    /// A write was dropped halfway: a chunk may be missing somewhere.
    torn: bool,
    over: bool,
}

/// The way of a body into one memory tier.
pub(crate) struct InlineFill {
    pub(crate) fill: Box<dyn Fill>,
    pub(crate) tally: Tally,
}

impl std::fmt::Debug for InlineFill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InlineFill({:?})", self.tally)
    }
}

impl Stack {
    /// Begins to store what the origin answered, `len` bytes long if that was announced.
    ///
    /// - Effect: the body can be joined by readers at once, also while it is still coming. Which tiers take it
    ///   is the policy's decision.
    /// - Cancellation: nothing is left behind.
    /// - With a [`Ticket`] of a lookup of the same key, its fences count, so that a purge since then is
    ///   noticed. Tiers that lookup did not reach are left out; [`Intent::Revalidate`](crate::Intent) reaches all.
    ///   A body whose fence is void already is still streamed, but stored nowhere and shared with nobody.
    pub async fn fill(
        &self,
        key: &Key,
        meta: Meta,
        len: Option<u64>,
        ticket: Option<Ticket>,
    ) -> Filling {
        let generation = Generation::random(self.shared.env.random.as_ref());
        let ticket = match ticket.filter(|ticket| ticket.key == *key) {
            Some(ticket) => ticket,
            None => self.shared.ticket_now(*key).await,
        };
        self.begin(
            Entry {
                generation,
                meta,
                len,
                replaces: Replaces::Anything,
            },
            ticket,
            true,
        )
        .await
    }

    /// A ticket without a lookup, of the fences as they are now: what happened before is not noticed by a fill with it.
    pub async fn ticket(&self, key: &Key) -> Ticket {
        self.shared.ticket_now(*key).await
    }

    /// As [`fill`](Self::fill), of a given generation; `shared` with concurrent readers, or not.
    pub(crate) async fn begin(&self, entry: Entry, ticket: Ticket, joinable: bool) -> Filling {
        let shared = Arc::clone(&self.shared);
        let levels = shared.levels_for(&entry.meta, entry.len, &ticket);

        let window = Window::new(shared.limits.in_progress_bytes, shared.memory.account());
        let spool = (shared.limits.spool_dir.clone(), shared.limits.spool_bytes);
        let id = shared.registry.next_id();
        let in_progress = Arc::new(InProgress::new(id, &entry, window, spool));
        let registry = &shared.registry;
        let admitted = registry.insert(ticket.key, &in_progress, &ticket.top, joinable);
        if !admitted {
            in_progress.close();
        }
        registry.answered(&ticket.key);
        let mut filling = Filling {
            key: ticket.key,
            entry: in_progress,
            inline: Vec::new(),
            lanes: Vec::new(),
            checksums: ChecksumBuilder::new(),
            placement: ticket.placement,
            stalled: Duration::ZERO,
            torn: false,
            over: false,
            shared,
        };
        if admitted {
            filling.start(&levels, &ticket, &entry).await;
        }
        filling
    }
}

impl Shared {
    /// The tiers that should have the object, as far as is known before its body came.
    fn levels_for(&self, meta: &Meta, len: Option<u64>, ticket: &Ticket) -> Vec<Arc<Guard>> {
        let freshness = meta.fresh_until.since(self.env.now());
        let placement = ticket.placement;
        let candidate = Candidate {
            len,
            freshness,
            // Where nobody counts, nothing is told apart by it.
            requests: match self.requests {
                Some(_) => ticket.requests,
                None => u32::MAX,
            },
        };
        let admission = match self.policy.admits(&candidate) {
            Admission::Admitted => placement.admits(&candidate),
            refused @ Admission::Refused(_) => refused,
        };
        stats::admission(match admission {
            Admission::Admitted => "admitted",
            Admission::Refused(refusal) => refusal.as_str(),
        });
        let wanted = self.tiers.iter().filter(|guard| {
            let fits = len.is_none_or(|len| self.policy.fits(guard.level, len))
                && placement.fits(guard.level, len.unwrap_or(0));
            fits && (guard.level == Level::L0 || admission.is_admitted())
        });
        wanted.cloned().collect()
    }

    /// The fences of all tiers as they are now, asked for at once.
    async fn ticket_now(&self, key: Key) -> Ticket {
        let mut ticket = Ticket::new(key, self.registry.fence(&key), self.registry.answers(&key));
        let asked = self
            .tiers
            .iter()
            .map(|guard| async move { (guard.level, guard.fence(&key).await) });
        for (level, fence) in join_all(asked).await {
            // A tier that does not answer is left out.
            if let Ok(fence) = fence {
                ticket.set(level, fence);
            }
        }
        ticket
    }
}

impl Filling {
    /// Names this body among those in progress; see [`Stack::filling`].
    pub fn id(&self) -> u64 {
        self.entry.id
    }

    /// The generation being filled.
    pub fn generation(&self) -> Generation {
        self.entry.generation
    }

    /// Whether some tier is taking the body, as things stand.
    pub fn is_stored(&self) -> bool {
        !self.inline.is_empty() || !self.lanes.is_empty()
    }

    async fn start(&mut self, levels: &[Arc<Guard>], ticket: &Ticket, entry: &Entry) {
        for guard in levels {
            let Some(fence) = ticket.fence(guard.level) else {
                continue;
            };
            if guard.is_memory() {
                let tally = Tally::start(guard, Purpose::Fill);
                let admit = guard
                    .tier
                    .0
                    .admit(&self.key, entry.clone(), fence.clone())
                    .await;
                match admit {
                    Ok(fill) => self.inline.push(InlineFill { fill, tally }),
                    Err(error) => {
                        guard.stats.error(Op::Admit, error.kind());
                        tally.end(LaneEnd::Failed);
                    }
                }
                continue;
            }
            let plan = Plan {
                guard: Arc::clone(guard),
                key: self.key,
                entry: entry.clone(),
                fence: fence.clone(),
            };
            let limits = &self.shared.limits;
            self.lanes.push(Lane::start(
                plan,
                Purpose::Fill,
                limits.lane_bytes,
                limits.write_deadline,
            ));
        }
    }

    /// Passes on what the origin sent.
    ///
    /// May wait for remote tiers that are slower than the origin, within [`Limits::stall_budget`](crate::Limits) and
    /// [`Limits::least_fill_rate`](crate::Limits), and pauses while a reader is more than half of [`Limits::spool_bytes`](crate::Limits) behind.
    /// Cancellation: what is dropped halfway is an abort, now or at [`finish`](Self::finish).
    pub async fn write(&mut self, chunk: Bytes) {
        if std::mem::replace(&mut self.torn, true) {
            self.abort();
            return;
        }
        self.checksums.update(&chunk);
        self.drop_oversize();
        for index in (0..self.inline.len()).rev() {
            let InlineFill { fill, tally } = &mut self.inline[index];
            if let Err(error) = fill.write(chunk.clone()).await {
                tally.guard.stats.error(Op::Write, error.kind());
                tally.end(LaneEnd::Failed);
                self.inline.remove(index);
            }
        }
        if !self.entry.push(chunk.clone()).await {
            // What a memory tier buffers is paid for by the window, as long as that keeps it too.
            for fill in self.inline.drain(..) {
                fill.tally.end(LaneEnd::NoMemory);
            }
        }
        for index in (0..self.lanes.len()).rev() {
            if !self.lanes[index].offer(&chunk) && !self.stall(index, &chunk).await {
                self.lanes.remove(index).poison(LaneEnd::Lagged);
            }
        }
        self.torn = false;
        if let Some(pause) = self.entry.pause() {
            self.shared.env.runtime.sleep(pause).await;
        }
    }

    /// Waits for a lane that is full: not longer at once than the budget, nor in all than leaves the client the rate
    /// it is owed.
    async fn stall(&mut self, index: usize, chunk: &Bytes) -> bool {
        let (env, limits, lane) = (&self.shared.env, &self.shared.limits, &self.lanes[index]);
        let owed = self.checksums.len() / limits.least_fill_rate.max(1);
        let allowed = limits.stall_budget + Duration::from_secs(owed);
        let wait = allowed
            .saturating_sub(self.stalled)
            .min(limits.stall_budget);
        let began = env.now();
        let sent = env.within(wait, lane.send(chunk)).await;
        self.stalled += env.now().since(began);
        if sent.is_none() {
            tracing::warn!(tier = %lane.level, key = %self.key,
                "the tier writes slower than the origin delivers; this object is not stored there");
        }
        sent.unwrap_or(false)
    }

    fn drop_oversize(&mut self) {
        let (len, policy, placement) = (self.checksums.len(), &self.shared.policy, self.placement);
        let is_over = |level: Level| !policy.fits(level, len) || !placement.fits(level, len);
        for fill in self
            .inline
            .extract_if(.., |fill| is_over(fill.tally.guard.level))
        {
            fill.tally.end(LaneEnd::Oversize);
        }
        for lane in self.lanes.extract_if(.., |lane| is_over(lane.level)) {
            lane.poison(LaneEnd::Oversize);
        }
    }

    /// The body is complete: lets the tiers commit, and answers its length.
    ///
    /// - Effect: memory tiers have it when this returns. Remote tiers commit in the background
    ///   while readers can still join the body in progress, unless the policy wants it durable first.
    /// - A body of another length than announced, or one torn by a dropped write, is aborted.
    pub async fn finish(self) -> u64 {
        let (shared, len) = (Arc::clone(&self.shared), self.checksums.len());
        let ends = self.conclude(None).await;
        if shared.policy.durable_before_finish()
            && let Some(ends) = ends
        {
            shared.env.within(shared.limits.write_deadline, ends).await;
        }
        len
    }

    /// Commits if the body is whole, and is what `expected` describes. Answers how it ended in the lowest tier
    /// that took it, once that is known; `None` if there is nothing to wait for.
    pub(crate) async fn conclude(
        mut self,
        expected: Option<&Commit>,
    ) -> Option<oneshot::Receiver<LaneEnd>> {
        let checksums = Arc::new(std::mem::take(&mut self.checksums).finish());
        let announced = self.entry.len.is_none_or(|len| len == checksums.len());
        let as_expected = expected.is_none_or(|commit| commit.verify(&checksums).is_ok());
        if self.torn || self.over || !announced || !as_expected {
            self.abort();
            return None;
        }
        self.over = true;
        self.entry.end(Phase::Complete);
        let commit = Commit { checksums };
        let inline = self.commit_inline(&commit).await;
        let lanes = std::mem::take(&mut self.lanes).into_iter();
        let ends: Vec<_> = lanes
            .map(|lane| (Arc::clone(lane.guard()), lane.commit(commit.clone())))
            .collect();
        if ends.is_empty() || inline.iter().any(|(_, end)| *end == LaneEnd::Committed) {
            self.shared.registry.unlist(&self.key, &self.entry);
        }
        let (settled, outcome) = oneshot::channel();
        let books = Books {
            shared: Arc::clone(&self.shared),
            key: self.key,
            entry: Arc::clone(&self.entry),
            inline,
        };
        if ends.is_empty() {
            let _ = settled.send(books.close(&[]).await);
        } else {
            self.shared.env.spawn(async move {
                let ended = ends
                    .into_iter()
                    .map(|(guard, end)| async { (guard, end.await.unwrap_or(LaneEnd::Failed)) });
                let ends: Vec<_> = join_all(ended).await;
                // Only a policy that wants it durable first is listening.
                let _ = settled.send(books.close(&ends).await);
            });
        }
        Some(outcome)
    }

    /// Memory does not wait, so neither does this.
    async fn commit_inline(&mut self, commit: &Commit) -> Vec<(Arc<Guard>, LaneEnd)> {
        let mut ends = Vec::new();
        // The tiers below have not spoken yet. What they refuse is dropped when they do.
        self.entry.meta.confirm(self.shared.env.now());
        for InlineFill { fill, tally } in std::mem::take(&mut self.inline) {
            let guard = Arc::clone(&tally.guard);
            let watch = Stopwatch::start();
            let end = match fill.commit(commit.clone()).await {
                Ok(Committed::Published) => {
                    tally.committed(commit.checksums.len());
                    LaneEnd::Committed
                }
                Ok(Committed::Fenced) => LaneEnd::Fenced,
                Err(error) => {
                    guard.stats.error(Op::Commit, error.kind());
                    LaneEnd::Failed
                }
            };
            guard.stats.took(Op::Commit, watch);
            tally.end(end);
            ends.push((guard, end));
        }
        ends
    }

    fn abort(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.inline.clear();
        self.lanes.clear();
        self.entry.end(Phase::Failed);
        self.shared.registry.remove(&self.key, &self.entry);
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.abort();
    }
}
