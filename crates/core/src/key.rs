use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hex;

/// 128 bits that stand for something longer: a URL, a set of `Vary` values.
///
/// Storage names are built from digests only, so that no byte a client sends ever reaches a path, a
/// query or a command (promise P10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyDigest([u8; 16]);

impl KeyDigest {
    /// Takes 16 bytes that already are a digest, for example Pingora's `CacheKey::primary_bin`.
    pub const fn new(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// Digests `parts`, each framed by its length, so that `["ab", "c"]` and `["a", "bc"]` differ.
    ///
    /// The first 128 bits of BLAKE3; stable across versions and machines.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(digest)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Eight of the bytes as a number: uniformly distributed, good for choosing a slot or a shard.
    pub const fn to_u64(self) -> u64 {
        let b = self.0;
        u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyDigest {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        hex::parse(text).map(Self).ok_or(InvalidKey)
    }
}

/// The identity of a cached object: a *primary* digest (the URL, the tenant, …) and, for a response
/// that `Vary`s, the digest of the selecting request headers.
///
/// All keys with one primary form a *group*; [`Target::AllVariants`](crate::Target::AllVariants)
/// purges a group as one.
///
/// Its text form is `<32 hex digits>` or `<32 hex digits>-<32 hex digits>`, and parses back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    primary: KeyDigest,
    variance: Option<KeyDigest>,
}

impl Key {
    /// The key of the primary slot.
    pub const fn new(primary: KeyDigest) -> Self {
        Self {
            primary,
            variance: None,
        }
    }

    /// The primary key named by `text`, for caches that are not keyed by Pingora.
    pub fn named(text: impl AsRef<[u8]>) -> Self {
        Self::new(KeyDigest::of(&[text.as_ref()]))
    }

    /// The key of one variant in this key's group.
    #[must_use]
    pub const fn variant(self, variance: KeyDigest) -> Self {
        Self {
            primary: self.primary,
            variance: Some(variance),
        }
    }

    /// The digest all variants share.
    pub const fn primary(&self) -> KeyDigest {
        self.primary
    }

    /// The digest of this variant's selecting headers; `None` for the primary slot.
    pub const fn variance(&self) -> Option<KeyDigest> {
        self.variance
    }

    /// The primary slot of this key's group: the key itself if it is no variant.
    #[must_use]
    pub const fn group(&self) -> Self {
        Self::new(self.primary)
    }

    /// The key as an index stores it: 16 bytes, or 32 for a variant, which then sorts after its primary slot.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.primary.as_bytes().to_vec();
        if let Some(variance) = &self.variance {
            bytes.extend_from_slice(variance.as_bytes());
        }
        bytes
    }

    /// The key of [`to_bytes`](Self::to_bytes); `None` if these are of no key.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let digest = |bytes: &[u8]| bytes.try_into().ok().map(KeyDigest::new);
        match bytes.split_at_checked(16)? {
            (primary, []) => Some(Self::new(digest(primary)?)),
            (primary, variance) => Some(Self::new(digest(primary)?).variant(digest(variance)?)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.primary, f)?;
        match &self.variance {
            Some(variance) => write!(f, "-{variance}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        match text.split_once('-') {
            Some((primary, variance)) => Ok(Self::new(primary.parse()?).variant(variance.parse()?)),
            None => Ok(Self::new(text.parse()?)),
        }
    }
}

/// The text is not a key: a key is 32 lower-case hexadecimal digits, or two such joined by `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key: expected 32 lower-case hexadecimal digits, or two such joined by '-'")]
pub struct InvalidKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_keys_come_back() {
        let key = Key::named("a");
        let variant = key.variant(KeyDigest::of(&[b"gzip"]));
        for key in [key, variant] {
            assert_eq!(Key::from_bytes(&key.to_bytes()), Some(key));
        }
        for damaged in [0, 1, 15, 17, 31, 33, 48] {
            assert_eq!(Key::from_bytes(&vec![7; damaged]), None, "{damaged} bytes");
        }
    }

    #[test]
    fn text_round_trips_and_has_one_form() {
        let variant = Key::named("a").variant(KeyDigest::of(&[b"gzip"]));
        for key in [Key::named("a"), variant] {
            assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
        }
        let upper = Key::named("a").to_string().to_uppercase();
        assert_eq!(upper.parse::<Key>(), Err(InvalidKey));
        assert_eq!("../etc/passwd".parse::<Key>(), Err(InvalidKey));
    }

    #[test]
    fn parts_are_framed() {
        assert_ne!(KeyDigest::of(&[b"ab", b"c"]), KeyDigest::of(&[b"a", b"bc"]));
        assert_ne!(KeyDigest::of(&[b""]), KeyDigest::of(&[]));
    }
}
