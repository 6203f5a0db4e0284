use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};
use terrace_core::{Error, ErrorKind, Result, Runtime};

use crate::config::CrdbConfig;
use crate::error::Op;
use crate::server::Server;

/// Makes connections, each serializable and with a limit on what a statement may take.
pub(crate) struct Dialer {
    servers: Vec<PgConnectOptions>,
    /// With which server the next one is made.
    next: AtomicUsize,
    settings: String,
    /// For each server that is tried.
    timeout: Duration,
}

impl Dialer {
    pub(crate) fn new(config: &CrdbConfig) -> Result<Self> {
        config.validate()?;
        let response = config.response_timeout.as_millis();
        Ok(Self {
            servers: config.servers()?,
            next: AtomicUsize::new(0),
            settings: format!(
                "SET default_transaction_isolation = 'serializable'; SET statement_timeout = {response};"
            ),
            timeout: config.connect_timeout,
        })
    }

    /// Makes the settings of `server`, too.
    pub(crate) fn knowing(mut self, server: Server) -> Self {
        self.settings.push_str(server.settings());
        self
    }

    /// A new connection. Each server is tried once, in turn.
    pub(crate) async fn connect(&self, op: Op, runtime: &dyn Runtime) -> Result<PgConnection> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.servers.len();
        let (before, after) = self.servers.split_at(first);
        let mut last = op.late("no server is named");
        for server in after.iter().chain(before) {
            let dialed = within(runtime, self.timeout, self.dial(op, server)).await;
            let late = || Err(op.late("the database did not take the connection in time"));
            match dialed.unwrap_or_else(late) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// It asks which isolation its settings led to: a pooler between us and the server may have lost them.
    async fn dial(&self, op: Op, server: &PgConnectOptions) -> Result<PgConnection> {
        let refused = |error| op.refused(error);
        let mut connection = server.connect().await.map_err(refused)?;
        let settings = AssertSqlSafe(self.settings.as_str());
        let set = sqlx::raw_sql(settings).execute(&mut connection).await;
        set.map_err(refused)?;
        let asked = text(&mut connection, "SHOW transaction_isolation").await;
        let isolation = asked.map_err(refused)?;
        if isolation.eq_ignore_ascii_case("serializable") {
            return Ok(connection);
        }
        let message = format!(
            "transactions are {isolation}, although they were to be serializable: connect without a pooler, or with one \
             that keeps a session's settings"
        );
        Err(Error::new(ErrorKind::Unsupported, op.name(), message))
    }
}

/// What a statement without parameters answers in its first column.
pub(crate) async fn text(
    connection: &mut PgConnection,
    statement: &'static str,
) -> Result<String, sqlx::Error> {
    let row = sqlx::raw_sql(statement).fetch_one(connection).await?;
    row.try_get(0)
}

/// What `future` becomes in time; dropped otherwise.
pub(crate) async fn within<F: Future>(
    runtime: &dyn Runtime,
    timeout: Duration,
    future: F,
) -> Option<F::Output> {
    match select(std::pin::pin!(future), runtime.sleep(timeout)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
