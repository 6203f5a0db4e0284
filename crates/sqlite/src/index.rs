use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::{FutureExt as _, TryStreamExt as _};
use sqlx::{ConnectOptions as _, Row as _};
use terrace_core::{
    Cas, Clock, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key,
    MAX_MANIFEST_BYTES, Record, Result, Runtime, Timestamp, Version,
};
use tokio::sync::{mpsc, oneshot};

use crate::config::{Durability, SqliteConfig};
use crate::error::{damaged_row, from_sqlx};
use crate::readers::{Reader, Readers};
use crate::record::{from_row, now_to_sql};
use crate::schema;
use crate::statements::{GET, Op, SCAN};
use crate::writer::{MAX_QUEUE, Request, Writer};

/// Records of one page.
const MAX_PAGE: usize = 1000;
/// Bytes of manifests after which a page ends early.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// The most one call of `purge_expired` removes: it keeps the writer busy for so long.
const MAX_PURGE: u32 = 10_000;

/// An index in a SQLite file.
///
/// All methods may be called from any runtime. Dropping it ends its writer and closes the file; what was
/// acknowledged is in it.
pub struct SqliteIndex {
    path: Arc<PathBuf>,
    durability: Durability,
    clock: Arc<dyn Clock>,
    readers: Readers,
    requests: mpsc::Sender<Request>,
}

impl SqliteIndex {
    /// Opens the file at `path`, creating it and its directory if they are missing.
    ///
    /// `runtime` runs the writer. `clock` decides what is past its retention.
    ///
    /// Errors: `Corrupt` if the file is damaged or no database; `Invalid` if it is the database of another application, which is
    /// left as it is; `Unsupported` if a newer version wrote it, or the file system cannot share memory between
    /// processes; `Denied` if it cannot be opened.
    pub async fn open(
        path: impl AsRef<Path>,
        runtime: Arc<dyn Runtime>,
        clock: Arc<dyn Clock>,
        config: SqliteConfig,
    ) -> Result<Self> {
        config.check()?;
        let path = Arc::new(locate(path.as_ref())?);
        let options = config.writer(&path);
        let connected = options.clone().create_if_missing(true).connect().await;
        let mut connection =
            connected.map_err(|error| from_sqlx("sqlite.open", &path, Arc::new(error)))?;
        schema::prepare(&mut connection, &path, &*runtime).await?;

        let (requests, receiver) = mpsc::channel(MAX_QUEUE);
        let writer = Writer {
            path: Arc::clone(&path),
            options,
            clock: Arc::clone(&clock),
            connection: Some(connection),
        };
        runtime.spawn(writer.run(receiver).boxed());
        Ok(Self {
            readers: Readers::new(config.reader(&path), config.readers),
            durability: config.durability,
            path,
            clock,
            requests,
        })
    }

    /// Removes at most `limit` records that are past their retention, 10,000 at most, the oldest first. Says how
    /// many; zero when there are no more.
    ///
    /// Other writes wait meanwhile: prefer small limits, often. Errors as for
    /// [`put_new`](IndexStore::put_new). Idempotent.
    pub async fn purge_expired(&self, limit: u32) -> Result<u64> {
        let limit = limit.min(MAX_PURGE);
        self.write(Op::PurgeExpired { limit }).await
    }

    /// Has the writer do `op`. Dropping this leaves open whether it is done.
    async fn write(&self, op: Op) -> Result<u64> {
        let name = op.name();
        let gone = || {
            let message = "the writer has ended: the runtime is shutting down";
            Error::new(ErrorKind::Unavailable, name, message)
        };
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(Request { op, reply }).await;
        sent.map_err(|_| gone())?;
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(gone().maybe_applied()),
        }
    }

    async fn cas(&self, op: Op) -> Result<Cas> {
        Ok(match self.write(op).await? {
            0 => Cas::Conflict,
            _ => Cas::Applied,
        })
    }

    fn now(&self) -> i64 {
        now_to_sql(self.clock.now())
    }

    fn failed(&self, op: &'static str, error: sqlx::Error) -> Error {
        from_sqlx(op, &self.path, Arc::new(error))
    }

    async fn page(
        &self,
        reader: &mut Reader<'_>,
        after: &[u8],
        limit: usize,
    ) -> Result<IndexPage, sqlx::Error> {
        let mut rows = sqlx::query(SCAN)
            .bind(after)
            .bind(self.now())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch(reader.connection()?);
        let (mut records, mut last) = (Vec::new(), after.to_vec());
        let (mut seen, mut bytes) = (0, 0);
        while seen < limit && bytes < MAX_PAGE_BYTES {
            let Some(row) = rows.try_next().await? else {
                return Ok(IndexPage {
                    records,
                    next: None,
                });
            };
            last = row.try_get("key")?;
            seen += 1;
            let (Some(key), Some(record)) = (Key::from_bytes(&last), from_row(&row)?) else {
                // One damaged row must not keep a walk from the others.
                tracing::warn!(path = %self.path.display(), "skipped a damaged record");
                continue;
            };
            bytes += record.manifest.len();
            records.push((key, record));
        }
        Ok(IndexPage {
            records,
            next: Some(Cursor::new(last)),
        })
    }
}

/// The absolute path, so that SQLite takes none of it for an option. Makes the directory.
fn locate(path: &Path) -> Result<PathBuf> {
    let located = std::path::absolute(path).and_then(|path| {
        // Blocks for one system call or two, once, while nothing else is there to be held up.
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        Ok(path)
    });
    located.map_err(|error| {
        let path = path.display();
        let message =
            format!("cannot make the directory of {path}: check the path and its permissions");
        Error::new(ErrorKind::Denied, "sqlite.open", message).with_source(error)
    })
}

fn check_size(op: Op, record: &Record) -> Result<Op> {
    let len = record.manifest.len();
    if len <= MAX_MANIFEST_BYTES {
        return Ok(op);
    }
    let message = format!("a record of {len} bytes; {MAX_MANIFEST_BYTES} is the limit");
    Err(Error::new(ErrorKind::Exhausted, op.name(), message))
}

#[async_trait]
impl IndexStore for SqliteIndex {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        const OP: &str = "sqlite.get";
        let failed = |error| self.failed(OP, error);
        let mut reader = self.readers.acquire().await.map_err(failed)?;
        let query = sqlx::query(GET).bind(key.to_bytes()).bind(self.now());
        let row = query
            .fetch_optional(reader.connection().map_err(failed)?)
            .await;
        let Some(row) = reader.settle(row).map_err(failed)? else {
            return Ok(None);
        };
        match from_row(&row).map_err(failed)? {
            Some(record) => Ok(Some(record)),
            None => Err(damaged_row(OP, &self.path)),
        }
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        let op = Op::PutNew {
            key: *key,
            record: record.clone(),
        };
        self.cas(check_size(op, record)?).await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        let op = Op::CasUpdate {
            key: *key,
            expected,
            record: record.clone(),
        };
        self.cas(check_size(op, record)?).await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        let key = *key;
        self.cas(Op::Delete { key, expected }).await
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        let op = Op::TouchTtl {
            key: *key,
            expected,
            retain_until,
        };
        self.cas(op).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        let failed = |error| self.failed("sqlite.scan", error);
        let after = after.map_or(&[][..], Cursor::as_bytes);
        let mut reader = self.readers.acquire().await.map_err(failed)?;
        let page = self.page(&mut reader, after, limit.min(MAX_PAGE)).await;
        reader.settle(page).map_err(failed)
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: self.durability == Durability::Full,
            max_record_bytes: MAX_MANIFEST_BYTES,
        }
    }
}

impl fmt::Debug for SqliteIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteIndex")
            .field("path", &self.path)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
