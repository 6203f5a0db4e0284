use std::collections::HashSet;
use std::time::Duration;

use terrace_core::{Error, ErrorKind, Result};

/// The most servers of one tier.
const MAX_SERVERS: usize = 64;
/// What begins the address of a socket that is a file.
pub(crate) const UNIX: &str = "unix:";

/// How to reach Memcached.
#[derive(Debug, Clone)]
pub struct MemcachedConfig {
    pub(crate) servers: Vec<String>,
    /// Begins the name of every item this crate writes. Default: `terrace`. Two caches may share servers under two
    /// prefixes. At most 64 visible ASCII characters.
    pub prefix: String,
    /// How long to wait for a connection. Default: 2 s.
    pub connect_timeout: Duration,
    /// How long to wait for an answer. Default: 5 s. Callers with shorter deadlines drop the call before. A server that
    /// owes an answer for longer than twice this loses its connection.
    pub response_timeout: Duration,
    /// For how long a server remembers what it holds when no process uses it. Default: 5 minutes; 30 seconds to a day.
    ///
    /// It bounds how soon a server that was taken off the list may be put back with what it held; see
    /// [`MemcachedTier`](crate::MemcachedTier#when-the-list-of-servers-changes). If all processes are stopped for longer,
    /// the tier is empty when they come back.
    pub absence: Duration,
}

impl MemcachedConfig {
    /// The servers at these addresses: `host:port`, or `unix:/path`, at most 64.
    ///
    /// Which server has which objects depends on the addresses as they are written, and not on their order: all
    /// processes that share a tier must write them in the same way.
    pub fn new<S: Into<String>>(servers: impl IntoIterator<Item = S>) -> Self {
        Self {
            servers: servers.into_iter().map(Into::into).collect(),
            prefix: "terrace".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            absence: Duration::from_mins(5),
        }
    }

    /// What is wrong with it, as far as one can tell without asking a server. Opening says the same.
    pub fn validate(&self) -> Result<()> {
        if self.servers.is_empty() {
            return Err(invalid("no server is named: give at least one address"));
        }
        if self.servers.len() > MAX_SERVERS {
            return Err(invalid(format!("at most {MAX_SERVERS} servers")));
        }
        if let Some(address) = self.servers.iter().find(|address| !is_address(address)) {
            let message =
                format!("'{address}' is no address: it should be host:port or unix:/path");
            return Err(invalid(message));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.servers.iter().find(|address| !seen.insert(*address)) {
            return Err(invalid(format!("'{twice}' is named twice")));
        }
        if self.prefix.len() > 64 || !self.prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid(
                "the prefix must be at most 64 visible ASCII characters",
            ));
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(invalid("a timeout of zero would fail every call"));
        }
        if !(Duration::from_secs(30)..=Duration::from_hours(24)).contains(&self.absence) {
            return Err(invalid("absence is from 30 seconds to a day"));
        }
        Ok(())
    }
}

fn is_address(address: &str) -> bool {
    if let Some(path) = address.strip_prefix(UNIX) {
        return path.starts_with('/');
    }
    let port = address
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty());
    port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "memcached.config", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        let valid = MemcachedConfig::new(["127.0.0.1:11211", "[::1]:11211", "unix:/run/memcached"]);
        assert!(valid.validate().is_ok());
        let refused = |change: fn(&mut MemcachedConfig)| {
            let mut config = valid.clone();
            change(&mut config);
            config.validate().unwrap_err().kind() == ErrorKind::Invalid
        };
        assert!(refused(|config| config.servers.clear()));
        assert!(refused(|config| config
            .servers
            .push("127.0.0.1:11211".to_owned())));
        assert!(refused(|config| config
            .servers
            .push("localhost".to_owned())));
        assert!(refused(|config| config.servers.push(":11211".to_owned())));
        assert!(refused(|config| config.servers.push("unix:run".to_owned())));
        assert!(refused(|config| config.prefix = "a b".to_owned()));
        assert!(refused(|config| config.prefix = "a".repeat(65)));
        assert!(refused(|config| config.response_timeout = Duration::ZERO));
        assert!(refused(|config| config.absence = Duration::ZERO));
    }
}
