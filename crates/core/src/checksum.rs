use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

pub use verify::Verifier;

mod verify;

/// The most blocks a body is divided into.
pub const MAX_BLOCKS: usize = 1024;
/// The smallest block, in bytes. Bodies above `MAX_BLOCKS` of these have larger ones.
pub const MIN_BLOCK_SIZE: u64 = 16 * 1024;

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// A body's length and one CRC-32C per block, so that a range can be verified without reading the
/// rest (promise P2).
///
/// Blocks have one size, a power of two; the last may be shorter. At most [`MAX_BLOCKS`]: the record
/// stays under 5 KiB for a body of any size, and the smallest verifiable read grows instead, to
/// `len / 512` at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockChecksums {
    len: u64,
    block_size: u64,
    blocks: Vec<u32>,
}

impl BlockChecksums {
    /// The checksums of a body that is in memory as a whole.
    pub fn of(body: &[u8]) -> Self {
        let mut builder = ChecksumBuilder::new();
        builder.update(body);
        builder.finish()
    }

    /// The body's length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes per block.
    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// The CRC-32C of the whole body.
    pub fn digest(&self) -> u32 {
        self.blocks.iter().zip(0..).fold(0, |whole, (&crc, index)| {
            combine(whole, crc, self.span(index))
        })
    }

    /// The smallest run of whole blocks that covers `range`: what must be read to verify it.
    pub fn covering(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start - range.start % self.block_size;
        let end = range
            .end
            .div_ceil(self.block_size)
            .saturating_mul(self.block_size);
        start..end.min(self.len)
    }

    /// Verifies bytes that are read from `start`, which must be a block's first byte
    /// (see [`covering`](Self::covering)).
    pub fn verifier(self: &Arc<Self>, start: u64) -> Verifier {
        Verifier::new(Arc::clone(self), start)
    }

    /// Whether the numbers fit together; false for what no builder made. Run on everything that
    /// was read from outside.
    pub fn is_consistent(&self) -> bool {
        self.block_size.is_power_of_two()
            && self.block_size >= MIN_BLOCK_SIZE
            && self.blocks.len() <= MAX_BLOCKS
            && self.blocks.len() as u64 == self.len.div_ceil(self.block_size)
    }

    fn block(&self, index: u64) -> Option<u32> {
        self.blocks.get(usize::try_from(index).ok()?).copied()
    }

    /// The length of block `index`.
    fn span(&self, index: u64) -> u64 {
        self.block_size
            .min(self.len.saturating_sub(index * self.block_size))
    }
}

/// Computes [`BlockChecksums`] of a body whose length is not known beforehand, in constant memory.
#[derive(Debug, Clone)]
pub struct ChecksumBuilder {
    len: u64,
    block_size: u64,
    blocks: Vec<u32>,
    /// CRC of the block being filled.
    current: u32,
}

impl Default for ChecksumBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChecksumBuilder {
    /// A builder that has seen nothing.
    pub fn new() -> Self {
        Self {
            len: 0,
            block_size: MIN_BLOCK_SIZE,
            blocks: Vec::new(),
            current: 0,
        }
    }

    /// Appends `bytes`.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = self.len % self.block_size;
            let room = usize::try_from(self.block_size - filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current = crc32c::crc32c_append(self.current, now);
            self.len += now.len() as u64;
            if self.len.is_multiple_of(self.block_size) {
                self.close_block();
            }
            bytes = later;
        }
    }

    /// Bytes seen so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was seen so far.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The checksums of everything seen.
    pub fn finish(mut self) -> BlockChecksums {
        if !self.len.is_multiple_of(self.block_size) {
            if self.blocks.len() == MAX_BLOCKS {
                self.double();
            }
            self.blocks.push(self.current);
        }
        BlockChecksums {
            len: self.len,
            block_size: self.block_size,
            blocks: self.blocks,
        }
    }

    fn close_block(&mut self) {
        if self.blocks.len() == MAX_BLOCKS {
            self.double();
            // The block just closed is only the first half of a doubled one: keep it open.
            return;
        }
        self.blocks.push(self.current);
        self.current = 0;
    }

    /// Combines neighbours. `MAX_BLOCKS` is even and all of them are full, so none is left over.
    fn double(&mut self) {
        let half = self.block_size;
        self.blocks = self
            .blocks
            .chunks_exact(2)
            .map(|pair| combine(pair[0], pair[1], half))
            .collect();
        self.block_size *= 2;
    }
}

/// The CRC of two neighbours, the second of `len` bytes.
fn combine(first: u32, second: u32, len: u64) -> u32 {
    crc32c::crc32c_combine(first, second, usize::try_from(len).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
