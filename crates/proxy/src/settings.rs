//! What a configuration file says of a [`ProxyConfig`].

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::config::{ClientDirectives, ProxyConfig, PurgeConfig, SetCookie};
use crate::error::ConfigError;
use crate::forwarding::Claims;
use crate::human;

mod upstream;

pub use upstream::{GroupError, GroupSettings, HealthSettings, ServerSettings};

/// The options of the cache, as a section of a configuration file (`[cache]`). What it leaves out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CacheSettings {
    /// [`ProxyConfig::name`].
    pub name: Option<String>,
    /// [`Freshness::default_ttl`](crate::Freshness::default_ttl).
    #[serde(deserialize_with = "human::duration")]
    pub default_ttl: Option<Duration>,
    /// [`Freshness::stale_while_revalidate`](crate::Freshness::stale_while_revalidate).
    #[serde(deserialize_with = "human::duration")]
    pub stale_while_revalidate: Option<Duration>,
    /// [`Freshness::stale_if_error`](crate::Freshness::stale_if_error).
    #[serde(deserialize_with = "human::duration")]
    pub stale_if_error: Option<Duration>,
    /// [`Freshness::by_status`](crate::Freshness::by_status): `{ 404 = "10s", 410 = "1m" }`.
    #[serde(deserialize_with = "human::by_status")]
    pub lifetimes: BTreeMap<u16, Duration>,
    /// [`Freshness::heuristic_percent`](crate::Freshness::heuristic_percent).
    pub heuristic_percent: Option<u8>,
    /// [`Freshness::heuristic_max`](crate::Freshness::heuristic_max).
    #[serde(deserialize_with = "human::duration")]
    pub heuristic_max: Option<Duration>,
    /// [`ProxyConfig::set_cookie`].
    pub set_cookie: Option<SetCookie>,
    /// [`ProxyConfig::client_directives`].
    pub client_directives: Option<ClientDirectives>,
    /// [`ProxyConfig::lock_age`].
    #[serde(deserialize_with = "human::duration")]
    pub lock_age: Option<Duration>,
    /// [`ProxyConfig::lock_wait`].
    #[serde(deserialize_with = "human::duration")]
    pub lock_wait: Option<Duration>,
    /// [`ProxyConfig::send_timeout`].
    #[serde(deserialize_with = "human::duration")]
    pub send_timeout: Option<Duration>,
    /// [`ProxyConfig::max_ranges`].
    pub max_ranges: Option<usize>,
    /// [`ProxyConfig::max_vary`].
    pub max_vary: Option<usize>,
    /// [`ProxyConfig::max_background`].
    pub max_background: Option<usize>,
    /// [`ProxyConfig::remembered_uncacheable`].
    pub remembered_uncacheable: Option<usize>,
}

impl CacheSettings {
    /// Writes what is said here into `config`.
    pub fn apply(&self, config: &mut ProxyConfig) {
        let freshness = &mut config.freshness;
        freshness.default_ttl = self.default_ttl.or(freshness.default_ttl);
        set(
            &mut freshness.stale_while_revalidate,
            self.stale_while_revalidate.as_ref(),
        );
        set(&mut freshness.stale_if_error, self.stale_if_error.as_ref());
        freshness.by_status.extend(&self.lifetimes);
        set(
            &mut freshness.heuristic_percent,
            self.heuristic_percent.as_ref(),
        );
        set(&mut freshness.heuristic_max, self.heuristic_max.as_ref());
        set(&mut config.set_cookie, self.set_cookie.as_ref());
        set(&mut config.name, self.name.as_ref());
        set(
            &mut config.client_directives,
            self.client_directives.as_ref(),
        );
        set(&mut config.lock_age, self.lock_age.as_ref());
        set(&mut config.lock_wait, self.lock_wait.as_ref());
        set(&mut config.send_timeout, self.send_timeout.as_ref());
        set(&mut config.max_ranges, self.max_ranges.as_ref());
        set(&mut config.max_vary, self.max_vary.as_ref());
        set(&mut config.max_background, self.max_background.as_ref());
        set(
            &mut config.remembered_uncacheable,
            self.remembered_uncacheable.as_ref(),
        );
    }
}

fn set<T: Clone>(place: &mut T, said: Option<&T>) {
    if let Some(said) = said {
        place.clone_from(said);
    }
}

/// Who may purge, as a section of a configuration file (`[purge]`). The token itself never stands in the file, whose lines
/// get into reports and repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PurgeSettings {
    /// Networks and addresses that may purge, beside loopback.
    #[serde(deserialize_with = "human::list")]
    pub allow: Vec<Network>,
    /// A file with nothing but the token in it. White space around it does not count.
    pub token_file: Option<PathBuf>,
    /// Only the token purges, whatever address it comes from.
    pub token_only: bool,
}

impl PurgeSettings {
    /// Writes what is said here into `config`, and reads the token's file.
    pub fn apply(&self, config: &mut PurgeConfig) -> Result<(), ConfigError> {
        config.allowed.extend(self.allow.iter().map(|net| net.0));
        if let Some(path) = &self.token_file {
            let token = fs::read_to_string(path).map_err(|error| ConfigError::TokenFile {
                path: path.clone(),
                why: error.to_string(),
            })?;
            config.token = Some(token.trim().into());
        }
        if self.token_only {
            config.allowed.clear();
        }
        Ok(())
    }
}

/// What upstreams are told of clients, as a section of a configuration file (`[forwarded]`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ForwardedSettings {
    /// [`Forwarding::claims`](crate::Forwarding::claims).
    pub claims: Option<Claims>,
    /// [`Forwarding::trusted`](crate::Forwarding::trusted).
    #[serde(deserialize_with = "human::list")]
    pub trusted: Vec<Network>,
    /// [`Forwarding::rfc7239`](crate::Forwarding::rfc7239).
    pub rfc7239: Option<bool>,
}

impl ForwardedSettings {
    /// Writes what is said here into `config`.
    pub fn apply(&self, config: &mut ProxyConfig) {
        let forwarding = &mut config.forwarding;
        set(&mut forwarding.claims, self.claims.as_ref());
        set(&mut forwarding.rfc7239, self.rfc7239.as_ref());
        let trusted = self.trusted.iter().map(|net| net.0);
        forwarding.trusted.extend(trusted);
    }
}

/// `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
        let net = text.parse().or_else(|_| address());
        net.map(Self).map_err(|_| {
            format!("{text:?} is neither a network nor an address: write 10.0.0.0/8 or 192.0.2.7")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        let network = |text: &str| text.parse::<Network>().map(|it| it.0.to_string());
        assert_eq!(network("10.0.0.0/8").unwrap(), "10.0.0.0/8");
        assert_eq!(network("192.0.2.7").unwrap(), "192.0.2.7/32");
        assert_eq!(network("::1").unwrap(), "::1/128");
        assert!(network("10.0.0.0/99").unwrap_err().contains("10.0.0.0/8"));
    }
}
