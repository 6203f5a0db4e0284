use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures::StreamExt;
use terrace_core::{
    BlobName, BlobRead, BlobStore, BlockChecksums, Body, Error, ErrorKind, ReadBody, Result,
    Verifier,
};

/// A blob's bytes, verified while they pass (promise P2).
///
/// It asks the store for the blocks that cover the range, no more, and hands the range out. The range's last piece
/// is held back until its block was verified to the end: a reader that stops at the last byte it
/// wanted has still read verified bytes only.
pub(crate) struct BlobBody<B: ?Sized> {
    blobs: Arc<B>,
    name: BlobName,
    checksums: Arc<BlockChecksums>,
    max_piece: usize,
    /// What is still to be handed out.
    wanted: Range<u64>,
    source: Source,
}

enum Source {
    /// Nothing was asked of the store since the last seek.
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

impl<B: BlobStore + ?Sized> BlobBody<B> {
    pub(crate) fn new(
        blobs: Arc<B>,
        name: BlobName,
        checksums: Arc<BlockChecksums>,
        max_piece: usize,
    ) -> Self {
        let wanted = 0..checksums.len();
        Self {
            blobs,
            name,
            checksums,
            max_piece,
            wanted,
            source: Source::Unopened,
        }
    }
}

#[async_trait]
impl<B: BlobStore + ?Sized> ReadBody for BlobBody<B> {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        // Whatever happens at an await below, dropping included, the next read finds a failed body and not
        // one that skips the piece we had in hand.
        let mut open = match std::mem::replace(&mut self.source, Source::Failed) {
            Source::Failed => return Err(failed(&self.name)),
            source if self.wanted.is_empty() => {
                self.source = source;
                return Ok(None);
            }
            Source::Unopened => {
                Open::begin(&*self.blobs, &self.name, &self.checksums, &self.wanted).await?
            }
            Source::Open(open) => open,
        };
        let piece = loop {
            if let Some(piece) = open.take(&self.wanted, self.max_piece) {
                break piece;
            }
            open.fetch(&self.name).await?;
        };
        self.wanted.start += piece.len() as u64;
        self.source = if self.wanted.is_empty() {
            Source::Unopened
        } else {
            Source::Open(open)
        };
        Ok(Some(piece))
    }

    fn seek(&mut self, range: Range<u64>) -> Result<()> {
        Body::check_range(&range, self.checksums.len())?;
        self.wanted = range;
        if !matches!(self.source, Source::Failed) {
            self.source = Source::Unopened;
        }
        Ok(())
    }
}

impl Open {
    async fn begin<B: BlobStore + ?Sized>(
        blobs: &B,
        name: &BlobName,
        checksums: &Arc<BlockChecksums>,
        wanted: &Range<u64>,
    ) -> Result<Self> {
        let covering = checksums.covering(wanted);
        let stream = blobs.get(name, covering.clone()).await;
        Ok(Self {
            stream: stream.map_err(|error| too_short(name, error))?,
            verifier: checksums.verifier(covering.start),
            end: covering.end,
            ready: VecDeque::new(),
            skip: wanted.start - covering.start,
        })
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

    /// Reads and verifies more.
    async fn fetch(&mut self, name: &BlobName) -> Result<()> {
        if let Some(bytes) = self.stream.next().await {
            return self.verifier.push(bytes?, &mut self.ready);
        }
        let (position, end) = (self.verifier.position(), self.end);
        let message = format!("the blob {name} ended at {position} instead of {end}");
        Err(Error::new(ErrorKind::Corrupt, "durable.read", message))
    }
}

/// The manifest knows how long the blob is: a range that leaves it is the blob's fault, and not the reader's.
fn too_short(name: &BlobName, error: Error) -> Error {
    if error.kind() != ErrorKind::Invalid {
        return error;
    }
    let message = format!("the blob {name} is shorter than its manifest says");
    Error::new(ErrorKind::Corrupt, "durable.read", message).with_source(error)
}

fn failed(name: &BlobName) -> Error {
    let message = format!("reading the blob {name} has failed before; look the object up again");
    Error::new(ErrorKind::Unavailable, "durable.read", message)
}

#[cfg(test)]
mod tests;
