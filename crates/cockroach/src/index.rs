use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use terrace_core::{
    Applied, Cas, Clock, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key,
    MAX_MANIFEST_BYTES, Record, Result, Runtime, Timestamp, Version,
};

use crate::ask::Query;
use crate::config::CrdbConfig;
use crate::error::Op;
use crate::pool::Pool;
use crate::record::{expiry_to_sql, from_row, moment_to_sql, version_to_sql};
use crate::schema;
use crate::server::Server;
use crate::session::{Dialer, within};
use crate::statements::{Statement, Statements};

/// Records of one page.
const MAX_PAGE: usize = 1000;
/// The most one call of `purge_expired` removes.
const MAX_PURGE: u32 = 10_000;
/// What a start may take, in which tables may have to be made.
const START: Duration = Duration::from_mins(2);

/// An index store in CockroachDB, or in PostgreSQL.
///
/// # What a crash and a failover may lose
///
/// On CockroachDB nothing: it answers when most replicas have the write, and
/// [`capabilities`](IndexStore::capabilities) says `durable: true`. **PostgreSQL** answers when its own log has it; a standby
/// that is promoted may not, and then **a purge is forgotten**. So there it is `true` only if `fsync` is on and
/// `synchronous_standby_names` is set. A server without standbys has no failover to fear, and loses nothing but with its disk.
///
/// # How it works
///
/// - **Each call is one statement**, by itself a serializable transaction: it compares and writes in one step. A `get` is one round
///   trip. Nothing is read from a follower, nor in the past (`AS OF SYSTEM TIME`): such a read may miss a write
///   that was acknowledged, and then even a lookup could bring back what was purged.
/// - **Conflicts** (SQLSTATE 40001, 40P01) leave no effect; the statement is sent again, ten times at most, with pauses that
///   are random. Then it fails as `Contended`.
/// - **Lost answers** (40003, 57014, a connection that breaks or stays silent) leave open whether a write took effect. It is not
///   sent again. The record is read back on another connection: if it bears the version that was to be
///   written, the write was applied; otherwise the error says [`Applied::Unknown`].
/// - **Time** is the server's: `now()` decides what is past its retention.
/// - **Dropping a call** closes its connection, whose next word could be the answer to it. The statement may be done
///   all the same.
/// - **What has expired** is removed by CockroachDB itself, hourly (row-level TTL); on PostgreSQL by
///   [`purge_expired`](Self::purge_expired).
pub struct CrdbIndex {
    pool: Pool,
    statements: Statements,
    server: Server,
    is_durable: bool,
    table: String,
}

impl CrdbIndex {
    /// Connects, makes the tables if they are missing, and checks that they are those of this version.
    ///
    /// Connections are made on `runtime`, and used from any. `clock` tells how old they are, and nothing else. Several nodes may start
    /// at the same time.
    ///
    /// Errors: `Invalid` for a configuration that cannot be used, or a table of another application, which is left as it is;
    /// `Denied` if the server wants another user; `NotFound` if the database is not there, or the tables are not and `migrate` is
    /// off; `Unsupported` if a newer version made the tables, the server is too old or a standby, or transactions are
    /// not serializable; `Unavailable` and `Timeout` if it cannot be reached. Idempotent. Dropping it may leave a part of the tables,
    /// which the next one completes.
    pub async fn connect(
        config: CrdbConfig,
        runtime: Arc<dyn Runtime>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let dialer = Dialer::new(&config)?;
        let starting = start(&dialer, &config, &*runtime);
        let started = within(&*runtime, START, starting).await;
        let (server, is_durable) = started
            .unwrap_or_else(|| Err(CONNECT.late("the database did not make the tables in time")))?;
        Ok(Self {
            statements: Statements::of(&config.table),
            pool: Pool::new(dialer.knowing(server), &config, runtime, clock),
            server,
            is_durable,
            table: config.table,
        })
    }

    /// Removes at most `limit` records that are past their retention, 10,000 at most, the oldest first. Says how many; zero
    /// when there are no more.
    ///
    /// Processes may do this at the same time; each takes what no other is taking. CockroachDB does it by itself, and this is
    /// zero at once. Errors as for [`put_new`](IndexStore::put_new). Idempotent.
    pub async fn purge_expired(&self, limit: u32) -> Result<u64> {
        const OP: Op = Op::write("cockroach.purge_expired");
        if self.server == Server::Cockroach {
            return Ok(0);
        }
        let limit = i64::from(limit.min(MAX_PURGE));
        let purge = &self.statements.purge_expired;
        let purged = self.pool.call(OP, || sqlx::query(purge.sql()).bind(limit));
        Ok(purged.await?.affected)
    }

    /// Changes the record of `key`, if the condition of `statement` holds. `is_done` tells by the record whether it was, where
    /// the answer is lost.
    async fn write<'q>(
        &self,
        op: Op,
        key: &Key,
        bind: impl Fn() -> Query<'q>,
        is_done: impl Fn(&Record) -> bool,
    ) -> Result<Cas> {
        match self.pool.call(op, bind).await {
            Ok(written) if written.affected == 0 => Ok(Cas::Conflict),
            Ok(_) => Ok(Cas::Applied),
            Err(error) if error.applied() == Applied::Unknown => match self.get(key).await {
                Ok(Some(record)) if is_done(&record) => Ok(Cas::Applied),
                // Neither does another record say that it was not: the statement may be under way.
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

const CONNECT: Op = Op::new("cockroach.connect");

/// Which server it is, with its tables made, and whether it is durable.
async fn start(
    dialer: &Dialer,
    config: &CrdbConfig,
    runtime: &dyn Runtime,
) -> Result<(Server, bool)> {
    let mut connection = dialer.connect(CONNECT, runtime).await?;
    let server = Server::of(&mut connection, CONNECT).await?;
    schema::prepare(&mut connection, server, config, runtime).await?;
    let is_durable = server.is_durable(&mut connection).await;
    let is_durable = is_durable.map_err(|error| CONNECT.refused(error))?;
    Ok((server, is_durable))
}

/// Key, version, retention in both forms, and manifest.
fn bind_record<'q>(statement: &Statement, key: &Key, record: &'q Record) -> Query<'q> {
    sqlx::query(statement.sql())
        .bind(key.to_bytes())
        .bind(version_to_sql(record.version))
        .bind(moment_to_sql(record.retain_until))
        .bind(expiry_to_sql(record.retain_until))
        .bind(&record.manifest[..])
}

fn check_size(op: Op, record: &Record) -> Result<()> {
    let len = record.manifest.len();
    if len <= MAX_MANIFEST_BYTES {
        return Ok(());
    }
    let message = format!("a record of {len} bytes; at most {MAX_MANIFEST_BYTES} fit");
    Err(Error::new(ErrorKind::Exhausted, op.name(), message))
}

#[async_trait]
impl IndexStore for CrdbIndex {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        const OP: Op = Op::new("cockroach.get");
        let get = &self.statements.get;
        let found = self
            .pool
            .call(OP, || sqlx::query(get.sql()).bind(key.to_bytes()));
        let Some(row) = found.await?.rows.pop() else {
            return Ok(None);
        };
        match from_row(&row).map_err(|error| OP.error(error))? {
            Some(record) => Ok(Some(record)),
            None => Err(OP.damaged("a record")),
        }
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        const OP: Op = Op::write("cockroach.put_new");
        check_size(OP, record)?;
        let bind = || bind_record(&self.statements.put_new, key, record);
        self.write(OP, key, bind, |found| found.version == record.version)
            .await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        const OP: Op = Op::write("cockroach.cas_update");
        check_size(OP, record)?;
        let bind = || {
            let update = bind_record(&self.statements.cas_update, key, record);
            update.bind(version_to_sql(expected))
        };
        self.write(OP, key, bind, |found| found.version == record.version)
            .await
    }

    /// Where the answer is lost, it stays open: that there is no record may be another's work.
    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        const OP: Op = Op::write("cockroach.delete");
        let bind = || {
            sqlx::query(self.statements.delete.sql())
                .bind(key.to_bytes())
                .bind(version_to_sql(expected))
        };
        self.write(OP, key, bind, |_| false).await
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        const OP: Op = Op::write("cockroach.touch_ttl");
        let bind = || {
            sqlx::query(self.statements.touch_ttl.sql())
                .bind(key.to_bytes())
                .bind(version_to_sql(expected))
                .bind(moment_to_sql(retain_until))
                .bind(expiry_to_sql(retain_until))
        };
        let is_done =
            |found: &Record| found.version == expected && found.retain_until == retain_until;
        self.write(OP, key, bind, is_done).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        const OP: Op = Op::new("cockroach.scan");
        let after = after.map_or(&[][..], Cursor::as_bytes);
        let limit = limit.clamp(1, MAX_PAGE);
        let scan = &self.statements.scan;
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self
            .pool
            .call(OP, || sqlx::query(scan.sql()).bind(after).bind(rows));
        let rows = found.await?.rows;
        self.page(rows, limit).map_err(|error| OP.error(error))
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: self.is_durable,
            max_record_bytes: MAX_MANIFEST_BYTES,
        }
    }
}

impl CrdbIndex {
    /// The page that `rows` are, of which `limit` were asked for.
    fn page(&self, rows: Vec<PgRow>, limit: usize) -> Result<IndexPage, sqlx::Error> {
        let (mut records, mut last, mut bytes) = (Vec::with_capacity(rows.len()), Vec::new(), 0);
        let seen = rows.len();
        for row in rows {
            last = row.try_get("key")?;
            bytes += row.try_get::<&[u8], _>("manifest")?.len();
            let (Some(key), Some(record)) = (Key::from_bytes(&last), from_row(&row)?) else {
                // One damaged row must not keep a walk from the others.
                tracing::warn!(table = %self.table, "skipped a damaged record");
                continue;
            };
            records.push((key, record));
        }
        let is_cut = seen == limit || bytes >= Statements::MAX_PAGE_BYTES;
        let next = is_cut.then(|| Cursor::new(last));
        Ok(IndexPage { records, next })
    }
}

impl fmt::Debug for CrdbIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrdbIndex")
            .field("server", &self.server)
            .field("table", &self.table)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
