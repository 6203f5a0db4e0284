use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use terrace_core::{Error, ErrorKind, Result, Runtime};

use crate::error::{from_sqlx, is_busy};

const OP: &str = "sqlite.open";
/// "TRIX" in the file's header says whose file it is; `file` and its like can be taught to know it.
const APPLICATION_ID: i64 = 0x5452_4958;
/// The schema this version of the crate reads and writes.
const SCHEMA: i64 = 1;
/// Tries to prepare a file that another process is preparing, and the pause between two.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// An ordinary table with an index on its key, not `WITHOUT ROWID`: there, rows live in the nodes of the key's
/// tree, and with rows of several KiB a node holds four of them instead of ninety.
///
/// `retain_until` is in milliseconds since 1970, minus 2^63. The second index finds what has expired; it
/// leaves out what never does.
const CREATE: [&str; 2] = [
    "CREATE TABLE manifests (
        key BLOB NOT NULL PRIMARY KEY CHECK (length(key) IN (16, 32)),
        version INTEGER NOT NULL CHECK (version <> 0),
        retain_until INTEGER NOT NULL,
        manifest BLOB NOT NULL
    ) STRICT",
    "CREATE INDEX manifests_expiry ON manifests (retain_until)
        WHERE retain_until < 9223372036854775807",
];

/// What a file says it is.
struct Identity {
    application: i64,
    schema: i64,
    tables: i64,
}

enum Kind {
    Ours,
    Empty,
}

/// Makes sure that the file is ours, in our schema and in WAL mode; creates what is missing in an empty one.
///
/// A file of somebody else's is not changed. Several processes may do this at the same time.
pub(crate) async fn prepare(
    conn: &mut SqliteConnection,
    path: &Path,
    runtime: &dyn Runtime,
) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match try_prepare(conn, path).await {
            Ok(prepared) => return prepared,
            // SQLite does not wait for the locks that a change of the journal mode takes.
            Err(error) if is_busy(&error) && attempt < ATTEMPTS => runtime.sleep(PAUSE).await,
            Err(error) => return Err(from_sqlx(OP, path, Arc::new(error))),
        }
    }
}

async fn try_prepare(conn: &mut SqliteConnection, path: &Path) -> Result<Result<()>, sqlx::Error> {
    let kind = match identify(conn).await?.judge(path) {
        Ok(kind) => kind,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Kind::Empty = kind {
        // To be chosen before there is anything in the file.
        execute(conn, "PRAGMA auto_vacuum = INCREMENTAL").await?;
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut *conn)
        .await?;
    if mode != "wal" {
        let path = path.display();
        let message = format!("{path} cannot be in WAL mode: use a local file system");
        return Ok(Err(Error::new(ErrorKind::Unsupported, OP, message)));
    }
    match kind {
        Kind::Ours => Ok(Ok(())),
        Kind::Empty => create(conn, path).await,
    }
}

/// Creates the schema, unless another process has done so meanwhile.
async fn create(conn: &mut SqliteConnection, path: &Path) -> Result<Result<()>, sqlx::Error> {
    execute(conn, "BEGIN IMMEDIATE").await?;
    let done = create_in_transaction(conn, path).await;
    let end = match &done {
        Ok(Ok(())) => "COMMIT",
        _ => "ROLLBACK",
    };
    execute(conn, end).await?;
    done
}

async fn create_in_transaction(
    conn: &mut SqliteConnection,
    path: &Path,
) -> Result<Result<()>, sqlx::Error> {
    match identify(conn).await?.judge(path) {
        Ok(Kind::Ours) => return Ok(Ok(())),
        Ok(Kind::Empty) => {}
        Err(refused) => return Ok(Err(refused)),
    }
    for statement in CREATE {
        execute(conn, statement).await?;
    }
    let identity =
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(identity))
        .execute(conn)
        .await?;
    Ok(Ok(()))
}

async fn identify(conn: &mut SqliteConnection) -> Result<Identity, sqlx::Error> {
    let statement = "SELECT
        (SELECT application_id FROM pragma_application_id),
        (SELECT user_version FROM pragma_user_version),
        (SELECT count(*) FROM sqlite_schema)";
    let (application, schema, tables) = sqlx::query_as(statement).fetch_one(conn).await?;
    Ok(Identity {
        application,
        schema,
        tables,
    })
}

impl Identity {
    fn judge(&self, path: &Path) -> Result<Kind> {
        let path = path.display();
        let (kind, message) = match *self {
            Self {
                application: APPLICATION_ID,
                schema: SCHEMA,
                ..
            } => return Ok(Kind::Ours),
            Self {
                application: 0,
                schema: 0,
                tables: 0,
            } => return Ok(Kind::Empty),
            Self {
                application: APPLICATION_ID,
                schema,
                ..
            } => (
                ErrorKind::Unsupported,
                format!(
                    "{path} has schema {schema}, and this program knows {SCHEMA}: run the version that wrote it, \
                     or choose another path (the cache is then empty)"
                ),
            ),
            _ => (
                ErrorKind::Invalid,
                format!("{path} is the database of another application: choose another path"),
            ),
        };
        Err(Error::new(kind, OP, message))
    }
}

async fn execute(conn: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(conn).await.map(drop)
}
