use sqlx::Row as _;
use sqlx::postgres::PgRow;
use terrace_core::{Record, Timestamp, Version};

const SIGN: u64 = 1 << 63;
/// The year 10,000. The server's clock will not get there, nor do its moments reach as far as ours.
const NEVER: u64 = 253_402_300_800_000;

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
