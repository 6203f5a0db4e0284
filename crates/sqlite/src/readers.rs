use parking_lot::Mutex;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections for reading, opened when they are first needed.
///
/// Not `sqlx`'s pool: that one spawns a task, outside of the `Runtime` port, for every connection that comes
/// back. A connection whose reader was dropped in the middle of a query can be used again: its thread drops
/// the query when it finds nobody listening, and takes the next one.
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Semaphore,
}

impl Readers {
    pub(crate) fn new(options: SqliteConnectOptions, limit: usize) -> Self {
        Self {
            options,
            idle: Mutex::default(),
            permits: Semaphore::new(limit),
        }
    }

    /// A connection, as soon as fewer than the limit are in use.
    pub(crate) async fn acquire(&self) -> Result<Reader<'_>, sqlx::Error> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Reader {
            readers: self,
            connection: Some(connection),
            _permit: permit,
        })
    }
}

/// A connection on loan. It goes back when this is dropped.
pub(crate) struct Reader<'a> {
    readers: &'a Readers,
    /// `None` from the moment it is discarded or goes back.
    connection: Option<SqliteConnection>,
    _permit: SemaphorePermit<'a>,
}

impl Reader<'_> {
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Closes the connection if `result` is an error: the next reader opens another.
    pub(crate) fn settle<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if result.is_err() {
            self.connection = None;
        }
        result
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.idle.lock().push(connection);
        }
    }
}
