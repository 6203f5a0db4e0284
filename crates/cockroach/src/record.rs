use sqlx::Row as _;
use sqlx::postgres::PgRow;
use terrace_core::{Key, KeyDigest, Record, Timestamp, Version};

const SIGN: u64 = 1 << 63;
/// The year 10,000. The server's clock will not get there, nor do its moments reach as far as ours.
const NEVER: u64 = 253_402_300_800_000;

/// A key as it is stored: 16 bytes, or 32 for a variant, which then follows its primary slot.
pub(crate) fn key_bytes(key: &Key) -> Vec<u8> {
    let mut bytes = key.primary().as_bytes().to_vec();
    if let Some(variance) = key.variance() {
        bytes.extend_from_slice(variance.as_bytes());
    }
    bytes
}

pub(crate) fn parse_key(bytes: &[u8]) -> Option<Key> {
    let digest = |bytes: &[u8]| bytes.try_into().ok().map(KeyDigest::new);
    match bytes.split_at_checked(16)? {
        (primary, []) => Some(Key::new(digest(primary)?)),
        (primary, variance) => Some(Key::new(digest(primary)?).variant(digest(variance)?)),
    }
}

/// SQL's integers are signed: the same bits.
pub(crate) fn version_to_sql(version: Version) -> i64 {
    version.to_u64().cast_signed()
}

/// Moved by 2^63, so that the order and every value survive.
pub(crate) fn moment_to_sql(moment: Timestamp) -> i64 {
    (moment.as_millis() ^ SIGN).cast_signed()
}

fn moment_from_sql(moment: i64) -> Timestamp {
    Timestamp::from_millis(moment.cast_unsigned() ^ SIGN)
}

/// The same for the server to compare with its clock: milliseconds since 1970, or nothing for never.
pub(crate) fn expiry_to_sql(moment: Timestamp) -> Option<i64> {
    let millis = moment.as_millis();
    (millis < NEVER).then_some(millis.cast_signed())
}

/// The record in the columns `version, retain_until, manifest`; `None` if it has no valid version.
pub(crate) fn from_row(row: &PgRow) -> Result<Option<Record>, sqlx::Error> {
    let version: i64 = row.try_get("version")?;
    let retain_until = row.try_get("retain_until")?;
    let manifest: Vec<u8> = row.try_get("manifest")?;
    let version = Version::from_u64(version.cast_unsigned());
    Ok(version.map(|version| Record {
        version,
        retain_until: moment_from_sql(retain_until),
        manifest: manifest.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        let key = Key::named("a");
        let variant = key.variant(KeyDigest::of(&[b"gzip"]));
        for key in [key, variant] {
            assert_eq!(parse_key(&key_bytes(&key)), Some(key));
        }
        for damaged in [0, 1, 15, 17, 31, 33, 48] {
            assert_eq!(parse_key(&vec![7; damaged]), None, "{damaged} bytes");
        }
    }

    #[test]
    fn moments_come_back_in_order() {
        let moments = [0, 1, SIGN - 1, SIGN, SIGN + 1, u64::MAX].map(Timestamp::from_millis);
        for moment in moments {
            assert_eq!(moment_from_sql(moment_to_sql(moment)), moment);
        }
        assert!(moments.map(moment_to_sql).is_sorted());
    }

    #[test]
    fn what_is_kept_for_ever_does_not_expire() {
        assert_eq!(expiry_to_sql(Timestamp::MAX), None);
        assert_eq!(expiry_to_sql(Timestamp::from_millis(NEVER)), None);
        assert_eq!(expiry_to_sql(Timestamp::from_millis(1)), Some(1));
    }

    #[test]
    fn versions_keep_their_bits() {
        for bits in [1, 1 << 63, u64::MAX] {
            let version = Version::from_u64(bits).unwrap();
            assert_eq!(version_to_sql(version).cast_unsigned(), bits);
        }
    }
}
