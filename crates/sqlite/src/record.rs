use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use terrace_core::{Record, Timestamp, Version};

const SIGN: u64 = 1 << 63;

/// SQLite's integers are signed: the same bits.
pub(crate) fn version_to_sql(version: Version) -> i64 {
    version.to_u64().cast_signed()
}

/// Moved by 2^63, so that the order and every value survive; [`Timestamp::MAX`], never, becomes `i64::MAX`.
pub(crate) fn moment_to_sql(moment: Timestamp) -> i64 {
    (moment.as_millis() ^ SIGN).cast_signed()
}

fn moment_from_sql(moment: i64) -> Timestamp {
    Timestamp::from_millis(moment.cast_unsigned() ^ SIGN)
}

/// The present moment, which is always before "never".
pub(crate) fn now_to_sql(now: Timestamp) -> i64 {
    moment_to_sql(now).min(i64::MAX - 1)
}

/// The record in the columns `version, retain_until, manifest`; `None` if it has no valid version.
pub(crate) fn from_row(row: &SqliteRow) -> Result<Option<Record>, sqlx::Error> {
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
            assert!(now_to_sql(moment) < moment_to_sql(Timestamp::MAX));
        }
        assert!(moments.map(moment_to_sql).is_sorted());
        assert_eq!(moment_to_sql(Timestamp::MAX), i64::MAX);
    }

    #[test]
    fn versions_keep_their_bits() {
        for bits in [1, 1 << 63, u64::MAX] {
            let version = Version::from_u64(bits).unwrap();
            assert_eq!(version_to_sql(version).cast_unsigned(), bits);
        }
    }
}
