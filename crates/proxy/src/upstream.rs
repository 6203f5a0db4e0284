//! Where responses come from: groups of servers, how one of them is chosen, and who may not be chosen for now.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::not_zero;
use crate::error::ConfigError;
use crate::tls::{ClientIdentity, TrustAnchors};

mod balance;
mod discovery;
mod exchange;
mod gauge;
mod group;
mod member;
mod pool;
mod probe;
mod service;

pub use group::{HealthCheck, HostPolicy, Selection, UpstreamGroup};
pub use service::UpstreamService;

pub(crate) use exchange::ask;
pub(crate) use member::Engaged;
pub(crate) use pool::{DEFAULT_GROUP, Groups, Pool};

/// A server that responses come from: `HOST:PORT`, `http://HOST[:PORT]` or `https://HOST[:PORT]`.
///
/// ```
/// # use terrace_proxy::Upstream;
/// let mut upstream: Upstream = "https://origin.example".parse()?;
/// upstream.read_timeout = std::time::Duration::from_secs(10);
/// assert_eq!(upstream.port, 443);
/// # Ok::<(), terrace_proxy::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Upstream {
    /// A name or an address. Each address of a name is a server of its own, with the same weight and settings.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How much of the load it takes, beside the others of its group: 1 to 100. Default: 1.
    pub weight: usize,
    /// TLS towards it. Default: none, or the defaults if it was written `https://`.
    pub tls: Option<UpstreamTls>,
    /// What is spoken with it. Default: [`Protocol::Http1`].
    pub protocol: Protocol,
    /// How long to wait for a connection, the TLS handshake included. Default: 3 s.
    pub connect_timeout: Duration,
    /// How long to wait for the next piece of a response. Default: 30 s.
    pub read_timeout: Duration,
    /// How long to wait for the upstream to take the next piece of a request. Default: 30 s.
    pub write_timeout: Duration,
    /// How long an unused connection is kept. Default: 60 s.
    pub idle_timeout: Duration,
    /// How long a response may take in all, from the header on; one that takes longer is given up when its next piece
    /// comes, and not stored. Default: `None`, as long as pieces come.
    pub total_timeout: Option<Duration>,
    /// How long to wait for the name to be resolved. Default: 2 s.
    pub resolve_timeout: Duration,
    /// How long the addresses of the name are used before it is resolved again. If that fails, the old ones are
    /// used on. In a group, the shortest of its servers counts. Default: 30 s.
    pub resolve_every: Duration,
}

/// TLS towards an upstream. TLS 1.2 and 1.3, by rustls.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UpstreamTls {
    /// The name the certificate must be for, and which is sent as SNI. Default: the upstream's host. For an address, the
    /// certificate must name the address, and no SNI is sent.
    pub name: Option<String>,
    /// Who signs good certificates. Default: the authorities the system trusts, which `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` can replace.
    pub anchors: Option<TrustAnchors>,
    /// Who we are. Default: nobody.
    pub identity: Option<ClientIdentity>,
    /// What of its certificate is checked. Default: everything.
    pub verify: Verify,
}

/// What of an upstream's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Verify {
    /// Who signed it, when it ends, and whom it is for.
    #[default]
    Full,
    /// Who signed it and when it ends, but not whom it is for.
    NotTheName,
    /// Nothing: **whoever sits in between can answer in the upstream's place, and be cached.** For tests.
    Nothing,
}

/// What is spoken with an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 with many requests on one connection. Without TLS, the server must know it beforehand (RFC 9113,
    /// section 3.3); over TLS, one that does not choose it by ALPN is spoken to in HTTP/1.1.
    Http2,
}

/// The most a timeout may be: what takes longer is not a timeout.
const MAX_TIMEOUT: Duration = Duration::from_hours(24);
const MAX_WEIGHT: usize = 100;

impl Upstream {
    /// An upstream with the default settings, without TLS.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            weight: 1,
            tls: None,
            protocol: Protocol::Http1,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            total_timeout: None,
            resolve_timeout: Duration::from_secs(2),
            resolve_every: Duration::from_secs(30),
        }
    }

    /// `HOST`, or `HOST:PORT` if it is not the scheme's own port: what a request to it names as its `Host`.
    pub(crate) fn authority(&self) -> String {
        let own = if self.tls.is_some() { 443 } else { 80 };
        let host = bracketed(&self.host);
        if self.port == own {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let timeouts = [
            ("connect_timeout", Some(self.connect_timeout)),
            ("read_timeout", Some(self.read_timeout)),
            ("write_timeout", Some(self.write_timeout)),
            ("resolve_timeout", Some(self.resolve_timeout)),
            ("resolve_every", Some(self.resolve_every)),
            ("total_timeout", self.total_timeout),
        ];
        for (what, timeout) in timeouts {
            let Some(timeout) = timeout else { continue };
            not_zero(what, timeout >= Duration::from_millis(1))?;
            group::at_most(what, timeout <= MAX_TIMEOUT, "24 hours")?;
        }
        not_zero("port", self.port > 0)?;
        not_zero("weight", self.weight > 0)?;
        group::at_most("weight", self.weight <= MAX_WEIGHT, "100")
    }
}

impl FromStr for Upstream {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let refused = || ConfigError::Upstream(text.to_owned());
        let (address, tls) = if let Some(address) = text.strip_prefix("https://") {
            (address, Some(UpstreamTls::default()))
        } else {
            (text.strip_prefix("http://").unwrap_or(text), None)
        };
        let has_scheme = address.len() < text.len();
        let own = if tls.is_some() { 443 } else { 80 };
        // The last colon of "[::1]" belongs to the address.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| refused())?)
            }
            _ if has_scheme => (address, own),
            _ => return Err(refused()),
        };
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
        let mut upstream = Self::new(host, port);
        upstream.tls = tls;
        Ok(upstream)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tls.is_some() {
            f.write_str("https://")?;
        }
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

#[cfg(test)]
mod tests;
