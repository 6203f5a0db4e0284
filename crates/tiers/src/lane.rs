use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use terrace_core::{Commit, Committed, Entry, Fence, Fill, Key, Level, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tracing::Instrument as _;

use crate::guard::Guard;
use crate::stats::{LaneEnd, Op, Purpose, Tally};

/// What a chunk counts for at least, so that a body of single bytes does not fill memory with overhead.
const MIN_CHARGE: usize = 1024;

/// The way of one body into one remote tier: a bounded channel and a task that writes.
///
/// The task commits only when it is told to; a lane that is dropped before is *poisoned*, and the tier sees an
/// aborted fill (P5). A closed channel is never taken for the end of a body.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) level: Level,
    chunks: mpsc::Sender<Message>,
    window: Arc<Semaphore>,
    window_bytes: usize,
    ended: oneshot::Receiver<LaneEnd>,
    tally: Arc<Tally>,
}

#[derive(Debug)]
enum Message {
    /// The permit keeps the bytes counted until they are written.
    Chunk(Bytes, OwnedSemaphorePermit),
    Commit(Commit),
}

/// What a lane needs to begin.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) guard: Arc<Guard>,
    pub(crate) key: Key,
    pub(crate) entry: Entry,
    pub(crate) fence: Fence,
}

impl Lane {
    pub(crate) fn start(plan: Plan, purpose: Purpose, window_bytes: usize, step: Duration) -> Self {
        let window_bytes = window_bytes.max(MIN_CHARGE);
        // Every chunk holds a permit, so the channel has always room for the commit.
        let (sender, receiver) = mpsc::channel(window_bytes / MIN_CHARGE + 1);
        let (end, ended) = oneshot::channel();
        let (level, env) = (plan.guard.level, plan.guard.env.clone());
        let tally = Arc::new(Tally::start(&plan.guard, purpose));
        let span = tracing::debug_span!("lane", purpose = purpose.as_str(), tier = %level, key = %plan.key,
            generation = %plan.entry.generation, outcome = tracing::field::Empty);
        let books = Arc::clone(&tally);
        let task = async move {
            let outcome = match transfer(plan, receiver, step).await {
                Ok(Ended::Committed(len)) => {
                    books.committed(len);
                    LaneEnd::Committed
                }
                Ok(Ended::Fenced) => LaneEnd::Fenced,
                Ok(Ended::Poisoned) => LaneEnd::Aborted,
                Err(error) => {
                    books.guard.failed(&error);
                    LaneEnd::Failed
                }
            };
            books.end(outcome);
            tracing::Span::current().record("outcome", outcome.as_str());
            tracing::debug!("the lane has ended");
            // Nobody waits for a promotion.
            let _ = end.send(outcome);
        };
        env.spawn(task.instrument(span));
        let window = Arc::new(Semaphore::new(window_bytes));
        Self {
            level,
            chunks: sender,
            window,
            window_bytes,
            ended,
            tally,
        }
    }

    /// The tier it leads to.
    pub(crate) fn guard(&self) -> &Arc<Guard> {
        &self.tally.guard
    }

    /// Passes `chunk` on if there is room now; `false` poisons the lane.
    pub(crate) fn offer(&self, chunk: &Bytes) -> bool {
        let permit = Arc::clone(&self.window).try_acquire_many_owned(self.charge(chunk));
        permit.is_ok_and(|permit| {
            self.chunks
                .try_send(Message::Chunk(chunk.clone(), permit))
                .is_ok()
        })
    }

    /// Passes `chunk` on when there is room; `false` if the tier has given up.
    pub(crate) async fn send(&self, chunk: &Bytes) -> bool {
        let permit = Arc::clone(&self.window).acquire_many_owned(self.charge(chunk));
        let permit = tokio::select! {
            biased;
            permit = permit => permit,
            () = self.chunks.closed() => return false,
        };
        let Ok(permit) = permit else { return false };
        self.chunks
            .send(Message::Chunk(chunk.clone(), permit))
            .await
            .is_ok()
    }

    /// Ends it without a commit, for `cause`, unless the tier has given up: that counts itself.
    pub(crate) fn poison(self, cause: LaneEnd) {
        if !self.chunks.is_closed() {
            self.tally.end(cause);
        }
    }

    /// Lets the tier commit, and tells how to learn of the end.
    pub(crate) fn commit(self, commit: Commit) -> oneshot::Receiver<LaneEnd> {
        // An error means that the tier gave up, which `ended` tells as well.
        let _ = self.chunks.try_send(Message::Commit(commit));
        self.ended
    }

    fn charge(&self, chunk: &Bytes) -> u32 {
        // A chunk larger than the window takes all of it.
        let charge = chunk.len().clamp(MIN_CHARGE, self.window_bytes);
        u32::try_from(charge).unwrap_or(u32::MAX)
    }
}

enum Ended {
    /// With so many bytes.
    Committed(u64),
    Fenced,
    Poisoned,
}

async fn transfer(
    plan: Plan,
    mut messages: mpsc::Receiver<Message>,
    step: Duration,
) -> Result<Ended> {
    let Plan {
        guard,
        key,
        entry,
        fence,
    } = plan;
    let permit = guard.permit(Op::Admit)?;
    let tier = Arc::clone(&guard.tier.0);
    let admit = guard
        .timed(Op::Admit, step, tier.admit(&key, entry, fence))
        .await;
    drop(permit);
    let mut fill: Box<dyn Fill> = admit?;
    while let Some(message) = messages.recv().await {
        match message {
            Message::Chunk(chunk, _permit) => {
                guard.timed(Op::Write, step, fill.write(chunk)).await?;
            }
            Message::Commit(commit) => {
                let len = commit.checksums.len();
                let committed = guard.timed(Op::Commit, step, fill.commit(commit)).await?;
                return Ok(match committed {
                    Committed::Published => Ended::Committed(len),
                    Committed::Fenced => Ended::Fenced,
                });
            }
        }
    }
    Ok(Ended::Poisoned)
}
