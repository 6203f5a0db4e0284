use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora::upstreams::peer::HttpPeer;
use terrace_core::{Clock, Timestamp};

use crate::config::not_zero;
use crate::error::ConfigError;

/// Where responses come from: one `HOST:PORT`, plain HTTP/1.1.
///
/// ```
/// # use terrace_proxy::Upstream;
/// let mut upstream: Upstream = "origin.example:80".parse()?;
/// upstream.read_timeout = std::time::Duration::from_secs(10);
/// # Ok::<(), terrace_proxy::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upstream {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long to wait for a connection. Default: 3 s.
    pub connect_timeout: Duration,
    /// How long to wait for the next piece of a response. Default: 30 s.
    pub read_timeout: Duration,
    /// How long to wait for the upstream to take the next piece of a request. Default: 30 s.
    pub write_timeout: Duration,
    /// How long an unused connection is kept. Default: 60 s.
    pub idle_timeout: Duration,
    /// How long to wait for the name to be resolved. Default: 2 s.
    pub resolve_timeout: Duration,
    /// How long the addresses of the name are used before it is resolved again. If that fails, the old ones are
    /// used on. Default: 30 s.
    pub resolve_every: Duration,
}

impl Upstream {
    /// An upstream with the default timeouts.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            resolve_timeout: Duration::from_secs(2),
            resolve_every: Duration::from_secs(30),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let timeouts = [
            ("connect_timeout", self.connect_timeout),
            ("read_timeout", self.read_timeout),
            ("write_timeout", self.write_timeout),
            ("resolve_timeout", self.resolve_timeout),
            ("resolve_every", self.resolve_every),
        ];
        for (what, timeout) in timeouts {
            not_zero(what, timeout >= Duration::from_millis(1))?;
        }
        not_zero("port", self.port > 0)
    }
}

impl FromStr for Upstream {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let refused = || ConfigError::Upstream(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port = port.parse().map_err(|_| refused())?;
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let host = match bare {
            Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
            // A colon outside of brackets: where does the address end?
            None if !host.contains(':') => host,
            _ => return Err(refused()),
        };
        let is_odd = |it: char| it.is_whitespace() || it.is_control() || "/@?#[]".contains(it);
        if host.is_empty() || host.contains(is_odd) || port == 0 {
            return Err(refused());
        }
        Ok(Self::new(host, port))
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The upstream's addresses, resolved now and then.
#[derive(Debug)]
pub(crate) struct Resolver {
    upstream: Upstream,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
    /// Held by whoever is resolving.
    resolving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    until: Timestamp,
}

impl Resolver {
    pub(crate) fn new(upstream: Upstream, clock: Arc<dyn Clock>) -> Self {
        Self {
            upstream,
            clock,
            known: Mutex::new(None),
            resolving: tokio::sync::Mutex::new(()),
        }
    }

    /// The peer for the `attempt`th try, and how many there are to try.
    pub(crate) async fn peer(&self, attempt: usize) -> pingora::Result<(HttpPeer, usize)> {
        let addresses = self.addresses().await?;
        // `addresses` is never empty: `resolve` sees to it.
        let address = addresses[attempt % addresses.len()];
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.connection_timeout = Some(self.upstream.connect_timeout);
        peer.options.total_connection_timeout = Some(self.upstream.connect_timeout);
        peer.options.read_timeout = Some(self.upstream.read_timeout);
        peer.options.write_timeout = Some(self.upstream.write_timeout);
        peer.options.idle_timeout = Some(self.upstream.idle_timeout);
        Ok((peer, addresses.len()))
    }

    /// One request resolves; others go on with what is known. The first ones wait.
    async fn addresses(&self) -> pingora::Result<Arc<[SocketAddr]>> {
        let known = self.known.lock().clone();
        let Some(known) = known else {
            let _first = self.resolving.lock().await;
            let by_now = self.known.lock().clone();
            return match by_now {
                Some(known) => Ok(known.addresses),
                None => self.resolve().await,
            };
        };
        if self.clock.now() < known.until {
            return Ok(known.addresses);
        }
        let Ok(_mine) = self.resolving.try_lock() else {
            return Ok(known.addresses);
        };
        match self.resolve().await {
            Ok(addresses) => Ok(addresses),
            Err(error) => {
                tracing::warn!(upstream = %self.upstream, %error, "going on with the upstream's old addresses");
                self.learn(&known.addresses);
                Ok(known.addresses)
            }
        }
    }

    async fn resolve(&self) -> pingora::Result<Arc<[SocketAddr]>> {
        let Upstream { host, port, .. } = &self.upstream;
        let lookup = tokio::net::lookup_host((host.as_str(), *port));
        let found = tokio::time::timeout(self.upstream.resolve_timeout, lookup).await;
        let unresolved = |why: String| {
            let context = format!("cannot resolve the upstream {}: {why}", self.upstream);
            pingora::Error::explain(pingora::ErrorType::ConnectNoRoute, context).into_up()
        };
        let addresses: Arc<[SocketAddr]> = match found {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(unresolved(error.to_string())),
            Err(_) => return Err(unresolved("no answer in time".to_owned())),
        };
        if addresses.is_empty() {
            return Err(unresolved("the name has no address".to_owned()));
        }
        self.learn(&addresses);
        Ok(addresses)
    }

    fn learn(&self, addresses: &Arc<[SocketAddr]>) {
        let until = self.clock.now().after(self.upstream.resolve_every);
        *self.known.lock() = Some(Known {
            addresses: Arc::clone(addresses),
            until,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_and_written() {
        for text in ["origin.example:80", "127.0.0.1:9000", "[::1]:9000"] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "origin",
            ":80",
            "origin:",
            "origin:0",
            "origin:99999",
            "::1:80",
            "[::1]",
            "[x]:80",
            "http://origin:80",
            "a b:80",
            "user@origin:80",
        ] {
            let error = text.parse::<Upstream>().unwrap_err();
            assert!(error.to_string().contains("HOST:PORT"), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn an_address_needs_no_resolution_and_attempts_go_round() {
        let upstream = Upstream::new("127.0.0.1", 9000);
        let resolver = Resolver::new(upstream, Arc::new(terrace_core::SystemClock));
        let (peer, addresses) = resolver.peer(3).await.unwrap();
        assert_eq!(addresses, 1);
        assert!(peer.to_string().contains("127.0.0.1:9000"), "{peer}");
    }
}
