//! The bytes of a body in progress that somebody may still want.
//!
//! ```text
//!   spool file ────────┐   memory (chunks) ──────────┐
//!   [base ............ start ....................... end)   next chunk from the origin
//!          ^ slow reader        ^ reader   ^ originator's own reader
//! ```
//!
//! While a window is *open* it keeps everything from the first byte and takes readers. It closes when it grows over
//! its bound; then it keeps what its slowest reader needs, and what would exceed the bound goes to a
//! file. The writer waits for that file, never for a reader: Pingora runs the writer and the originator's reader
//! in one loop.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::budget::Charge;

mod pace;
mod spool;

pub(crate) use pace::Pace;
pub(crate) use spool::Spool;

/// Memory a chunk costs beside its bytes.
const CHUNK_OVERHEAD: usize = 64;
/// What a window may hold where the common budget is used up.
const UNPAID_MAX: usize = 256 * 1024;
/// A reader that is further behind than this gets several chunks as one piece,
const CATCH_UP_AFTER: u64 = 256 * 1024;
/// of at most this size.
const CATCH_UP_MAX: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Window {
    chunks: VecDeque<(u64, Bytes)>,
    /// The first byte in memory.
    start: u64,
    end: u64,
    held: usize,
    max: usize,
    charge: Charge,
    open: bool,
    readers: HashMap<u64, u64>,
    next_reader: u64,
    spool: Option<Arc<Spool>>,
    /// Bytes before this are neither in memory nor in the spool.
    lost_before: u64,
}

/// What a reader finds at its offset.
#[derive(Debug)]
pub(crate) enum Piece {
    Memory(Bytes),
    Spooled(Arc<Spool>, Range<u64>),
    /// It has read everything there is.
    CaughtUp,
    /// It fell too far behind.
    Lost,
}

impl Window {
    pub(crate) fn new(max: usize, charge: Charge) -> Self {
        Self {
            chunks: VecDeque::new(),
            start: 0,
            end: 0,
            held: 0,
            max,
            charge,
            open: true,
            readers: HashMap::new(),
            next_reader: 0,
            spool: None,
            lost_before: 0,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// A new reader at the first byte, if that is still here.
    pub(crate) fn join(&mut self) -> Option<u64> {
        // The originator joins at once, also where nothing more may be kept for others.
        if !self.open && self.end > 0 {
            return None;
        }
        let id = self.next_reader;
        self.next_reader += 1;
        self.readers.insert(id, 0);
        Some(id)
    }

    pub(crate) fn leave(&mut self, reader: u64) {
        self.readers.remove(&reader);
        self.trim();
    }

    /// Takes no more readers, and forgets what none of the present ones needs.
    pub(crate) fn close(&mut self) {
        self.open = false;
        self.trim();
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        let cost = chunk.len() + CHUNK_OVERHEAD;
        self.held += cost;
        let at = self.end;
        self.end += chunk.len() as u64;
        self.chunks.push_back((at, chunk));
        if !self.charge.grow(cost) {
            self.max = self.max.min(UNPAID_MAX);
            self.close();
        } else if self.held > self.max {
            self.close();
        }
    }

    /// The oldest chunks, when more is held than may be: to be written to a spool of `ring` bytes, then
    /// [`spooled`](Self::spooled). What they are going to overwrite there is lost from now on.
    pub(crate) fn excess(&mut self, ring: u64) -> Option<Vec<(u64, Bytes)>> {
        if self.open || self.held <= self.max {
            return None;
        }
        let mut left = self.held;
        let surplus = self.chunks.iter().take_while(|(_, chunk)| {
            let take = left > self.max / 2;
            left -= (chunk.len() + CHUNK_OVERHEAD).min(left);
            take
        });
        let surplus: Vec<_> = surplus.cloned().collect();
        let (at, last) = surplus.last()?;
        let end = at + last.len() as u64;
        self.lost_before = self.lost_before.max(end.saturating_sub(ring));
        Some(surplus)
    }

    /// The chunks up to `end` are in `spool` now, or lost if there is none.
    pub(crate) fn spooled(&mut self, end: u64, spool: Option<Arc<Spool>>) {
        if spool.is_none() {
            self.lost_before = end;
        }
        self.spool = spool;
        self.drop_before(end);
    }

    pub(crate) fn spool(&self) -> Option<&Arc<Spool>> {
        self.spool.as_ref()
    }

    /// What comes next for `reader`, and moves it past a piece in memory.
    pub(crate) fn next(&mut self, reader: u64) -> Piece {
        let Some(&offset) = self.readers.get(&reader) else {
            return Piece::Lost;
        };
        if offset == self.end {
            return Piece::CaughtUp;
        }
        if offset < self.start {
            return match &self.spool {
                Some(spool) if offset >= self.lost_before => {
                    Piece::Spooled(Arc::clone(spool), offset..self.start)
                }
                _ => Piece::Lost,
            };
        }
        let piece = self.gather(offset);
        self.advance(reader, piece.len());
        Piece::Memory(piece)
    }

    /// The bytes from `offset` on: one chunk without a copy, or many as one for a reader that has to catch up. Pingora
    /// takes one piece per turn of its loop, and the origin several.
    fn gather(&self, offset: u64) -> Bytes {
        let index = self.chunks.partition_point(|(at, _)| *at <= offset) - 1;
        let (at, chunk) = &self.chunks[index];
        let skip = usize::try_from(offset - at).unwrap_or(usize::MAX);
        let first = chunk.slice(skip..);
        if self.end - offset <= CATCH_UP_AFTER || first.len() as u64 > CATCH_UP_AFTER {
            return first;
        }
        let mut piece = BytesMut::with_capacity(CATCH_UP_MAX);
        piece.extend_from_slice(&first);
        for (_, chunk) in self.chunks.range(index + 1..) {
            if piece.len() + chunk.len() > CATCH_UP_MAX {
                break;
            }
            piece.extend_from_slice(chunk);
        }
        piece.freeze()
    }

    /// Moves `reader` past `bytes` that it has read from the spool, unless they were overwritten meanwhile.
    pub(crate) fn confirm(&mut self, reader: u64, bytes: usize) -> bool {
        let offset = self.readers.get(&reader);
        let is_there = offset.is_some_and(|offset| *offset >= self.lost_before);
        if is_there {
            self.advance(reader, bytes);
        }
        is_there
    }

    /// How far the slowest reader is behind, in bytes.
    pub(crate) fn lag(&self) -> u64 {
        self.end - self.readers.values().copied().min().unwrap_or(self.end)
    }

    fn advance(&mut self, reader: u64, bytes: usize) {
        if let Some(offset) = self.readers.get_mut(&reader) {
            *offset += bytes as u64;
        }
        if !self.open {
            self.trim();
        }
    }

    fn trim(&mut self) {
        if self.open {
            return;
        }
        let slowest = self.readers.values().copied().min().unwrap_or(self.end);
        self.drop_before(slowest);
        if slowest >= self.start {
            self.spool = None;
        }
    }

    fn drop_before(&mut self, offset: u64) {
        while let Some((at, chunk)) = self.chunks.front()
            && at + chunk.len() as u64 <= offset
        {
            let cost = chunk.len() + CHUNK_OVERHEAD;
            self.held -= cost;
            self.charge.shrink(cost);
            self.chunks.pop_front();
        }
        self.start = self.chunks.front().map_or(self.end, |(at, _)| *at);
    }
}

#[cfg(test)]
mod tests;
