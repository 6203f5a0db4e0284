use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use terrace_core::{Entry, Error, ErrorKind, Generation, Meta, Result};
use tokio::sync::Notify;

use crate::window::{Pace, Piece, Spool, Window};

/// A body on its way from the origin, and everybody who reads along.
#[derive(Debug)]
pub(crate) struct InProgress {
    pub(crate) id: u64,
    pub(crate) generation: Generation,
    pub(crate) meta: Meta,
    pub(crate) len: Option<u64>,
    state: Mutex<State>,
    /// Wakes readers: bytes came, or the end did.
    moved: Notify,
    /// Wakes who waits for the tiers to have it.
    settled: Notify,
    spool_dir: PathBuf,
    spool_bytes: u64,
}

#[derive(Debug)]
struct State {
    window: Window,
    phase: Phase,
    pace: Pace,
}

/// How far it is. Readers must tell a body that ended from one that broke off (P1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// All bytes are here; tiers may still be committing.
    Complete,
    Failed,
    /// Complete, and every tier has finished with it.
    Settled,
}

impl InProgress {
    pub(crate) fn new(id: u64, entry: &Entry, window: Window, spool: (PathBuf, u64)) -> Self {
        Self {
            id,
            generation: entry.generation,
            meta: entry.meta.clone(),
            len: entry.len,
            state: Mutex::new(State {
                window,
                phase: Phase::Running,
                pace: Pace::default(),
            }),
            moved: Notify::new(),
            settled: Notify::new(),
            spool_dir: spool.0,
            spool_bytes: spool.1,
        }
    }

    /// Appends what the origin sent, and says whether everything is still here. Waits for the spool file
    /// at most, never for a reader.
    pub(crate) async fn push(&self, chunk: Bytes) -> bool {
        let (open, excess) = {
            let mut state = self.state.lock();
            state.window.push(chunk);
            let spool = state.window.spool().cloned();
            (
                state.window.is_open(),
                state
                    .window
                    .excess(self.spool_bytes)
                    .map(|chunks| (chunks, spool)),
            )
        };
        self.moved.notify_waiters();
        if let Some((chunks, spool)) = excess {
            self.spill(chunks, spool).await;
        }
        open
    }

    /// How long the origin is to be held back, for the sake of a reader who is about to fall behind further
    /// than the spool reaches.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        let lag = state.window.lag();
        state.pace.after(lag, self.spool_bytes / 2)
    }

    /// If this is dropped while the file is being written, the chunks stay in memory.
    async fn spill(&self, chunks: Vec<(u64, Bytes)>, spool: Option<Arc<Spool>>) {
        let Some(end) = chunks.last().map(|(at, chunk)| at + chunk.len() as u64) else {
            return;
        };
        let (dir, max) = (self.spool_dir.clone(), self.spool_bytes);
        let append = move || Spool::append(spool, &dir, &chunks, max);
        let appended = match tokio::task::spawn_blocking(append).await {
            Ok(Ok(spool)) => Some(spool),
            Ok(Err(error)) => {
                tracing::warn!(%error, dir = %self.spool_dir.display(),
                    "cannot spool a body for its slow readers; they will be cut off with an error");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "spooling a body did not finish");
                None
            }
        };
        self.state.lock().window.spooled(end, appended);
        self.moved.notify_waiters();
    }

    /// How far it is, and the bytes that have come.
    pub(crate) fn progress(&self) -> (Phase, u64) {
        let state = self.state.lock();
        (state.phase, state.window.end())
    }

    /// Takes no more readers.
    pub(crate) fn close(&self) {
        self.state.lock().window.close();
    }

    pub(crate) fn end(&self, phase: Phase) {
        {
            let mut state = self.state.lock();
            // A body that broke off stays broken.
            if state.phase != Phase::Failed {
                state.phase = phase;
            }
        }
        self.moved.notify_waiters();
        if matches!(phase, Phase::Failed | Phase::Settled) {
            self.settled.notify_waiters();
        }
    }

    /// Whether all bytes are here but some tier has not finished.
    pub(crate) fn is_settling(&self) -> bool {
        self.state.lock().phase == Phase::Complete
    }

    /// Waits until every tier has finished with it.
    pub(crate) async fn settle(&self) {
        loop {
            let settled = self.settled.notified();
            if matches!(self.state.lock().phase, Phase::Failed | Phase::Settled) {
                return;
            }
            settled.await;
        }
    }

    /// A reader from the first byte on; `None` if that is gone, or the body broke off.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Follower> {
        let mut state = self.state.lock();
        if state.phase == Phase::Failed {
            return None;
        }
        let reader = state.window.join()?;
        Some(Follower {
            entry: Arc::clone(self),
            reader,
        })
    }
}

/// One reader of a body in progress.
#[derive(Debug)]
pub(crate) struct Follower {
    entry: Arc<InProgress>,
    reader: u64,
}

enum Step {
    Now(Result<Option<Bytes>>),
    Spooled(Arc<Spool>, std::ops::Range<u64>),
    Wait,
}

impl Follower {
    /// The next piece, waiting for the origin; `None` only after the whole body.
    ///
    /// Cancel safe: a piece is taken in the poll that returns it.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>> {
        loop {
            let moved = self.entry.moved.notified();
            tokio::pin!(moved);
            // Registered before the look, so that what comes in between wakes.
            moved.as_mut().enable();
            match self.step() {
                Step::Now(piece) => return piece,
                Step::Spooled(spool, range) => {
                    let read = tokio::task::spawn_blocking(move || spool.read(&range)).await;
                    let piece = read.map_err(spool_error)?.map_err(spool_error)?;
                    let mut state = self.entry.state.lock();
                    if !state.window.confirm(self.reader, piece.len()) {
                        return Err(lost());
                    }
                    return Ok(Some(piece));
                }
                Step::Wait => moved.await,
            }
        }
    }

    fn step(&self) -> Step {
        let mut state = self.entry.state.lock();
        match state.window.next(self.reader) {
            Piece::Memory(bytes) => Step::Now(Ok(Some(bytes))),
            Piece::Spooled(spool, range) => Step::Spooled(spool, range),
            Piece::CaughtUp => match state.phase {
                Phase::Running => Step::Wait,
                Phase::Complete | Phase::Settled => Step::Now(Ok(None)),
                Phase::Failed => Step::Now(Err(broke_off(state.window.end()))),
            },
            Piece::Lost => Step::Now(Err(lost())),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.entry.state.lock().window.leave(self.reader);
    }
}

fn lost() -> Error {
    let message = "the reader fell further behind than the spool reaches";
    Error::new(ErrorKind::Exhausted, "in_progress.read", message)
}

fn broke_off(at: u64) -> Error {
    let message = format!("the origin's answer broke off after {at} bytes");
    Error::new(ErrorKind::Unavailable, "in_progress.read", message)
}

fn spool_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "spool.read",
        "cannot read back a spooled body",
    )
    .with_source(error)
}
