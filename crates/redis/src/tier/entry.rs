//! How an object lies in its field.
//!
//! ```text
//! generation 8 | expired at 8 | fill 8 | chunks 4 | length of the metadata 4 | metadata | checksums | head of the body
//! ```
//!
//! Numbers are big-endian. Scripts read the first 32 bytes and replace the metadata; they understand nothing else.
//! Metadata and checksums carry a CRC-32C of themselves, the key and the generation: bytes of one key
//! are never taken for another's (P10).

use std::sync::Arc;

use bytes::{Buf, Bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use terrace_core::{
    BlockChecksums, Error, ErrorKind, Generation, Key, Meta, Result, Timestamp, crc32c,
};

use super::chunks::BodyName;

pub(super) const HEAD_BYTES: usize = 32;

/// The part that is not the protocol's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) generation: Generation,
    pub(super) body: BodyName,
    expired_at: Option<Timestamp>,
}

/// An object, as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) generation: Generation,
    pub(super) expired_at: Option<Timestamp>,
    pub(super) meta: Meta,
    pub(super) checksums: Arc<BlockChecksums>,
    pub(super) body: BodyName,
    /// The first bytes of the body.
    pub(super) head: Bytes,
}

impl Head {
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let generation = Generation::from_u64(bytes.try_get_u64().ok()?)?;
        let expired_at = bytes.try_get_u64().ok()?;
        let fill = bytes.try_get_u64().ok()?;
        let chunks = bytes.try_get_u32().ok()?;
        Some(Self {
            generation,
            body: BodyName {
                generation,
                fill,
                chunks,
            },
            expired_at: (expired_at != u64::MAX).then(|| Timestamp::from_millis(expired_at)),
        })
    }
}

impl Stored {
    /// The object under `key`; nothing if these bytes are not one.
    pub(super) fn decode(key: &Key, bytes: &Bytes) -> Option<Self> {
        let Head {
            generation,
            body,
            expired_at,
        } = Head::decode(bytes)?;
        let mut rest = bytes.slice(HEAD_BYTES - 4..);
        let meta = unseal(key, generation, &mut rest)?;
        let checksums: BlockChecksums = unseal(key, generation, &mut rest)?;
        let is_whole = body.chunks > 0 || BlockChecksums::of(&rest) == checksums;
        (checksums.is_consistent() && is_whole).then_some(Self {
            generation,
            expired_at,
            meta,
            checksums: Arc::new(checksums),
            body,
            head: rest,
        })
    }

    /// An object that was not expired.
    pub(super) fn encode(
        key: &Key,
        meta: &Meta,
        checksums: &BlockChecksums,
        body: BodyName,
        head: &[u8],
    ) -> Result<Vec<u8>> {
        let meta = encode_meta(key, body.generation, meta)?;
        let checksums = seal(key, body.generation, checksums)?;
        let len = HEAD_BYTES + meta.len() + checksums.len() + 4 + head.len();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&body.generation.to_u64().to_be_bytes());
        bytes.extend_from_slice(&moment(None));
        bytes.extend_from_slice(&body.fill.to_be_bytes());
        bytes.extend_from_slice(&body.chunks.to_be_bytes());
        for part in [&meta, &checksums] {
            bytes.extend_from_slice(&length(part)?.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(head);
        Ok(bytes)
    }
}

/// The metadata, as it stands in an object.
pub(super) fn encode_meta(key: &Key, generation: Generation, meta: &Meta) -> Result<Vec<u8>> {
    seal(key, generation, meta)
}

/// A moment, as it stands in an object.
pub(super) fn moment(at: Option<Timestamp>) -> [u8; 8] {
    at.map_or(u64::MAX, Timestamp::as_millis).to_be_bytes()
}

fn seal(key: &Key, generation: Generation, value: &impl Serialize) -> Result<Vec<u8>> {
    let encoded = postcard::to_stdvec(value).map_err(|error| {
        Error::new(ErrorKind::Internal, "redis.encode", "it cannot be encoded").with_source(error)
    })?;
    let mut sealed = check(key, generation, &encoded).to_be_bytes().to_vec();
    sealed.extend_from_slice(&encoded);
    Ok(sealed)
}

/// Takes the next sealed part off `bytes`.
fn unseal<T: DeserializeOwned>(key: &Key, generation: Generation, bytes: &mut Bytes) -> Option<T> {
    let len = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    if len > bytes.len() {
        return None;
    }
    let mut part = bytes.split_to(len);
    let expected = part.try_get_u32().ok()?;
    (expected == check(key, generation, &part)).then(|| postcard::from_bytes(&part).ok())?
}

fn check(key: &Key, generation: Generation, encoded: &[u8]) -> u32 {
    let mut owner = [0; 16 + 1 + 16 + 8];
    owner[..16].copy_from_slice(key.primary().as_bytes());
    if let Some(variance) = key.variance() {
        owner[16] = 1;
        owner[17..33].copy_from_slice(variance.as_bytes());
    }
    owner[33..].copy_from_slice(&generation.to_u64().to_be_bytes());
    // A checksum of checksums: nothing has to be copied.
    let parts = [crc32c(&owner), crc32c(encoded)];
    crc32c(parts.map(u32::to_be_bytes).as_flattened())
}

fn length(part: &[u8]) -> Result<u32> {
    u32::try_from(part.len()).map_err(|_| {
        Error::new(
            ErrorKind::Exhausted,
            "redis.encode",
            "metadata over 4 GiB cannot be stored",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &Key, chunks: u32, head: &[u8]) -> Bytes {
        let meta = Meta::new(Timestamp::from_millis(1), Timestamp::from_millis(2));
        let body = BodyName {
            generation: Generation::from_u64(7).unwrap(),
            fill: 9,
            chunks,
        };
        let checksums = BlockChecksums::of(head);
        Stored::encode(key, &meta, &checksums, body, head)
            .unwrap()
            .into()
    }

    #[test]
    fn an_object_comes_back() {
        let key = Key::named("a");
        let found = Stored::decode(&key, &stored(&key, 0, b"body")).unwrap();
        assert_eq!(found.generation.to_u64(), 7);
        assert_eq!(found.meta.fresh_until, Timestamp::from_millis(2));
        assert_eq!(found.head, "body");
        assert_eq!(found.expired_at, None);
    }

    #[test]
    fn p10_it_does_not_come_back_under_another_key() {
        let bytes = stored(&Key::named("a"), 0, b"body");
        assert!(Stored::decode(&Key::named("b"), &bytes).is_none());
    }

    #[test]
    fn p2_no_flipped_bit_and_no_cut_goes_unnoticed() {
        let key = Key::named("a");
        let bytes = stored(&key, 0, b"body");
        // Of the first 16 bytes the checksums cover the generation; the moment of expiry is anybody's to move.
        for at in (0..8).chain(28..bytes.len()) {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1;
            assert!(
                Stored::decode(&key, &flipped.into()).is_none(),
                "byte {at} of {}",
                bytes.len()
            );
        }
        for len in 0..bytes.len() {
            assert!(Stored::decode(&key, &bytes.slice(..len)).is_none(), "{len}");
        }
    }
}
