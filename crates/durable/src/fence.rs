use terrace_core::{Error, ErrorKind, Fence, GroupStamp, Result, Timestamp, Version};

/// What a [`Fence`] of the durable tier says: a tag, then four numbers, little-endian, zero for "absent".
///
/// Its age is part of it: a fence that saw *no* record is only as good as the index's memory of
/// what has happened since, and that memory is bounded by `tombstone_ttl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// The version of the key's own record.
    pub(crate) version: Option<Version>,
    /// The purges of the key's group; `None` if its primary slot has no readable record.
    pub(crate) stamp: Option<GroupStamp>,
    /// A moment before the records were read.
    pub(crate) taken: Timestamp,
}

const TAG: u8 = b'D';
const WORDS: usize = 4;
const LEN: usize = 1 + 8 * WORDS;

impl Token {
    pub(crate) fn to_fence(self) -> Fence {
        let number = |version: Option<Version>| version.map_or(0, Version::to_u64);
        let words = [
            number(self.version),
            number(self.stamp.map(|stamp| stamp.hard)),
            number(self.stamp.and_then(|stamp| stamp.soft)),
            self.taken.as_millis(),
        ];
        let mut bytes = [TAG; LEN];
        for (place, word) in bytes[1..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Fence::from_bytes(&bytes)
    }

    /// Errors with `Invalid` for a fence of another tier.
    pub(crate) fn from_fence(fence: &Fence) -> Result<Self> {
        let words = fence.bytes().and_then(words).ok_or_else(|| {
            let message = "the fence was not made by a durable tier; pass the one its lookup gave";
            Error::new(ErrorKind::Invalid, "durable.admit", message)
        })?;
        let [version, hard, soft, taken] = words;
        Ok(Self {
            version: Version::from_u64(version),
            stamp: Version::from_u64(hard).map(|hard| GroupStamp {
                hard,
                soft: Version::from_u64(soft),
            }),
            taken: Timestamp::from_millis(taken),
        })
    }
}

fn words(bytes: &[u8]) -> Option<[u64; WORDS]> {
    let numbers = bytes.strip_prefix(&[TAG])?;
    if bytes.len() != LEN {
        return None;
    }
    let mut words = [0; WORDS];
    for (word, place) in words.iter_mut().zip(numbers.chunks_exact(8)) {
        *word = u64::from_le_bytes(place.try_into().ok()?);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::from_u64(number).unwrap()
    }

    #[test]
    fn a_token_survives_the_fence() {
        let stamps = [
            None,
            Some(GroupStamp {
                hard: version(u64::MAX),
                soft: None,
            }),
            Some(GroupStamp {
                hard: version(1),
                soft: Some(version(2)),
            }),
        ];
        for stamp in stamps {
            for own in [None, Some(version(7))] {
                let token = Token {
                    version: own,
                    stamp,
                    taken: Timestamp::from_millis(42),
                };
                assert_eq!(Token::from_fence(&token.to_fence()).unwrap(), token);
            }
        }
    }

    #[test]
    fn fences_of_other_tiers_are_refused() {
        for foreign in [
            Fence::from_words([1, 2, 3]),
            Fence::from_bytes(b""),
            Fence::from_bytes(&[TAG; LEN - 1]),
            Fence::from_bytes(&[0; LEN]),
        ] {
            let error = Token::from_fence(&foreign).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
