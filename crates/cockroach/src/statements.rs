use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// A statement that is prepared once on each connection.
#[derive(Clone)]
pub(crate) struct Statement(Arc<str>);

impl Statement {
    fn new(text: String) -> Self {
        Self(text.into())
    }

    /// What it is for sqlx. All that was put into it is the name of a table, which the configuration checked.
    pub(crate) fn sql(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(Arc::clone(&self.0))
    }
}

/// What the index says to the database. All of it is understood by CockroachDB and by PostgreSQL; each is one step.
///
/// `now()` is the server's clock. What has expired is absent: a `NULL` in `expires_at` never expires.
pub(crate) struct Statements {
    pub(crate) get: Statement,
    pub(crate) put_new: Statement,
    pub(crate) cas_update: Statement,
    pub(crate) delete: Statement,
    pub(crate) touch_ttl: Statement,
    pub(crate) scan: Statement,
    pub(crate) purge_expired: Statement,
}

impl Statements {
    /// Bytes of manifests after which a page ends early.
    pub(crate) const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

    pub(crate) fn of(table: &str) -> Self {
        let alive = "(expires_at IS NULL OR expires_at > now())";
        let moment = |parameter: &str| {
            format!(
                "'1970-01-01 00:00:00+00'::TIMESTAMPTZ + {parameter}::INT8 * INTERVAL '1 millisecond'"
            )
        };
        Self {
            get: Statement::new(format!(
                r#"SELECT version, retain_until, manifest FROM "{table}" WHERE key = $1 AND {alive}"#
            )),
            // A row that has expired is no obstacle: it is taken over.
            put_new: Statement::new(format!(
                r#"INSERT INTO "{table}" (key, version, retain_until, expires_at, manifest)
                VALUES ($1, $2, $3, {}, $5)
                ON CONFLICT (key) DO UPDATE SET version = excluded.version, retain_until = excluded.retain_until,
                    expires_at = excluded.expires_at, manifest = excluded.manifest
                WHERE "{table}".expires_at <= now()"#,
                moment("$4")
            )),
            cas_update: Statement::new(format!(
                r#"UPDATE "{table}" SET version = $2, retain_until = $3, expires_at = {}, manifest = $5
                WHERE key = $1 AND version = $6 AND {alive}"#,
                moment("$4")
            )),
            delete: Statement::new(format!(
                r#"DELETE FROM "{table}" WHERE key = $1 AND version = $2 AND {alive}"#
            )),
            touch_ttl: Statement::new(format!(
                r#"UPDATE "{table}" SET retain_until = $3, expires_at = {}
                WHERE key = $1 AND version = $2 AND {alive}"#,
                moment("$4")
            )),
            // The server cuts the page where it becomes too large, so that no more than that is ever on its way.
            scan: Statement::new(format!(
                r#"SELECT key, version, retain_until, manifest FROM (
                    SELECT key, version, retain_until, manifest,
                        sum(octet_length(manifest)) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING)
                            - octet_length(manifest) AS bytes_before
                    FROM (
                        SELECT key, version, retain_until, manifest FROM "{table}"
                        WHERE key > $1 AND {alive} ORDER BY key LIMIT $2
                    ) AS page
                ) AS page WHERE bytes_before < {} ORDER BY key"#,
                Self::MAX_PAGE_BYTES
            )),
            // Rows that another process is removing are left to it.
            purge_expired: Statement::new(format!(
                r#"DELETE FROM "{table}" WHERE key IN (
                    SELECT key FROM "{table}" WHERE expires_at <= now()
                    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
                )"#
            )),
        }
    }
}
