use sqlx::postgres::PgConnection;
use terrace_core::{Error, ErrorKind, Result};

use crate::error::Op;
use crate::session::text;

/// The first one in which a column says when a row expires.
const OLDEST_COCKROACH: (u32, u32) = (22, 2);

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Cockroach,
    Postgres,
}

impl Server {
    pub(crate) async fn of(connection: &mut PgConnection, op: Op) -> Result<Self> {
        let version = text(connection, "SELECT version()").await;
        Self::with_version(&version.map_err(|error| op.refused(error))?, op)
    }

    /// By what it answers to `version()`.
    fn with_version(version: &str, op: Op) -> Result<Self> {
        if !version.starts_with("CockroachDB") {
            return Ok(Self::Postgres);
        }
        let number = version.split_once(" v").map_or("", |(_, number)| number);
        let mut parts = number.split(['.', '-']).map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(year)), Some(Ok(release))) if (year, release) < OLDEST_COCKROACH => {
                let message =
                    format!("CockroachDB {year}.{release} is too old: at least 22.2 is needed");
                Err(Error::new(ErrorKind::Unsupported, op.name(), message))
            }
            // What cannot be told is tried.
            _ => Ok(Self::Cockroach),
        }
    }

    /// What each connection says first, beside what it says to both.
    ///
    /// CockroachDB always waits for its log, and reads by keys; of PostgreSQL it has to be asked. A plan that reads a whole small
    /// table would conflict with every write to it.
    pub(crate) const fn settings(self) -> &'static str {
        match self {
            Self::Cockroach => "",
            Self::Postgres => {
                "SELECT set_config('synchronous_commit', 'on', false)
                    WHERE current_setting('synchronous_commit') IN ('off', 'local');
                SET enable_seqscan = off;"
            }
        }
    }

    /// Whether an acknowledged write survives a failover. CockroachDB answers when most replicas have it. PostgreSQL may
    /// promote a standby that it does not wait for.
    pub(crate) async fn is_durable(
        self,
        connection: &mut PgConnection,
    ) -> Result<bool, sqlx::Error> {
        match self {
            Self::Cockroach => Ok(true),
            Self::Postgres => {
                let asked = "SELECT (current_setting('fsync') = 'on'
                    AND current_setting('synchronous_standby_names') <> '')::TEXT";
                Ok(text(connection, asked).await? == "true")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_by_their_versions() {
        let told = |version| Server::with_version(version, Op::new("cockroach.connect"));
        let cockroach =
            "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27, go1.19.13)";
        assert_eq!(told(cockroach).unwrap(), Server::Cockroach);
        let newest = "CockroachDB CCL v25.4.0-alpha.1 (x86_64-pc-linux-gnu)";
        assert_eq!(told(newest).unwrap(), Server::Cockroach);
        let postgres = "PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu";
        assert_eq!(told(postgres).unwrap(), Server::Postgres);
        let old = "CockroachDB CCL v22.1.22 (x86_64-pc-linux-gnu)";
        let error = told(old).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("22.1 is too old"), "{error}");
    }
}
