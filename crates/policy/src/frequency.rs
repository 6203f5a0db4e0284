use std::sync::atomic::{AtomicU64, Ordering};

use terrace_core::KeyDigest;

/// Words of a block: one cache line.
const WORDS: usize = 8;
/// A key has one counter in each of these rows of its block.
const ROWS: usize = 4;
/// Counters of a row: two words of eight.
const ROW_COUNTERS: usize = WORDS * 8 / ROWS;
/// Requests per block and sweep: with eight, the four rows of a block are half full when it is aged.
const REQUESTS_PER_BLOCK: usize = 8;
/// 128 MiB of counters, for a window of 16 million requests.
const MAX_BLOCKS: usize = 1 << 21;

/// Counts how often keys were asked for lately, in constant memory and without locks.
///
/// A count-min sketch (Cormode and Muthukrishnan, *An improved data stream summary*, Journal of
/// Algorithms 55, 2005) of saturating 8-bit counters that age by halving, as in Einziger, Friedman and
/// Manes, *`TinyLFU`: A Highly Efficient Cache Admission Policy* (ACM Transactions on Storage 13, 2017). All
/// counters of a key share a cache line. Ageing is spread out: one line is halved every eight requests, so
/// that no request pays for all.
///
/// What it answers is an estimate: too high where keys collide, too low for what was aged. A wrong
/// answer costs a write or a promotion, or saves one. Crafting collisions gains an attacker no more than
/// asking twice does, so that the counters need no secret.
#[derive(Debug)]
pub struct Frequency {
    blocks: Box<[Block]>,
    requests: AtomicU64,
}

/// Sixty-four counters, eight to a word.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Block([AtomicU64; WORDS]);

impl Frequency {
    /// The highest count; counters stay there until they are aged.
    pub const MAX_COUNT: u32 = u8::MAX as u32;

    /// A counter that remembers about the last `window` requests, for eight bytes each: the window is
    /// rounded up to a power of two, from 8 to 16,777,216.
    ///
    /// Every `window` requests each count is halved once, and so is forgotten what was asked for once.
    pub fn new(window: usize) -> Self {
        let blocks = window
            .div_ceil(REQUESTS_PER_BLOCK)
            .clamp(1, MAX_BLOCKS)
            .next_power_of_two();
        Self {
            blocks: (0..blocks).map(|_| Block::default()).collect(),
            requests: AtomicU64::new(0),
        }
    }

    /// Notes a request, and tells how many there were lately, this one included: 1 to
    /// [`MAX_COUNT`](Self::MAX_COUNT).
    pub fn record(&self, key: KeyDigest) -> u32 {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        if request.is_multiple_of(REQUESTS_PER_BLOCK as u64) {
            self.blocks[self.wrap(request / REQUESTS_PER_BLOCK as u64)].halve();
        }
        let block = &self.blocks[self.wrap(key.to_u64())];
        counters(key)
            .map(|counter| block.increment(counter))
            .into_iter()
            .fold(Self::MAX_COUNT, u32::min)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits are wanted, there are no more blocks than fit them"
    )]
    fn wrap(&self, number: u64) -> usize {
        number as usize & (self.blocks.len() - 1)
    }
}

/// The key's counter in each row: four bits of the digest each, of bytes that did not choose the block.
fn counters(key: KeyDigest) -> [usize; ROWS] {
    let bytes = key.as_bytes();
    let nibbles = [bytes[8] & 15, bytes[8] >> 4, bytes[9] & 15, bytes[9] >> 4];
    let mut row = 0;
    nibbles.map(|nibble| {
        let counter = row + usize::from(nibble);
        row += ROW_COUNTERS;
        counter
    })
}

// Relaxed throughout: counters are independent of each other and of everything else.
impl Block {
    /// The counter's new value.
    fn increment(&self, counter: usize) -> u32 {
        let shift = counter % 8 * 8;
        let count = |word: u64| (word >> shift & 0xff) as u32;
        let step = |word| (count(word) < Frequency::MAX_COUNT).then(|| word + (1 << shift));
        match self.0[counter / 8].fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(before) => count(before) + 1,
            Err(saturated) => count(saturated),
        }
    }

    fn halve(&self) {
        const ALL_BUT_TOP_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let half = |word: u64| Some(word >> 1 & ALL_BUT_TOP_BITS);
        for word in &self.0 {
            // The closure is never `None`, so this cannot fail.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, half);
        }
    }
}

#[cfg(test)]
mod tests;
