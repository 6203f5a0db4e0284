//! Keys, bodies and metadata to test with. All are functions of their arguments: a failure repeats.

use std::sync::Arc;

use bytes::Bytes;
use terrace_core::{
    BlobName, BlockChecksums, Commit, Committed, Entry, Fence, Generation, Key, KeyDigest, Meta,
    Random, Record, Replaces, Result, Tier, Timestamp, Version,
};

use crate::ports::SeededRandom;

/// A moment that has passed by any clock that was ever set.
pub const LONG_AGO: Timestamp = Timestamp::from_millis(1);
/// A moment that is yet to come: the year 2100.
pub const FAR_AHEAD: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// `len` bytes that look random. Bodies of different seeds differ in every block.
pub fn body(len: usize, seed: u64) -> Bytes {
    let random = SeededRandom::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

/// The `n`-th primary key.
pub fn key(n: u64) -> Key {
    Key::named(format!("https://example.com/{n}"))
}

/// The `n`-th variant of `key`.
pub fn variant(key: Key, n: u64) -> Key {
    key.variant(KeyDigest::of(&[b"variant", &n.to_le_bytes()]))
}

/// The generation of a seed; different for different seeds.
pub fn generation(seed: u64) -> Generation {
    Generation::from_u64(spread(seed)).unwrap_or_else(|| Generation::random(&SeededRandom::new(1)))
}

/// The version of a seed; different for different seeds.
pub fn version(seed: u64) -> Version {
    Version::from_u64(spread(seed)).unwrap_or_else(|| Version::random(&SeededRandom::new(1)))
}

/// A bijection that sets high bits, too: half of all numbers do not fit a signed column.
fn spread(seed: u64) -> u64 {
    seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A blob's name.
pub fn blob_name(key_number: u64, seed: u64) -> BlobName {
    BlobName {
        key: key(key_number),
        generation: generation(seed),
    }
}

/// A record of `len` bytes that is never dropped.
pub fn record(len: usize, seed: u64) -> Record {
    Record {
        version: version(seed),
        retain_until: Timestamp::MAX,
        manifest: body(len, seed),
    }
}

/// Metadata that is fresh until [`FAR_AHEAD`], with parts and tags of its seed.
pub fn meta(seed: u64) -> Meta {
    let mut meta = Meta::new(Timestamp::from_millis(1_000_000 + seed), FAR_AHEAD);
    meta.stale_until = Timestamp::from_millis(FAR_AHEAD.as_millis() + 1000);
    meta.internal = body(40, seed ^ 0x1111);
    meta.header = body(300, seed ^ 0x2222);
    meta.tags = vec![format!("tag-{seed}").into(), "ünïcödé \u{0} tag".into()].into();
    meta
}

/// An object that can be stored in a tier, and compared with what comes out.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its generation and metadata.
    pub entry: Entry,
    /// Its body.
    pub body: Bytes,
}

impl Object {
    /// The object of `seed`, with a body of `len` bytes.
    pub fn new(len: usize, seed: u64) -> Self {
        Self {
            entry: Entry {
                generation: generation(seed),
                meta: meta(seed),
                len: Some(len as u64),
                replaces: Replaces::Anything,
            },
            body: body(len, seed),
        }
    }

    /// Its generation.
    pub fn generation(&self) -> Generation {
        self.entry.generation
    }

    /// What its commit has to say.
    pub fn commit(&self) -> Commit {
        Commit {
            checksums: Arc::new(BlockChecksums::of(&self.body)),
        }
    }

    /// Stores it under a fence taken now.
    pub async fn store(&self, tier: &dyn Tier, key: &Key) -> Result<Committed> {
        let fence = tier.fence(key).await?;
        self.store_under(tier, key, fence).await
    }

    /// Stores it under `fence`, in pieces of an odd size.
    pub async fn store_under(&self, tier: &dyn Tier, key: &Key, fence: Fence) -> Result<Committed> {
        const PIECE: usize = 48_611;
        let mut fill = tier.admit(key, self.entry.clone(), fence).await?;
        let mut rest = self.body.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(PIECE.min(rest.len()));
            fill.write(piece).await?;
        }
        fill.commit(self.commit()).await
    }
}

/// Stores `body` under `key` in a generation of its own: for tests that only need something to be there.
pub async fn fill(tier: &dyn Tier, key: &Key, body: impl Into<Bytes>) -> Result<Generation> {
    let body = body.into();
    let seed = key.primary().to_u64() ^ u64::from(terrace_core::crc32c(&body));
    let mut object = Object::new(0, seed);
    object.entry.len = Some(body.len() as u64);
    object.body = body;
    let generation = object.generation();
    match object.store(tier, key).await? {
        Committed::Published => Ok(generation),
        Committed::Fenced => Err(terrace_core::Error::new(
            terrace_core::ErrorKind::Contended,
            "sample.fill",
            "a purge or another writer came first: nothing was stored",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn samples_repeat_and_differ() {
        assert_eq!(body(1000, 7), body(1000, 7));
        assert_eq!(body(1000, 7).slice(..100), body(100, 7));
        let different: BTreeSet<_> = (0..1000).map(|seed| body(16, seed)).collect();
        assert_eq!(different.len(), 1000);
        let generations: BTreeSet<_> = (0..10_000).map(generation).collect();
        assert_eq!(generations.len(), 10_000);
        assert_eq!(meta(3), meta(3));
        assert_ne!(meta(3), meta(4));
    }

    #[test]
    fn bodies_differ_in_every_block() {
        let (one, two) = (body(200_000, 1), body(200_000, 2));
        assert!(
            one.chunks(16_384)
                .zip(two.chunks(16_384))
                .all(|(a, b)| a != b)
        );
    }
}
