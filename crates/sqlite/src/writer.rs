use std::path::PathBuf;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use terrace_core::{Clock, Error, Result};
use tokio::sync::{mpsc, oneshot};

use crate::error::from_sqlx;
use crate::statements::Op;

/// Requests that may wait for the writer; further callers wait to get in line.
pub(crate) const MAX_QUEUE: usize = 1024;
/// Requests in one transaction.
const MAX_BATCH: usize = 256;
/// Pages given back to the file system at a time: 4 MiB, which are moved to make room.
const RELEASE: &str = "PRAGMA incremental_vacuum(1024)";

/// A change to be made, and whom to tell how many rows it changed.
pub(crate) struct Request {
    pub(crate) op: Op,
    pub(crate) reply: oneshot::Sender<Result<u64>>,
}

/// The task that makes all changes of this process, on the one connection that writes.
pub(crate) struct Writer {
    pub(crate) path: Arc<PathBuf>,
    pub(crate) options: SqliteConnectOptions,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` after a failure.
    pub(crate) connection: Option<SqliteConnection>,
}

/// Why a transaction did not end well.
enum Failure {
    /// Nothing was committed.
    Undone(sqlx::Error),
    /// The commit failed: it may be on the disk all the same.
    Unknown(sqlx::Error),
}

impl Writer {
    /// Makes changes until nobody can ask for any more.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while requests.recv_many(&mut batch, MAX_BATCH).await > 0 {
            // Who has left meanwhile does not need it done.
            batch.retain(|request| !request.reply.is_closed());
            if batch.is_empty() {
                continue;
            }
            let purges = batch
                .iter()
                .any(|r| matches!(r.op, Op::PurgeExpired { .. }));
            match self.commit(&batch).await {
                Ok(counts) => {
                    for (request, count) in batch.drain(..).zip(counts) {
                        // Nobody to tell: the caller was dropped, and may not rely on either outcome.
                        let _ = request.reply.send(Ok(count));
                    }
                    if purges {
                        self.release_space().await;
                    }
                }
                Err(failure) => self.fail(&mut batch, failure),
            }
        }
        if let Some(conn) = self.connection {
            close(conn).await;
        }
    }

    /// Makes all changes of `batch`, or none.
    async fn commit(&mut self, batch: &[Request]) -> Result<Vec<u64>, Failure> {
        let mut conn = match self.connection.take() {
            Some(conn) => conn,
            None => self.options.connect().await.map_err(Failure::Undone)?,
        };
        match transact(&mut conn, batch, &*self.clock).await {
            Ok(counts) => {
                self.connection = Some(conn);
                Ok(counts)
            }
            Err(failure) => {
                // That rolls back whatever it was doing.
                close(conn).await;
                Err(failure)
            }
        }
    }

    fn fail(&self, batch: &mut Vec<Request>, failure: Failure) {
        let (error, known) = match failure {
            Failure::Undone(error) => (error, true),
            Failure::Unknown(error) => (error, false),
        };
        let error = Arc::new(error);
        for request in batch.drain(..) {
            let answer: Error = from_sqlx(request.op.name(), &self.path, Arc::clone(&error));
            let answer = if known {
                answer
            } else {
                answer.maybe_applied()
            };
            let _ = request.reply.send(Err(answer));
        }
    }

    /// Gives some pages back to the file system if more than a quarter of the file is free. Fewer are left to
    /// be used again: to give them back would only be work.
    async fn release_space(&mut self) {
        let Some(conn) = &mut self.connection else {
            return;
        };
        if let Err(error) = release_space(conn).await {
            // The space is used again, in any case.
            tracing::warn!(path = %self.path.display(), %error, "free pages were not given back");
        }
    }
}

async fn transact(
    conn: &mut SqliteConnection,
    batch: &[Request],
    clock: &dyn Clock,
) -> Result<Vec<u64>, Failure> {
    execute(conn, "BEGIN IMMEDIATE")
        .await
        .map_err(Failure::Undone)?;
    let mut counts = Vec::with_capacity(batch.len());
    for request in batch {
        let count = request.op.execute(conn, clock.now()).await;
        counts.push(count.map_err(Failure::Undone)?);
    }
    execute(conn, "COMMIT").await.map_err(Failure::Unknown)?;
    Ok(counts)
}

async fn release_space(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let sizes = "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count";
    let (free, all): (i64, i64) = sqlx::query_as(sizes).fetch_one(&mut *conn).await?;
    if free > all / 4 {
        execute(conn, RELEASE).await?;
    }
    Ok(())
}

async fn close(conn: SqliteConnection) {
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "the connection that writes was not closed properly");
    }
}

async fn execute(conn: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(conn).await.map(drop)
}

#[cfg(test)]
mod tests;
