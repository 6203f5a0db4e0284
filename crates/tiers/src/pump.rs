use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use terrace_core::{Body, Error, ErrorKind, Result};
use tokio::sync::mpsc;

use crate::guard::Guard;
use crate::stats::Op;

/// Pieces read ahead of the client.
const READ_AHEAD: usize = 2;

/// A remote tier's body, read by a task of the storage's own runtime.
///
/// The reader may then be dropped at any await and live on any runtime, and the next piece is fetched while the
/// client takes the last one. Nothing is opened before the first read.
#[derive(Debug)]
pub(crate) struct Pump {
    guard: Arc<Guard>,
    deadline: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle(Body),
    Running {
        pieces: mpsc::Receiver<(u64, Result<Option<Bytes>>)>,
        seeks: mpsc::Sender<(u64, Range<u64>)>,
        /// Pieces with an older number were read before the last seek.
        epoch: u64,
        /// The end was read, and nobody has sought since.
        at_end: bool,
    },
    Over,
}

impl Pump {
    pub(crate) fn new(guard: Arc<Guard>, deadline: Duration, body: Body) -> Self {
        Self {
            guard,
            deadline,
            state: State::Idle(body),
        }
    }

    /// The next piece. Cancel safe. After an error there is nothing more.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>> {
        self.start();
        let State::Running {
            pieces,
            epoch,
            at_end,
            ..
        } = &mut self.state
        else {
            return Err(gone());
        };
        // The task says nothing more before somebody seeks.
        if *at_end {
            return Ok(None);
        }
        let piece = loop {
            match pieces.recv().await {
                Some((read_in, piece)) if read_in == *epoch => break piece,
                Some(_) => {}
                None => break Err(gone()),
            }
        };
        match &piece {
            Ok(piece) => *at_end = piece.is_none(),
            Err(_) => self.state = State::Over,
        }
        piece
    }

    pub(crate) fn seek(&mut self, range: Range<u64>) -> Result<()> {
        match &mut self.state {
            State::Idle(body) => body.seek(range),
            State::Running {
                seeks,
                epoch,
                at_end,
                ..
            } => {
                *epoch += 1;
                *at_end = false;
                seeks.try_send((*epoch, range)).map_err(|_| gone())
            }
            State::Over => Err(gone()),
        }
    }

    fn start(&mut self) {
        let body = match std::mem::replace(&mut self.state, State::Over) {
            State::Idle(body) => body,
            other => {
                self.state = other;
                return;
            }
        };
        let (send, pieces) = mpsc::channel(READ_AHEAD);
        // More seeks than this between two reads make no sense to anybody.
        let (seeks, sought) = mpsc::channel(16);
        let (guard, deadline) = (Arc::clone(&self.guard), self.deadline);
        self.guard
            .env
            .spawn(run(guard, deadline, body, send, sought));
        self.state = State::Running {
            pieces,
            seeks,
            epoch: 0,
            at_end: false,
        };
    }
}

async fn run(
    guard: Arc<Guard>,
    deadline: Duration,
    mut body: Body,
    pieces: mpsc::Sender<(u64, Result<Option<Bytes>>)>,
    mut seeks: mpsc::Receiver<(u64, Range<u64>)>,
) {
    let mut epoch = 0;
    let mut sought = None;
    let mut op = Op::FirstByte;
    loop {
        let piece = if let Some((to, range)) = sought.take() {
            epoch = to;
            match body.seek(range) {
                Ok(()) => continue,
                Err(error) => Err(error),
            }
        } else {
            tokio::select! {
                biased;
                seek = seeks.recv() => {
                    // The reader is gone when its end of the channel is.
                    let Some(seek) = seek else { return };
                    sought = Some(seek);
                    continue;
                }
                piece = guard.timed(op, deadline, body.read()) => piece,
            }
        };
        match &piece {
            Ok(_) => op = Op::Read,
            Err(error) => guard.failed(error),
        }
        let last = !matches!(piece, Ok(Some(_)));
        tokio::select! {
            biased;
            seek = seeks.recv() => {
                let Some(seek) = seek else { return };
                sought = Some(seek);
                continue;
            }
            sent = pieces.send((epoch, piece)) => if sent.is_err() { return },
        }
        if last {
            // Nothing more to read, until somebody seeks.
            let Some(seek) = seeks.recv().await else {
                return;
            };
            sought = Some(seek);
        }
    }
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "body.read",
        "the body's reader is gone",
    )
}
