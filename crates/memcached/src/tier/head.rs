//! How a group lies in its head item.
//!
//! ```text
//! format 1 | length of what is checked 4 | epoch 8 | era 4 | fence 16 | objects | CRC-32C 4 | prefixes
//! object: variant 1 or 17 | generation 8 | expired at 8 | stale until 8 | fill 8 | chunks 4 | prefix apart 4
//!         | metadata and checksums, each with its length 4 | length of the prefix 4
//! ```
//!
//! Numbers are big-endian. The checksum covers the group's digest as well: bytes of one group are never taken for
//! another's (P10). It does not cover the prefixes, which are verified as bodies are: once is enough.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use terrace_core::{
    BlockChecksums, Error, ErrorKind, Generation, KeyDigest, Meta, Result, Timestamp, crc32c,
};

use super::chunks::{BodyName, MAX_CHUNKS};
use crate::protocol::MAX_VALUE_BYTES;

const FORMAT: u8 = 1;
const FIXED_BYTES: usize = 1 + 4 + 8 + 4 + 16 + 4;
/// Up to this, prefixes of bodies are in the head: whoever asks for one variant gets those of the others, too.
const ROOMY_BYTES: usize = 64 * 1024;

/// What a fence stands for: no two states of a group between which something was purged have the same.
pub(super) type Token = [u8; 16];

/// All variants of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) epoch: u64,
    pub(super) era: u32,
    pub(super) fence: Token,
    /// The last committed is the last.
    pub(super) objects: Vec<Stored>,
}

/// An object, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) variance: Option<KeyDigest>,
    pub(super) expired_at: Option<Timestamp>,
    pub(super) stale_until: Timestamp,
    pub(super) body: BodyName,
    meta: Bytes,
    checksums: Bytes,
    /// The first bytes of the body, unless they are apart.
    pub(super) prefix: Bytes,
}

impl Head {
    pub(super) fn new(epoch: u64, era: u32, fence: Token) -> Self {
        Self {
            epoch,
            era,
            fence,
            objects: Vec::new(),
        }
    }

    pub(super) fn find(&self, variance: Option<KeyDigest>) -> Option<&Stored> {
        self.objects.iter().find(|it| it.variance == variance)
    }

    /// Takes out the objects that are meant.
    pub(super) fn take(&mut self, is_meant: impl Fn(&Stored) -> bool) -> Vec<Stored> {
        self.objects.extract_if(.., |it| is_meant(it)).collect()
    }

    /// Whether `object` and its prefix can take the place of its variant's last without making lookups of other variants
    /// slow.
    pub(super) fn has_room_for(&self, object: &Stored) -> bool {
        let others = self.objects.iter();
        let others = others.filter(|it| it.variance != object.variance);
        let others: usize = others.map(Stored::bytes).sum();
        others == 0 || FIXED_BYTES + others + object.bytes() <= ROOMY_BYTES
    }

    /// Adds `object`, and answers what had to go for it: the oldest. Errors with `Exhausted` if it cannot fit.
    pub(super) fn add(&mut self, object: Stored) -> Result<Vec<Stored>> {
        let room = MAX_VALUE_BYTES.checked_sub(FIXED_BYTES + object.bytes());
        let room = room.ok_or_else(|| {
            let message = format!(
                "metadata of {} bytes; {MAX_VALUE_BYTES} fit",
                object.meta.len()
            );
            Error::new(ErrorKind::Exhausted, "memcached.commit", message)
        })?;
        let mut left: usize = self.objects.iter().map(Stored::bytes).sum();
        let mut gone = Vec::new();
        while left > room {
            let oldest = self.objects.remove(0);
            left -= oldest.bytes();
            gone.push(oldest);
        }
        self.objects.push(object);
        Ok(gone)
    }

    fn bytes(&self) -> usize {
        FIXED_BYTES + self.objects.iter().map(Stored::bytes).sum::<usize>()
    }

    pub(super) fn encode(&self, group: KeyDigest) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.bytes());
        let prefixes: usize = self.objects.iter().map(|it| it.prefix.len()).sum();
        let start = 1 + 4;
        bytes.put_u8(FORMAT);
        bytes.put_u32(length(self.bytes() - prefixes - start - 4));
        bytes.put_u64(self.epoch);
        bytes.put_u32(self.era);
        bytes.put_slice(&self.fence);
        for object in &self.objects {
            object.encode(&mut bytes);
        }
        bytes.put_u32(check(group, &bytes[start..]));
        for object in &self.objects {
            bytes.put_slice(&object.prefix);
        }
        bytes.freeze()
    }

    /// Nothing if these bytes are not the head of `group`.
    pub(super) fn decode(group: KeyDigest, mut rest: Bytes) -> Option<Self> {
        if rest.try_get_u8().ok()? != FORMAT {
            return None;
        }
        let mut bytes = part(&mut rest)?;
        if rest.try_get_u32().ok()? != check(group, &bytes) {
            return None;
        }
        let (epoch, era) = (bytes.try_get_u64().ok()?, bytes.try_get_u32().ok()?);
        let mut fence = Token::default();
        bytes.try_copy_to_slice(&mut fence).ok()?;
        let mut head = Self::new(epoch, era, fence);
        while bytes.has_remaining() {
            head.objects.push(Stored::decode(&mut bytes, &mut rest)?);
        }
        rest.is_empty().then_some(head)
    }
}

impl Stored {
    /// An object that was not expired.
    pub(super) fn new(
        variance: Option<KeyDigest>,
        meta: &Meta,
        checksums: &BlockChecksums,
        body: BodyName,
        prefix: Bytes,
    ) -> Result<Self> {
        Ok(Self {
            variance,
            expired_at: None,
            stale_until: meta.stale_until,
            body,
            meta: to_bytes(meta)?,
            checksums: to_bytes(checksums)?,
            prefix,
        })
    }

    pub(super) fn generation(&self) -> Generation {
        self.body.generation
    }

    /// Other metadata, which the origin has just confirmed.
    pub(super) fn confirm(&mut self, meta: &Meta) -> Result<()> {
        self.meta = to_bytes(meta)?;
        self.stale_until = meta.stale_until;
        self.expired_at = None;
        Ok(())
    }

    pub(super) fn meta(&self) -> Option<Meta> {
        postcard::from_bytes(&self.meta).ok()
    }

    /// Nothing if they do not fit what there is of the body.
    pub(super) fn checksums(&self) -> Option<Arc<BlockChecksums>> {
        let checksums: BlockChecksums = postcard::from_bytes(&self.checksums).ok()?;
        let is_whole = !self.body.is_inline() || BlockChecksums::of(&self.prefix) == checksums;
        (checksums.is_consistent() && is_whole).then(|| Arc::new(checksums))
    }

    fn bytes(&self) -> usize {
        let variance = 1 + self.variance.map_or(0, |_| 16);
        variance
            + 8 * 4
            + 4 * 2
            + 4 * 3
            + self.meta.len()
            + self.checksums.len()
            + self.prefix.len()
    }

    fn encode(&self, bytes: &mut BytesMut) {
        bytes.put_u8(self.variance.is_some().into());
        if let Some(variance) = &self.variance {
            bytes.put_slice(variance.as_bytes());
        }
        bytes.put_u64(self.body.generation.to_u64());
        bytes.put_u64(self.expired_at.map_or(u64::MAX, Timestamp::as_millis));
        bytes.put_u64(self.stale_until.as_millis());
        bytes.put_u64(self.body.fill);
        bytes.put_u32(self.body.chunks);
        bytes.put_u32(self.body.prefix_apart);
        for part in [&self.meta, &self.checksums] {
            bytes.put_u32(length(part.len()));
            bytes.put_slice(part);
        }
        bytes.put_u32(length(self.prefix.len()));
    }

    fn decode(bytes: &mut Bytes, prefixes: &mut Bytes) -> Option<Self> {
        let variance = match bytes.try_get_u8().ok()? {
            0 => None,
            1 => {
                let mut digest = [0; 16];
                bytes.try_copy_to_slice(&mut digest).ok()?;
                Some(KeyDigest::new(digest))
            }
            _ => return None,
        };
        let generation = Generation::from_u64(bytes.try_get_u64().ok()?)?;
        let expired_at = bytes.try_get_u64().ok()?;
        let stale_until = Timestamp::from_millis(bytes.try_get_u64().ok()?);
        let body = BodyName {
            generation,
            fill: bytes.try_get_u64().ok()?,
            chunks: bytes.try_get_u32().ok()?,
            prefix_apart: bytes.try_get_u32().ok()?,
        };
        if body.chunks > MAX_CHUNKS {
            return None;
        }
        Some(Self {
            variance,
            expired_at: (expired_at != u64::MAX).then(|| Timestamp::from_millis(expired_at)),
            stale_until,
            body,
            meta: part(bytes)?,
            checksums: part(bytes)?,
            prefix: {
                let len = bytes.try_get_u32().ok()?;
                take(prefixes, len)?
            },
        })
    }
}

/// `Head::add` has seen that it fits.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn part(bytes: &mut Bytes) -> Option<Bytes> {
    let len = bytes.try_get_u32().ok()?;
    take(bytes, len)
}

fn take(bytes: &mut Bytes, len: u32) -> Option<Bytes> {
    let len = usize::try_from(len).ok()?;
    (len <= bytes.len()).then(|| bytes.split_to(len))
}

fn check(group: KeyDigest, bytes: &[u8]) -> u32 {
    // A checksum of checksums: nothing has to be copied.
    let parts = [crc32c(group.as_bytes()), crc32c(bytes)];
    crc32c(parts.map(u32::to_be_bytes).as_flattened())
}

fn to_bytes(value: &impl Serialize) -> Result<Bytes> {
    let encoded = postcard::to_stdvec(value).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "memcached.encode",
            "it cannot be encoded",
        )
        .with_source(error)
    })?;
    Ok(encoded.into())
}

#[cfg(test)]
#[path = "head/tests.rs"]
mod tests;
