//! The tables: which ones there have to be, and how they come to be.
//!
//! Several nodes may do this at the same time. There is no lock, which CockroachDB would not have: each step does nothing where it
//! was done before, and is tried again where another node was doing it.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use terrace_core::{Error, ErrorKind, Result, Runtime};

use crate::config::CrdbConfig;
use crate::error::Op;
use crate::server::Server;

const OP: Op = Op::new("cockroach.connect");
/// The schema this version of the crate reads and writes.
const SCHEMA: i64 = 1;
/// What a migration may take, of a statement.
const LONG_TIMEOUT: &str = "SET statement_timeout = 60000";
/// Tries to make what other nodes are making, and the first and the longest pause between two.
const ATTEMPTS: usize = 20;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The columns of the table, in the order of their names, and their types.
const COLUMNS: [(&str, &str); 5] = [
    ("expires_at", "timestamp with time zone"),
    ("key", "bytea"),
    ("manifest", "bytea"),
    ("retain_until", "bigint"),
    ("version", "bigint"),
];

/// What is there.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// The table as this crate makes it, by which version of the schema. `None` if it was not finished.
    Ours(Option<i64>),
    /// A table that somebody else made.
    Foreign,
}

/// Makes sure that the tables are there, as this version of the crate needs them. A table of somebody else's is not changed.
pub(crate) async fn prepare(
    connection: &mut PgConnection,
    server: Server,
    config: &CrdbConfig,
    runtime: &dyn Runtime,
) -> Result<()> {
    let table = &config.table;
    match look(connection, table)
        .await
        .map_err(|error| OP.refused(error))?
    {
        Found::Ours(Some(SCHEMA)) => return Ok(()),
        Found::Ours(Some(newer)) if newer > SCHEMA => return Err(too_new(table, newer)),
        Found::Foreign => return Err(foreign(table)),
        Found::Nothing | Found::Ours(_) => {}
    }
    if !config.migrate {
        let message = format!(
            "the table {table} is missing, or older than this program needs: connect once with `migrate`, as a user who \
             may create tables"
        );
        return Err(Error::new(ErrorKind::NotFound, OP.name(), message));
    }
    let mut steps = vec![LONG_TIMEOUT.to_owned()];
    steps.extend(first_schema(server, table));
    steps.push(finished(table));
    for step in steps {
        perform(connection, &step, runtime).await?;
    }
    // What a name in a condition did not make may be somebody else's.
    match look(connection, table)
        .await
        .map_err(|error| OP.refused(error))?
    {
        Found::Ours(Some(SCHEMA)) => Ok(()),
        Found::Ours(Some(newer)) => Err(too_new(table, newer)),
        _ => Err(foreign(table)),
    }
}

/// An expired row is removed by CockroachDB itself. For PostgreSQL the second index finds it; it leaves out what never
/// expires.
///
/// `retain_until` is in milliseconds since 1970, minus 2^63; `expires_at` is the same for the server to compare.
fn first_schema(server: Server, table: &str) -> Vec<String> {
    let expiry = match server {
        Server::Cockroach => {
            " WITH (ttl_expiration_expression = 'expires_at', ttl_job_cron = '@hourly')"
        }
        Server::Postgres => "",
    };
    let mut steps = vec![
        format!(
            r#"CREATE TABLE IF NOT EXISTS "{table}" (
                key BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(key) IN (16, 32)),
                version INT8 NOT NULL CHECK (version <> 0),
                retain_until INT8 NOT NULL,
                expires_at TIMESTAMPTZ,
                manifest BYTEA NOT NULL
            ){expiry}"#
        ),
        format!(
            r#"CREATE TABLE IF NOT EXISTS "{table}_schema" (
                id INT8 NOT NULL PRIMARY KEY CHECK (id = 1),
                version INT8 NOT NULL
            )"#
        ),
    ];
    if server == Server::Postgres {
        steps.push(format!(
            r#"CREATE INDEX IF NOT EXISTS "{table}_expiry" ON "{table}" (expires_at) WHERE expires_at IS NOT NULL"#
        ));
    }
    steps
}

/// Never takes a newer version back.
fn finished(table: &str) -> String {
    format!(
        r#"INSERT INTO "{table}_schema" (id, version) VALUES (1, {SCHEMA})
        ON CONFLICT (id) DO UPDATE SET version = excluded.version
        WHERE "{table}_schema".version < excluded.version"#
    )
}

async fn look(connection: &mut PgConnection, table: &str) -> Result<Found, sqlx::Error> {
    let columns = "SELECT column_name::TEXT, data_type::TEXT FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1";
    let mut found: Vec<(String, String)> = sqlx::query_as(columns)
        .bind(table)
        .fetch_all(&mut *connection)
        .await?;
    if found.is_empty() {
        return Ok(Found::Nothing);
    }
    found.sort();
    let found = found.iter().map(|(name, kind)| (&**name, &**kind));
    if !found.eq(COLUMNS) {
        return Ok(Found::Foreign);
    }
    let version = AssertSqlSafe(format!(
        r#"SELECT version FROM "{table}_schema" WHERE id = 1"#
    ));
    let version = sqlx::query_scalar(version).persistent(false);
    match version.fetch_optional(connection).await {
        Ok(version) => Ok(Found::Ours(version)),
        Err(error) if state(&error).as_deref() == Some("42P01") => Ok(Found::Ours(None)),
        Err(error) => Err(error),
    }
}

async fn perform(connection: &mut PgConnection, step: &str, runtime: &dyn Runtime) -> Result<()> {
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(ATTEMPTS)
        .with_jitter()
        .build();
    loop {
        let statement = sqlx::raw_sql(AssertSqlSafe(step));
        let Err(error) = statement.execute(&mut *connection).await else {
            return Ok(());
        };
        match pauses.next() {
            Some(pause) if is_being_made(&error) => runtime.sleep(pause).await,
            _ => return Err(OP.refused(error)),
        }
    }
}

/// Whether another node is doing the same: beside what any statement may meet, the names of new tables collide in the
/// catalogue, whatever `IF NOT EXISTS` says.
fn is_being_made(error: &sqlx::Error) -> bool {
    const COLLISIONS: [&str; 7] = [
        "40001", "40P01", "23505", "42P07", "42710", "55006", "XX000",
    ];
    state(error).is_some_and(|state| COLLISIONS.contains(&&*state))
}

fn state(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

fn too_new(table: &str, version: i64) -> Error {
    let message = format!(
        "the table {table} has schema {version}, and this program knows {SCHEMA}: run the version that made it, or choose \
         another table (the cache is then empty)"
    );
    Error::new(ErrorKind::Unsupported, OP.name(), message)
}

fn foreign(table: &str) -> Error {
    let message = format!("the table {table} is another application's: choose another name");
    Error::new(ErrorKind::Invalid, OP.name(), message)
}
