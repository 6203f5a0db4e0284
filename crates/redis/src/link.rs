use std::fmt;

use parking_lot::RwLock;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, Pipeline,
    RedisError, RedisFuture, RedisResult, ScriptInvocation, ServerErrorKind, TlsMode, Value,
};
use terrace_core::Result;

use crate::config::{RedisConfig, Topology, tcp};
use crate::error::Op;

/// The way to the servers: one connection that all callers share, made anew when it breaks.
///
/// A broken connection fails the calls that are on it; the next call connects again, to whichever server is the
/// primary then. Calls are never repeated here: whether a lost answer matters is the caller's to know.
pub(crate) struct Link {
    server: Server,
    connecting: tokio::sync::Mutex<()>,
    current: RwLock<Current>,
    settings: AsyncConnectionConfig,
}

enum Server {
    Single(Box<Client>),
    Sentinel(Box<tokio::sync::Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>),
}

#[derive(Default)]
struct Current {
    connection: Option<Connection>,
    /// How many there were.
    number: u64,
}

/// A connection to one server, or to a cluster.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects to nothing yet.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        config.validate()?;
        let refused = |error: RedisError| Op::new("redis.config").error(error);
        let server = match &config.topology {
            Topology::Single => {
                let info = config.servers()?.swap_remove(0);
                let client = match info.addr() {
                    ConnectionAddr::TcpTls { .. } => {
                        Client::build_with_tls(info, config.certificates())
                    }
                    _ => Client::open(info),
                };
                Server::Single(Box::new(client.map_err(refused)?))
            }
            Topology::Sentinel { name } => {
                let client = sentinel(config, name)?.build().map_err(refused)?;
                Server::Sentinel(Box::new(tokio::sync::Mutex::new(client)))
            }
            Topology::Cluster => {
                let builder = ClusterClientBuilder::new(config.servers()?)
                    .tcp_settings(tcp())
                    .connection_timeout(config.connect_timeout)
                    .response_timeout(config.response_timeout);
                let builder = match config.authority {
                    Some(_) => builder.certs(config.certificates()),
                    None => builder,
                };
                Server::Cluster(Box::new(builder.build().map_err(refused)?))
            }
        };
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout));
        Ok(Self {
            server,
            connecting: tokio::sync::Mutex::default(),
            current: RwLock::default(),
            settings,
        })
    }

    /// Runs `call` on the shared connection.
    pub(crate) async fn run<T>(
        &self,
        op: Op,
        call: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T> {
        let connected = self.connected().await;
        let (number, mut connection) = connected.map_err(|error| op.refused(error))?;
        let result = call(&mut connection).await;
        result.map_err(|error| {
            if is_useless_after(&connection, &error) {
                self.forget(number);
            }
            op.error(error)
        })
    }

    /// Runs one command.
    pub(crate) async fn command<T: FromRedisValue>(&self, op: Op, command: &Cmd) -> Result<T> {
        self.run(op, async |connection| command.query_async(connection).await)
            .await
    }

    /// Runs commands on keys of one shard, one after the other: what others send may come in between.
    pub(crate) async fn commands<T: FromRedisValue>(
        &self,
        op: Op,
        commands: &Pipeline,
    ) -> Result<T> {
        self.run(op, async |connection| {
            commands.query_async(connection).await
        })
        .await
    }

    /// Runs one script.
    pub(crate) async fn script<T: FromRedisValue + Send>(
        &self,
        op: Op,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        self.run(op, async |connection| script.invoke_async(connection).await)
            .await
    }

    async fn connected(&self) -> RedisResult<(u64, Connection)> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        // One connects, the others wait for it.
        let _connecting = self.connecting.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let connection = self.connect().await?;
        let mut current = self.current.write();
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((current.number, connection))
    }

    fn current(&self) -> Option<(u64, Connection)> {
        let current = self.current.read();
        Some((current.number, current.connection.clone()?))
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let to = |client: Client| async move {
            client
                .get_multiplexed_async_connection_with_config(&self.settings)
                .await
        };
        match &self.server {
            Server::Single(client) => Ok(Connection::One(to((**client).clone()).await?)),
            Server::Sentinel(sentinel) => {
                let client = sentinel.lock().await.async_get_client().await?;
                Ok(Connection::One(to(client).await?))
            }
            Server::Cluster(client) => {
                Ok(Connection::Cluster(client.get_async_connection().await?))
            }
        }
    }

    /// Drops the connection, unless there is another by now.
    fn forget(&self, number: u64) {
        let mut current = self.current.write();
        if current.number == number {
            current.connection = None;
        }
    }
}

/// A client that asks the sentinels for the primary each time it connects.
fn sentinel(config: &RedisConfig, name: &str) -> Result<SentinelClientBuilder> {
    let servers = config.servers()?;
    let builder = SentinelClientBuilder::new(
        servers.iter().map(|server| server.addr().clone()),
        name,
        SentinelServerType::Master,
    );
    let mut builder = builder
        .map_err(|error| Op::new("redis.config").error(error))?
        .set_client_to_redis_tcp_settings(tcp());
    if let Some(first) = servers.first() {
        let login = first.redis_settings();
        builder = builder.set_client_to_redis_db(login.db());
        if let Some(user) = login.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = login.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if matches!(first.addr(), ConnectionAddr::TcpTls { .. }) {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(config.certificates())
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_certificates(config.certificates());
        }
    }
    Ok(builder)
}

/// Whether the next call should connect anew: the connection broke, or leads to a server that is the primary no more.
fn is_useless_after(connection: &Connection, error: &RedisError) -> bool {
    match connection {
        // It mends itself, and learns of new primaries by itself.
        Connection::Cluster(_) => false,
        Connection::One(_) => {
            let is_replica = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
            // A connection that does not answer may be to a server that is gone.
            is_replica || error.is_io_error() || error.is_unrecoverable_error()
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(one) => one.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(one) => one.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.server {
            Server::Single(_) => "single",
            Server::Sentinel(_) => "sentinel",
            Server::Cluster(_) => "cluster",
        };
        f.debug_struct("Link")
            .field("to", &kind)
            .finish_non_exhaustive()
    }
}
