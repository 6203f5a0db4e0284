use std::fmt;
use std::time::Duration;

use super::Upstream;
use crate::config::not_zero;
use crate::error::ConfigError;

/// Servers that answer the same requests, and how the load is shared among them.
///
/// A server that cannot be connected to, or fails before the first byte of a response, is left out for a while
/// ([`eject_for`](Self::eject_for)), and the request goes to another one where that is safe. Only if all are left out
/// are they tried all the same.
///
/// ```
/// # use terrace_proxy::{Selection, UpstreamGroup};
/// let mut group = UpstreamGroup::new(["10.0.0.1:80".parse()?, "10.0.0.2:80".parse()?]);
/// group.selection = Selection::Hash;
/// # Ok::<(), terrace_proxy::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpstreamGroup {
    /// One at least, 256 at most. Two that come out at one address and port are one, with the settings of the first.
    pub servers: Vec<Upstream>,
    /// Which of them gets a request. Default: [`Selection::RoundRobin`].
    pub selection: Selection,
    /// How it is found out whether they are well. Default: none if there is one server, a connection every 5 s if
    /// there are more.
    pub health: Option<HealthCheck>,
    /// How long a server is left out that has failed. Then one request at a time tries it, and its first success
    /// brings it back; so does a health check. Default: 10 s.
    pub eject_for: Duration,
    /// How many servers one request may try: 1 to 16. Default: 3.
    pub tries: usize,
    /// What upstreams are told that the request is for. Default: [`HostPolicy::Client`].
    pub host: HostPolicy,
}

/// Which server gets a request, among those that are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Selection {
    /// One after the other, as often as their weights say.
    #[default]
    RoundRobin,
    /// Any, as often as their weights say.
    Random,
    /// The one with the fewest requests under way, by weight.
    LeastRequests,
    /// The one the cache key points to (Ketama): one URL, one server. When a server comes or goes, only its own share
    /// moves. For upstreams that are caches themselves.
    Hash,
}

/// What upstreams are told that a request is for: its `Host`, or `:authority`. The cache key is the client's in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HostPolicy {
    /// What the client asked for.
    #[default]
    Client,
    /// The host of the upstream, with its port if that is not the scheme's own.
    Upstream,
    /// This.
    Fixed(String),
}

/// How it is found out whether a server is well: by a connection, with its TLS handshake; or by a request, too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// The path and query that is asked for by `GET`. Well is who answers 200 to 399. Default: `None`, a connection
    /// will do.
    pub path: Option<String>,
    /// The `Host` of that request. Default: what [`HostPolicy`] says, and of the client's: the upstream's.
    pub host: Option<String>,
    /// The time between two checks, 10 ms at least. Default: 5 s.
    pub every: Duration,
    /// How long one may take in all. Default: 2 s.
    pub timeout: Duration,
    /// How many must fail in a row. Default: 2.
    pub failures: usize,
    /// How many must succeed in a row. Default: 1.
    pub successes: usize,
}

impl HostPolicy {
    /// `client`, `upstream`, or else the host itself, which is checked with its group.
    pub fn named(text: &str) -> Self {
        match text {
            "client" => Self::Client,
            "upstream" => Self::Upstream,
            host => Self::Fixed(host.to_owned()),
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: None,
            host: None,
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            failures: 2,
            successes: 1,
        }
    }
}

impl fmt::Display for UpstreamGroup {
    /// The addresses of its servers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.servers.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{server}")?;
        }
        Ok(())
    }
}

impl From<Upstream> for UpstreamGroup {
    fn from(server: Upstream) -> Self {
        Self::new([server])
    }
}

impl UpstreamGroup {
    /// The defaults, for these servers.
    pub fn new(servers: impl IntoIterator<Item = Upstream>) -> Self {
        let servers: Vec<_> = servers.into_iter().collect();
        let health = (servers.len() > 1).then(HealthCheck::default);
        Self {
            servers,
            selection: Selection::default(),
            health,
            eject_for: Duration::from_secs(10),
            tries: 3,
            host: HostPolicy::default(),
        }
    }

    /// How often the names of its servers are resolved.
    pub(super) fn resolve_every(&self) -> Duration {
        let servers = self.servers.iter();
        let shortest = servers.map(|server| server.resolve_every).min();
        shortest.unwrap_or(Duration::from_secs(30))
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        not_zero("servers of an upstream group", !self.servers.is_empty())?;
        at_most(
            "servers of an upstream group",
            self.servers.len() <= 256,
            "256",
        )?;
        for server in &self.servers {
            server.validate()?;
        }
        not_zero("tries", self.tries > 0)?;
        at_most("tries", self.tries <= 16, "16")?;
        let hour = Duration::from_hours(1);
        not_zero("eject_for", !self.eject_for.is_zero())?;
        at_most("eject_for", self.eject_for <= hour, "one hour")?;
        if let HostPolicy::Fixed(host) = &self.host {
            authority(host)?;
        }
        match &self.health {
            Some(check) => check.validate(),
            None => Ok(()),
        }
    }
}

impl HealthCheck {
    fn validate(&self) -> Result<(), ConfigError> {
        let hour = Duration::from_hours(1);
        not_zero(
            "the time between two health checks",
            self.every >= Duration::from_millis(10),
        )?;
        not_zero("the timeout of a health check", !self.timeout.is_zero())?;
        at_most(
            "the time between two health checks",
            self.every <= hour,
            "one hour",
        )?;
        at_most(
            "the timeout of a health check",
            self.timeout <= hour,
            "one hour",
        )?;
        not_zero("failures", self.failures > 0)?;
        not_zero("successes", self.successes > 0)?;
        if let Some(host) = &self.host {
            authority(host)?;
        }
        match &self.path {
            Some(path) if !is_path(path) => Err(ConfigError::HealthPath(path.clone())),
            _ => Ok(()),
        }
    }
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.parse::<http::uri::PathAndQuery>().is_ok()
}

fn authority(text: &str) -> Result<(), ConfigError> {
    let parsed = http::uri::Authority::try_from(text);
    if parsed.is_ok_and(|it| !it.as_str().contains('@')) {
        Ok(())
    } else {
        Err(ConfigError::UpstreamHost(text.to_owned()))
    }
}

pub(super) fn at_most(
    what: &'static str,
    holds: bool,
    most: &'static str,
) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::TooMuch(what, most))
    }
}
