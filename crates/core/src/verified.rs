use std::collections::VecDeque;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures::StreamExt;

use crate::blob::BlobRead;
use crate::body::{Body, ReadBody};
use crate::checksum::{BlockChecksums, Verifier};
use crate::error::{Error, ErrorKind, Result};

/// Where a [`VerifiedBody`]'s bytes are. Displayed, it says which body it is.
#[async_trait]
pub trait BodySource: Display + Send + Sync + 'static {
    /// The bytes of `range`, and then the end.
    ///
    /// - Cancellation: a dropped future leaves nothing behind.
    /// - Errors: here, or in the stream, which is over then.
    async fn open(&self, range: Range<u64>) -> Result<BlobRead>;
}

/// A stored body's bytes, verified while they pass (promise P2).
///
/// It asks the source for the blocks that cover the range, no more, and hands the range out. The range's last piece
/// is held back until its block was verified to the end: a reader that stops at the last byte it
/// wanted has still read verified bytes only.
pub struct VerifiedBody<S> {
    op: &'static str,
    checksums: Arc<BlockChecksums>,
    max_piece: usize,
    /// What is still to be handed out.
    wanted: Range<u64>,
    state: State,
    source: S,
}

enum State {
    /// Nothing was asked of the source since the last seek.
    Unopened,
    Open(Open),
    /// A read failed, or was dropped half way.
    Failed,
}

struct Open {
    stream: BlobRead,
    verifier: Verifier,
    /// Where the blocks that cover the range end.
    end: u64,
    /// Verified bytes that were not handed out.
    ready: VecDeque<Bytes>,
    /// How many bytes of `ready` come before the range.
    skip: u64,
}

impl<S: BodySource> VerifiedBody<S> {
    /// The whole of the body that `checksums` describe, in pieces of at most `max_piece` bytes. `op` is the operation
    /// that errors name.
    pub fn new(
        op: &'static str,
        source: S,
        checksums: Arc<BlockChecksums>,
        max_piece: usize,
    ) -> Self {
        let wanted = 0..checksums.len();
        Self {
            op,
            checksums,
            max_piece,
            wanted,
            state: State::Unopened,
            source,
        }
    }

    fn has_failed(&self) -> Error {
        let message = format!(
            "reading {} has failed before; look the object up again",
            self.source
        );
        Error::new(ErrorKind::Unavailable, self.op, message)
    }
}

#[async_trait]
impl<S: BodySource> ReadBody for VerifiedBody<S> {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        // Whatever happens at an await below, dropping included, the next read finds a failed body and not
        // one that skips the piece we had in hand.
        let mut open = match std::mem::replace(&mut self.state, State::Failed) {
            State::Failed => return Err(self.has_failed()),
            state if self.wanted.is_empty() => {
                self.state = state;
                return Ok(None);
            }
            State::Unopened => Open::begin(&self.source, &self.checksums, &self.wanted).await?,
            State::Open(open) => open,
        };
        let piece = loop {
            if let Some(piece) = open.take(&self.wanted, self.max_piece) {
                break piece;
            }
            open.fetch(self.op, &self.source).await?;
        };
        self.wanted.start += piece.len() as u64;
        self.state = if self.wanted.is_empty() {
            State::Unopened
        } else {
            State::Open(open)
        };
        Ok(Some(piece))
    }

    fn seek(&mut self, range: Range<u64>) -> Result<()> {
        Body::check_range(&range, self.checksums.len())?;
        self.wanted = range;
        if !matches!(self.state, State::Failed) {
            self.state = State::Unopened;
        }
        Ok(())
    }
}

impl Open {
    async fn begin<S: BodySource>(
        source: &S,
        checksums: &Arc<BlockChecksums>,
        wanted: &Range<u64>,
    ) -> Result<Self> {
        let covering = checksums.covering(wanted);
        Ok(Self {
            stream: source.open(covering.clone()).await?,
            verifier: checksums.verifier(covering.start),
            end: covering.end,
            ready: VecDeque::new(),
            skip: wanted.start - covering.start,
        })
    }

    /// Reads and verifies more.
    async fn fetch<S: BodySource>(&mut self, op: &'static str, source: &S) -> Result<()> {
        if let Some(bytes) = self.stream.next().await {
            return self.verifier.push(bytes?, &mut self.ready);
        }
        let (position, end) = (self.verifier.position(), self.end);
        let message = format!("{source} ended at {position} instead of {end}");
        Err(Error::new(ErrorKind::Corrupt, op, message))
    }

    /// The next piece that may be handed out, if it was read already.
    fn take(&mut self, wanted: &Range<u64>, max_piece: usize) -> Option<Bytes> {
        self.skip_to_range();
        let front = self.ready.front_mut()?;
        let left = usize::try_from(wanted.end - wanted.start).unwrap_or(usize::MAX);
        let len = front.len().min(max_piece).min(left);
        if len == left && self.verifier.position() < self.end {
            // What comes after the range is only read to verify it.
            self.ready.truncate(1);
            return None;
        }
        let piece = front.split_to(len);
        if front.is_empty() {
            self.ready.pop_front();
        }
        Some(piece)
    }

    fn skip_to_range(&mut self) {
        while let Some(front) = self.ready.front_mut() {
            let len = front.len() as u64;
            if len > self.skip {
                #[expect(clippy::cast_possible_truncation, reason = "less than a usize")]
                front.advance(self.skip as usize);
                self.skip = 0;
                return;
            }
            self.skip -= len;
            self.ready.pop_front();
        }
    }
}
