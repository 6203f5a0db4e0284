//! `TRMF` · format version (u16) · payload length (u32) · payload (postcard) · CRC-32C of all before (u32).
//! Integers little-endian. Golden files of every format version live in `tests/golden`.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Location, Manifest};
use crate::checksum::crc32c;
use crate::key::Key;

const MAGIC: [u8; 4] = *b"TRMF";
const FORMAT: u16 = 1;
const HEADER: usize = MAGIC.len() + 2 + 4;
const TRAILER: usize = 4;

/// The largest encoded manifest, in bytes: an inline body, a response header and the checksums.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;
/// The most tags of one object.
pub const MAX_TAGS: usize = 128;
const MAX_TAG_BYTES: usize = 256;

/// Why bytes are not a manifest of the key they were found under, or a manifest cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The bytes are too few, or do not begin like a manifest.
    #[error("not a manifest")]
    NotAManifest,
    /// A newer Terrace wrote it. Upgrade before you go on, or let it be a miss.
    #[error("manifest format {0} is newer than this version reads (1)")]
    Format(u16),
    /// The checksum does not match: the record was damaged.
    #[error("damaged manifest: its CRC-32C does not match")]
    Checksum,
    /// The payload contradicts itself.
    #[error("malformed manifest: {0}")]
    Malformed(&'static str),
    /// It belongs to another key (promise P10).
    #[error("the manifest belongs to another key")]
    ForeignKey,
    /// It exceeds a bound.
    #[error("manifest too large: {0}")]
    TooLarge(&'static str),
}

impl Manifest {
    /// The manifest as bytes.
    ///
    /// Errors with `TooLarge` if it exceeds [`MAX_MANIFEST_BYTES`] or [`MAX_TAGS`], with `Malformed` if its facts
    /// contradict each other.
    pub fn encode(&self) -> Result<Bytes, ManifestError> {
        self.check()?;
        let payload =
            postcard::to_stdvec(self).map_err(|_| ManifestError::Malformed("not encodable"))?;
        if HEADER + payload.len() + TRAILER > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge("over 1 MiB"));
        }
        let mut bytes = BytesMut::with_capacity(HEADER + payload.len() + TRAILER);
        bytes.put_slice(&MAGIC);
        bytes.put_u16_le(FORMAT);
        bytes.put_u32_le(
            u32::try_from(payload.len()).map_err(|_| ManifestError::TooLarge("payload"))?,
        );
        bytes.put_slice(&payload);
        let crc = crc32c(&bytes);
        bytes.put_u32_le(crc);
        Ok(bytes.freeze())
    }

    /// Reads the manifest of `key`. Never panics, and allocates no more than `bytes` is long.
    ///
    /// Every error means a miss to a cache; which one says whether to alarm somebody.
    pub fn decode(key: &Key, bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Self::decode_any(bytes)?;
        if manifest.key == *key {
            Ok(manifest)
        } else {
            Err(ManifestError::ForeignKey)
        }
    }

    /// Reads a manifest of whatever key it names, for tools. Prefer [`decode`](Self::decode).
    pub fn decode_any(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge("over 1 MiB"));
        }
        let rest = bytes
            .strip_prefix(&MAGIC)
            .ok_or(ManifestError::NotAManifest)?;
        let (covered, crc) = bytes
            .split_last_chunk()
            .ok_or(ManifestError::NotAManifest)?;
        let (format, rest) = rest
            .split_first_chunk()
            .ok_or(ManifestError::NotAManifest)?;
        let (len, rest) = rest
            .split_first_chunk()
            .ok_or(ManifestError::NotAManifest)?;
        let payload = rest
            .split_last_chunk::<TRAILER>()
            .ok_or(ManifestError::NotAManifest)?
            .0;
        // Before the format number: a bit flipped there must not pass for a newer version's record,
        // which nobody may replace. Every format ends with this checksum.
        if crc32c(covered) != u32::from_le_bytes(*crc) {
            return Err(ManifestError::Checksum);
        }
        let format = u16::from_le_bytes(*format);
        if format != FORMAT {
            return Err(ManifestError::Format(format));
        }
        if u32::from_le_bytes(*len) as usize != payload.len() {
            return Err(ManifestError::Malformed("length"));
        }
        let (manifest, rest): (Self, _) =
            postcard::take_from_bytes(payload).map_err(|_| ManifestError::Malformed("payload"))?;
        if !rest.is_empty() {
            return Err(ManifestError::Malformed("trailing bytes"));
        }
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.group.is_some() != self.key.variance().is_none() {
            return Err(ManifestError::Malformed(
                "a primary slot has a group, a variant has none",
            ));
        }
        let Some(object) = &self.object else {
            return Ok(());
        };
        if !object.checksums.is_consistent() {
            return Err(ManifestError::Malformed("checksums"));
        }
        if let Location::Inline(body) = &object.location
            && body.len() as u64 != object.checksums.len()
        {
            return Err(ManifestError::Malformed("inline body's length"));
        }
        let tags = &object.meta.tags;
        if tags.len() > MAX_TAGS || tags.iter().any(|tag| tag.len() > MAX_TAG_BYTES) {
            return Err(ManifestError::TooLarge("tags: at most 128 of 256 bytes"));
        }
        Ok(())
    }
}
