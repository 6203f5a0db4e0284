use sqlx::sqlite::SqliteConnection;
use terrace_core::{Key, Record, Timestamp, Version};

use crate::record::{moment_to_sql, now_to_sql, version_to_sql};

/// A row that is past its retention is no obstacle: it is taken over.
const PUT_NEW: &str = "INSERT INTO manifests (key, version, retain_until, manifest) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key) DO UPDATE
    SET version = excluded.version, retain_until = excluded.retain_until, manifest = excluded.manifest
    WHERE manifests.retain_until <= ?5";
pub(crate) const CAS_UPDATE: &str =
    "UPDATE manifests SET version = ?2, retain_until = ?3, manifest = ?4
    WHERE key = ?1 AND version = ?6 AND retain_until > ?5";
pub(crate) const DELETE: &str =
    "DELETE FROM manifests WHERE key = ?1 AND version = ?2 AND retain_until > ?3";
pub(crate) const TOUCH_TTL: &str = "UPDATE manifests SET retain_until = ?3
    WHERE key = ?1 AND version = ?2 AND retain_until > ?4";
/// The constant is "never", which the index `manifests_expiry` leaves out: it is used only if this says so, too.
pub(crate) const PURGE_EXPIRED: &str = "DELETE FROM manifests WHERE rowid IN (
    SELECT rowid FROM manifests
    WHERE retain_until <= ?1 AND retain_until < 9223372036854775807
    ORDER BY retain_until LIMIT ?2)";

pub(crate) const GET: &str = "SELECT version, retain_until, manifest FROM manifests
    WHERE key = ?1 AND retain_until > ?2";
pub(crate) const SCAN: &str = "SELECT key, version, retain_until, manifest FROM manifests
    WHERE key > ?1 AND retain_until > ?2 ORDER BY key LIMIT ?3";

/// One change of the file.
#[derive(Debug)]
pub(crate) enum Op {
    PutNew {
        key: Key,
        record: Record,
    },
    CasUpdate {
        key: Key,
        expected: Version,
        record: Record,
    },
    Delete {
        key: Key,
        expected: Version,
    },
    TouchTtl {
        key: Key,
        expected: Version,
        retain_until: Timestamp,
    },
    PurgeExpired {
        limit: u32,
    },
}

impl Op {
    /// Its name in errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::PutNew { .. } => "sqlite.put_new",
            Self::CasUpdate { .. } => "sqlite.cas_update",
            Self::Delete { .. } => "sqlite.delete",
            Self::TouchTtl { .. } => "sqlite.touch_ttl",
            Self::PurgeExpired { .. } => "sqlite.purge_expired",
        }
    }

    /// Does it, as of `now`. How many rows changed: of all but `PurgeExpired`, one if the condition held.
    pub(crate) async fn execute(
        &self,
        conn: &mut SqliteConnection,
        now: Timestamp,
    ) -> Result<u64, sqlx::Error> {
        let now = now_to_sql(now);
        let query = match self {
            Self::PutNew { key, record } => bind_record(PUT_NEW, key, record).bind(now),
            Self::CasUpdate {
                key,
                expected,
                record,
            } => bind_record(CAS_UPDATE, key, record)
                .bind(now)
                .bind(version_to_sql(*expected)),
            Self::Delete { key, expected } => sqlx::query(DELETE)
                .bind(key.to_bytes())
                .bind(version_to_sql(*expected))
                .bind(now),
            Self::TouchTtl {
                key,
                expected,
                retain_until,
            } => sqlx::query(TOUCH_TTL)
                .bind(key.to_bytes())
                .bind(version_to_sql(*expected))
                .bind(moment_to_sql(*retain_until))
                .bind(now),
            Self::PurgeExpired { limit } => sqlx::query(PURGE_EXPIRED).bind(now).bind(*limit),
        };
        Ok(query.execute(conn).await?.rows_affected())
    }
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind_record(statement: &'static str, key: &Key, record: &Record) -> Query {
    sqlx::query(statement)
        .bind(key.to_bytes())
        .bind(version_to_sql(record.version))
        .bind(moment_to_sql(record.retain_until))
        .bind(record.manifest.to_vec())
}
