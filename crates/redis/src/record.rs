//! What is stored: one string per record, so that one `GET` reads it.

use bytes::Bytes;
use terrace_core::{Record, Timestamp, Version};

/// Version, retention and call, before the manifest.
const HEAD: usize = 8 + 8 + CALL_BYTES;
/// Which call wrote it.
pub(crate) const CALL_BYTES: usize = 16;

pub(crate) fn encode(record: &Record, call: [u8; CALL_BYTES]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + record.manifest.len());
    bytes.extend_from_slice(&version_bytes(record.version));
    bytes.extend_from_slice(&record.retain_until.as_millis().to_be_bytes());
    bytes.extend_from_slice(&call);
    bytes.extend_from_slice(&record.manifest);
    bytes
}

pub(crate) fn decode(bytes: &Bytes) -> Option<Record> {
    let head = bytes.get(..HEAD)?;
    let number = |at: usize| Some(u64::from_be_bytes(head.get(at..at + 8)?.try_into().ok()?));
    Some(Record {
        version: Version::from_u64(number(0)?)?,
        retain_until: Timestamp::from_millis(number(8)?),
        manifest: bytes.slice(HEAD..),
    })
}

pub(crate) fn version_bytes(version: Version) -> [u8; 8] {
    version.to_u64().to_be_bytes()
}

/// When Redis is to drop it, in the form of its commands; empty for never.
pub(crate) fn expiry(retain_until: Timestamp) -> String {
    // Redis counts in signed milliseconds, and refuses what comes close to the end of them.
    const NEVER: u64 = 1 << 53;
    match retain_until.as_millis() {
        NEVER.. => String::new(),
        millis => millis.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        let record = Record {
            version: Version::from_u64(u64::MAX - 7).unwrap(),
            retain_until: Timestamp::from_millis(42),
            manifest: Bytes::from_static(&[0, 1, 0xFF, b'\n']),
        };
        let bytes = Bytes::from(encode(&record, [7; CALL_BYTES]));
        assert_eq!(decode(&bytes), Some(record));
        assert_eq!(decode(&bytes.slice(..HEAD - 1)), None);
        assert_eq!(
            decode(&Bytes::from(vec![0; HEAD])),
            None,
            "no version is zero"
        );
    }

    #[test]
    fn what_is_kept_for_ever_does_not_expire() {
        assert_eq!(expiry(Timestamp::MAX), "");
        assert_eq!(expiry(Timestamp::from_millis(1)), "1");
    }
}
