use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use terrace_core::{Commit, Committed, Entry, Fence, Fill, Key, Level, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::guard::Guard;
use crate::stats::{LaneEnd, Purpose, lane_ended};

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
        env.spawn(async move {
            let guard = Arc::clone(&plan.guard);
            let outcome = match transfer(plan, receiver, step).await {
                Ok(Some(Committed::Published)) => LaneEnd::Committed,
                Ok(Some(Committed::Fenced)) => LaneEnd::Fenced,
                Ok(None) => LaneEnd::Aborted,
                Err(error) => {
                    guard.failed(&error);
                    LaneEnd::Failed
                }
            };
            lane_ended(purpose, level, outcome);
            // Nobody waits for a promotion.
            let _ = end.send(outcome);
        });
        let window = Arc::new(Semaphore::new(window_bytes));
        Self {
            level,
            chunks: sender,
            window,
            window_bytes,
            ended,
        }
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

async fn transfer(
    plan: Plan,
    mut messages: mpsc::Receiver<Message>,
    step: Duration,
) -> Result<Option<Committed>> {
    let Plan {
        guard,
        key,
        entry,
        fence,
    } = plan;
    let permit = guard.permit("admit")?;
    let tier = Arc::clone(&guard.tier.0);
    let admit = guard
        .timed("admit", step, tier.admit(&key, entry, fence))
        .await;
    drop(permit);
    let mut fill: Box<dyn Fill> = admit?;
    while let Some(message) = messages.recv().await {
        match message {
            Message::Chunk(chunk, _permit) => guard.timed("write", step, fill.write(chunk)).await?,
            Message::Commit(commit) => {
                return guard
                    .timed("commit", step, fill.commit(commit))
                    .await
                    .map(Some);
            }
        }
    }
    Ok(None)
}
