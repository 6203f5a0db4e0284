use std::ops::Range;

use bytes::Bytes;

/// Bytes after which a body begins anew: a prime, so that no block, page or buffer falls on the same bytes twice.
const TILE: u64 = 1_048_573;
/// The largest piece a body is handed out in.
const PIECE: u64 = 64 * 1024;

/// A body that is told from every other one at every offset: pseudo-random bytes by a seed, of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    tile: Bytes,
    range: Range<u64>,
}

impl Content {
    pub(crate) fn new(seed: u64, len: u64) -> Self {
        let words = (0..TILE.min(len).div_ceil(8)).map(|index| splitmix(seed ^ (index << 20)));
        let mut tile: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        tile.truncate(usize::try_from(TILE.min(len)).expect("a tile fits into memory"));
        Self {
            tile: tile.into(),
            range: 0..len,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The bytes of `range`, end exclusive.
    pub(crate) fn slice(&self, range: Range<u64>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len());
        let first = self.range.start;
        Self {
            tile: self.tile.clone(),
            range: first + range.start..first + range.end,
        }
    }

    /// The body in pieces, none of them copied.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Bytes> + use<> {
        let (tile, mut left) = (self.tile.clone(), self.range.clone());
        std::iter::from_fn(move || {
            let piece = run(&tile, &left, PIECE);
            left.start += piece.len() as u64;
            (!piece.is_empty()).then_some(piece)
        })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces().flatten().collect()
    }

    /// Compares a body with this one while it comes.
    pub(crate) fn checker(&self) -> Checker {
        Checker {
            tile: self.tile.clone(),
            left: self.range.clone(),
            first: self.range.start,
        }
    }
}

/// What is still to come of a body.
pub(crate) struct Checker {
    tile: Bytes,
    left: Range<u64>,
    first: u64,
}

impl Checker {
    /// The next bytes. Says where they are wrong, if they are.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let expected = run(&self.tile, &self.left, bytes.len() as u64);
            let at = self.position();
            if expected.is_empty() {
                return Err(format!("{} bytes too many after byte {at}", bytes.len()));
            }
            let (now, later) = bytes.split_at(expected.len());
            if now != expected {
                let off = now.iter().zip(&expected).position(|(is, want)| is != want);
                let off = off.expect("two that differ, of one length") as u64;
                return Err(format!("wrong from byte {} on", at + off));
            }
            self.left.start += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    pub(crate) fn position(&self) -> u64 {
        self.left.start - self.first
    }

    /// The body has ended.
    pub(crate) fn end(&self) -> Result<(), String> {
        if self.left.is_empty() {
            return Ok(());
        }
        let missing = self.left.end - self.left.start;
        Err(format!(
            "ended at byte {}, {missing} early",
            self.position()
        ))
    }
}

/// The longest run of bytes from the start of `range` that lies within one tile, of `max` bytes at most.
fn run(tile: &Bytes, range: &Range<u64>, max: u64) -> Bytes {
    let offset = range.start % TILE;
    let len = (range.end - range.start).min(max).min(TILE - offset);
    let index = |it| usize::try_from(it).expect("a tile fits into memory");
    tile.slice(index(offset)..index(offset + len))
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators.
pub(crate) fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_checker_tells_a_wrong_byte_a_short_body_and_a_long_one() {
    let content = Content::new(7, TILE + 100);
    let bytes = content.bytes();
    let check = |bytes: &[u8]| {
        let mut checker = content.checker();
        checker.push(bytes).and_then(|()| checker.end())
    };
    assert_eq!(check(&bytes), Ok(()));
    assert!(check(&bytes[1..]).is_err());
    assert!(check(&bytes[..bytes.len() - 1]).is_err());
    assert!(check(&[&bytes[..], b"x"].concat()).is_err());
    let mut flipped = bytes.clone();
    flipped[1_048_600] ^= 1;
    assert_eq!(
        check(&flipped),
        Err("wrong from byte 1048600 on".to_owned())
    );
    assert_eq!(content.slice(5..20).bytes(), bytes[5..20]);
    assert_ne!(Content::new(8, 100).bytes(), Content::new(7, 100).bytes());
}
