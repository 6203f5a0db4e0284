use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use sqlx::postgres::PgConnection;
use terrace_core::{Clock, Result, Runtime, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::ask::{Answer, Query, Question};
use crate::config::CrdbConfig;
use crate::error::Op;
use crate::session::{Dialer, within};
use crate::state::diagnose;

/// A connection that was idle for longer is asked whether it is still one, before a write is entrusted to it.
const TRUSTED: Duration = Duration::from_secs(10);
/// What the server has to say so, and beyond its own limit on a statement: by then it is not there.
const GRACE: Duration = Duration::from_millis(500);

/// Connections, made when they are first needed.
///
/// Not `sqlx`'s pool: that one spawns tasks outside of the `Runtime` port, and asks the server about each connection that comes
/// back. **A connection whose call was dropped, or not answered, is closed**: what it would say next could be the answer to that
/// call. Connecting is a task of its own, so that callers with short deadlines do not begin it again and again.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    dialer: Dialer,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    acquire_timeout: Duration,
    response_timeout: Duration,
    max_age: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
    /// Advances when a connection breaks: those made before lead to the same server, and are not used again.
    era: AtomicU64,
}

struct Session {
    connection: PgConnection,
    era: u64,
    made: Timestamp,
    used: Timestamp,
}

/// Why a call on a connection failed.
pub(crate) enum Failure {
    /// The database said so, or the connection broke.
    Database(sqlx::Error),
    /// There was no answer in time.
    Late,
}

impl Pool {
    pub(crate) fn new(
        dialer: Dialer,
        config: &CrdbConfig,
        runtime: Arc<dyn Runtime>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shared = Shared {
            dialer,
            runtime,
            clock,
            acquire_timeout: config.acquire_timeout,
            response_timeout: config.response_timeout,
            max_age: config.max_age,
            permits: Arc::new(Semaphore::new(config.max_connections)),
            idle: Mutex::default(),
            era: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.shared.runtime
    }

    /// A connection, as soon as fewer than the limit are in use. Whatever fails here, no statement was sent.
    pub(crate) async fn acquire(&self, op: Op) -> Result<Lease> {
        let shared = &self.shared;
        let waiting = Arc::clone(&shared.permits).acquire_owned();
        let Some(permit) = within(&*shared.runtime, shared.acquire_timeout, waiting).await else {
            let message =
                "all connections are busy: see what keeps the database, or raise `max_connections`";
            return Err(op.late(message));
        };
        let mut lease = Lease {
            session: shared.idle_session(),
            shared: Arc::clone(shared),
            _permit: permit.map_err(|_| op.ending())?,
        };
        while let Some(session) = &lease.session {
            let is_trusted = shared.clock.now().since(session.used) < TRUSTED;
            // A read is repeated where it meets a broken one; whether a write took effect would stay open.
            if is_trusted || !op.writes() || lease.answers().await {
                return Ok(lease);
            }
            lease.session = shared.idle_session();
        }
        self.connect(op, lease).await
    }

    /// A new connection. Who leaves meanwhile leaves it to the others.
    async fn connect(&self, op: Op, mut lease: Lease) -> Result<Lease> {
        let (reply, answer) = oneshot::channel();
        let connecting = async move {
            let connected = lease.shared.connect(op).await;
            let connected = connected.map(|session| {
                lease.session = Some(session);
                lease
            });
            // If there is nobody any more, it goes among the idle ones.
            let _ = reply.send(connected);
        };
        self.shared.runtime.spawn(connecting.boxed());
        answer.await.unwrap_or_else(|_| Err(op.ending()))
    }
}

impl Shared {
    /// The one used last, of those that are good for more.
    fn idle_session(&self) -> Option<Session> {
        let now = self.clock.now();
        let era = self.era.load(Ordering::Acquire);
        let mut idle = self.idle.lock();
        loop {
            let session = idle.pop()?;
            if session.era == era && now.since(session.made) < self.max_age {
                return Some(session);
            }
        }
    }

    async fn connect(&self, op: Op) -> Result<Session> {
        // Before it connects: should the server die meanwhile, this is one of the connections that are not used again.
        let era = self.era.load(Ordering::Acquire);
        let connection = self.dialer.connect(op, &*self.runtime).await?;
        let now = self.clock.now();
        Ok(Session {
            connection,
            era,
            made: now,
            used: now,
        })
    }
}

/// A connection on loan. It goes back when this is dropped, unless a call on it did not come to its end.
pub(crate) struct Lease {
    /// `None` while a call is under way, and after one that spoilt it.
    session: Option<Session>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Asks `query`. The connection is kept only if it can be used for another.
    pub(crate) async fn ask(mut self, query: Query<'_>) -> Result<Answer, Failure> {
        let timeout = self.shared.response_timeout + GRACE;
        self.settle(timeout, Question::Query(query)).await
    }

    /// Whether the server is still there.
    async fn answers(&mut self) -> bool {
        self.settle(GRACE, Question::Ping).await.is_ok()
    }

    async fn settle(
        &mut self,
        timeout: Duration,
        question: Question<'_>,
    ) -> Result<Answer, Failure> {
        let Some(mut session) = self.session.take() else {
            return Err(Failure::Late);
        };
        // From here on it is this future's: dropping that closes it.
        let asking = question.ask(&mut session.connection);
        let asked = within(&*self.shared.runtime, timeout, asking).await;
        let result = match asked {
            Some(result) => result.map_err(Failure::Database),
            None => Err(Failure::Late),
        };
        let is_usable = match &result {
            Ok(_) => true,
            Err(Failure::Database(error)) => diagnose(error).is_usable,
            Err(Failure::Late) => false,
        };
        if is_usable {
            session.used = self.shared.clock.now();
            self.session = Some(session);
        } else {
            self.shared.era.fetch_add(1, Ordering::AcqRel);
        }
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.shared.idle.lock().push(session);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("idle", &self.shared.idle.lock().len())
            .field("free", &self.shared.permits.available_permits())
            .finish_non_exhaustive()
    }
}
