use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ClientTlsConfig, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};
use terrace_core::{Error, ErrorKind, Result};

use crate::replicas::Replicas;

/// How to reach Redis, or Valkey.
///
/// A URL is `redis://[user:password@]host:port[/database]`, with `rediss://` for TLS. Passwords appear in no output of
/// this crate.
#[derive(Clone)]
pub struct RedisConfig {
    pub(crate) topology: Topology,
    pub(crate) urls: Vec<SecretString>,
    /// Begins the name of every key this crate writes. Default: `terrace`. Two caches may share a server under two
    /// prefixes. At most 64 bytes, without `{` and `}`.
    pub prefix: String,
    /// The certificate of the authority that signed the servers', in PEM. Default: those the system trusts.
    pub authority: Option<Vec<u8>>,
    /// How long to wait for a connection. Default: 2 s.
    pub connect_timeout: Duration,
    /// How long to wait for an answer. Default: 5 s. Callers with shorter deadlines drop the call before.
    pub response_timeout: Duration,
    /// How many replicas must have a write before it is acknowledged. Default: none.
    pub replicas: Option<Replicas>,
}

/// How the servers stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Topology {
    Single,
    Sentinel { name: String },
    Cluster,
}

impl RedisConfig {
    /// One server, or whatever is behind one address.
    pub fn single(url: impl Into<String>) -> Self {
        Self::new(Topology::Single, [url])
    }

    /// A primary called `name` by the sentinels at `urls`. User, password and database of the first URL are for the
    /// primary; sentinels are asked without any.
    pub fn sentinel<U: Into<String>>(
        name: impl Into<String>,
        urls: impl IntoIterator<Item = U>,
    ) -> Self {
        Self::new(Topology::Sentinel { name: name.into() }, urls)
    }

    /// A cluster, of which some nodes are at `urls`.
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self::new(Topology::Cluster, urls)
    }

    fn new<U: Into<String>>(topology: Topology, urls: impl IntoIterator<Item = U>) -> Self {
        let urls = urls.into_iter().map(|url| SecretString::from(url.into()));
        Self {
            topology,
            urls: urls.collect(),
            prefix: "terrace".to_owned(),
            authority: None,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            replicas: None,
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.urls.is_empty() {
            return Err(invalid("no server is named: give at least one URL"));
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
        if self.prefix.len() > 64 || !self.prefix.bytes().all(is_plain) {
            return Err(invalid(
                "the prefix must be at most 64 visible ASCII characters, without { and }",
            ));
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(invalid("a timeout of zero would fail every call"));
        }
        self.replicas
            .map_or(Ok(()), |replicas| replicas.validate(self))
    }

    /// Where the servers are, and how to log in.
    pub(crate) fn servers(&self) -> Result<Vec<ConnectionInfo>> {
        let parse = |(number, url): (usize, &SecretString)| {
            let info = url.expose_secret().into_connection_info();
            // The parser's own message may quote the URL.
            let info = info.map_err(|_| {
                invalid(format!(
                    "URL {} is none: it should be redis://[user:password@]host:port[/database]",
                    number + 1
                ))
            })?;
            Ok(info.set_tcp_settings(tcp()))
        };
        self.urls.iter().enumerate().map(parse).collect()
    }

    pub(crate) fn certificates(&self) -> TlsCertificates {
        TlsCertificates {
            client_tls: None::<ClientTlsConfig>,
            root_cert: self.authority.clone(),
        }
    }
}

/// Small requests must not wait for each other.
pub(crate) fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "redis.config", message)
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("topology", &self.topology)
            .field("urls", &self.urls.len())
            .field("prefix", &self.prefix)
            .field("authority", &self.authority.is_some())
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("replicas", &self.replicas)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_no_password_is_in_any_output() {
        let config = RedisConfig::single("redis://user:canary@127.0.0.1:x/");
        let said = format!("{config:?} {}", config.servers().unwrap_err());
        assert!(!said.contains("canary"), "{said}");
    }

    #[test]
    fn nonsense_is_refused() {
        let valid = RedisConfig::single("redis://127.0.0.1");
        assert!(valid.validate().is_ok());
        let mut no_timeout = valid.clone();
        no_timeout.response_timeout = Duration::ZERO;
        let mut tagged = valid.clone();
        tagged.prefix = "a{b}".to_owned();
        let nowhere = RedisConfig::cluster::<String>([]);
        for refused in [no_timeout, tagged, nowhere] {
            let error = refused.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
