use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::set;
use crate::error::ConfigError;
use crate::human;
use crate::tls::{ClientIdentity, TlsError, TrustAnchors};
use crate::upstream::{
    HealthCheck, HostPolicy, Protocol, Selection, Upstream, UpstreamGroup, UpstreamTls, Verify,
};

/// A group of upstreams, as a section of a configuration file (`[upstreams.NAME]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupSettings {
    /// Its servers: `"https://a.example"`, or a table with an `address` and what is special about it.
    pub servers: Vec<ServerSettings>,
    /// [`UpstreamGroup::selection`]: `round-robin`, `random`, `least-requests`, `hash`.
    pub select: Option<Selection>,
    /// [`UpstreamGroup::host`]: `client`, `upstream`, or a host.
    pub host: Option<String>,
    /// [`UpstreamGroup::tries`].
    pub tries: Option<usize>,
    /// [`UpstreamGroup::eject_for`].
    #[serde(default, deserialize_with = "human::duration")]
    pub eject_for: Option<Duration>,
    /// [`UpstreamGroup::health`].
    pub health: Option<HealthSettings>,
}

/// How the health of a group is checked, as a section of a configuration file (`[upstreams.NAME.health]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HealthSettings {
    /// [`HealthCheck::path`].
    pub path: Option<String>,
    /// [`HealthCheck::host`].
    pub host: Option<String>,
    /// [`HealthCheck::every`].
    #[serde(deserialize_with = "human::duration")]
    pub every: Option<Duration>,
    /// [`HealthCheck::timeout`].
    #[serde(deserialize_with = "human::duration")]
    pub timeout: Option<Duration>,
    /// [`HealthCheck::failures`].
    pub failures: Option<usize>,
    /// [`HealthCheck::successes`].
    pub successes: Option<usize>,
}

/// A server of a group.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Where it is, with the defaults of everything else.
    pub upstream: Upstream,
    special: Special,
}

/// What a table says of a server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Special {
    address: String,
    weight: Option<usize>,
    http2: Option<bool>,
    tls_name: Option<String>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    verify: Option<Verify>,
    #[serde(deserialize_with = "human::duration")]
    connect_timeout: Option<Duration>,
    #[serde(deserialize_with = "human::duration")]
    read_timeout: Option<Duration>,
    #[serde(deserialize_with = "human::duration")]
    write_timeout: Option<Duration>,
    #[serde(deserialize_with = "human::duration")]
    idle_timeout: Option<Duration>,
    #[serde(deserialize_with = "human::duration")]
    total_timeout: Option<Duration>,
    #[serde(deserialize_with = "human::duration")]
    resolve_every: Option<Duration>,
}

/// A group that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// Something in it cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A certificate or a key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A server has a certificate without a key, or the other way round.
    #[error("{0} has one of `cert` and `key`: it needs both")]
    HalfIdentity(String),
    /// A server has settings for TLS, and none.
    #[error("{0} has settings for TLS, but is not used with it: write https:// before its address")]
    WithoutTls(String),
}

impl GroupSettings {
    /// The group, checked; reads the certificates its servers name.
    pub fn group(&self) -> Result<UpstreamGroup, GroupError> {
        let servers: Result<Vec<_>, _> = self.servers.iter().map(ServerSettings::server).collect();
        let mut group = UpstreamGroup::new(servers?);
        set(&mut group.selection, self.select.as_ref());
        set(&mut group.tries, self.tries.as_ref());
        set(&mut group.eject_for, self.eject_for.as_ref());
        if let Some(host) = &self.host {
            group.host = HostPolicy::named(host);
        }
        if let Some(said) = &self.health {
            said.apply(group.health.get_or_insert_default());
        }
        group.validate()?;
        Ok(group)
    }
}

impl HealthSettings {
    fn apply(&self, check: &mut HealthCheck) {
        check.path.clone_from(&self.path);
        check.host.clone_from(&self.host);
        set(&mut check.every, self.every.as_ref());
        set(&mut check.timeout, self.timeout.as_ref());
        set(&mut check.failures, self.failures.as_ref());
        set(&mut check.successes, self.successes.as_ref());
    }
}

impl ServerSettings {
    fn server(&self) -> Result<Upstream, GroupError> {
        let Self { upstream, special } = self;
        let mut server = upstream.clone();
        set(&mut server.weight, special.weight.as_ref());
        if special.http2 == Some(true) {
            server.protocol = Protocol::Http2;
        }
        set(
            &mut server.connect_timeout,
            special.connect_timeout.as_ref(),
        );
        set(&mut server.read_timeout, special.read_timeout.as_ref());
        set(&mut server.write_timeout, special.write_timeout.as_ref());
        set(&mut server.idle_timeout, special.idle_timeout.as_ref());
        set(&mut server.resolve_every, special.resolve_every.as_ref());
        server.total_timeout = special.total_timeout;
        match &mut server.tls {
            Some(tls) => special.secure(tls, upstream)?,
            None if special.is_secured() => {
                return Err(GroupError::WithoutTls(upstream.to_string()));
            }
            None => {}
        }
        Ok(server)
    }
}

impl Special {
    fn is_secured(&self) -> bool {
        let files = [&self.ca, &self.cert, &self.key];
        files.into_iter().any(Option::is_some) || self.tls_name.is_some() || self.verify.is_some()
    }

    fn secure(&self, tls: &mut UpstreamTls, upstream: &Upstream) -> Result<(), GroupError> {
        tls.name.clone_from(&self.tls_name);
        tls.anchors = self.ca.as_ref().map(TrustAnchors::read).transpose()?;
        tls.identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(ClientIdentity::read(cert, key)?),
            (None, None) => None,
            _ => return Err(GroupError::HalfIdentity(upstream.to_string())),
        };
        set(&mut tls.verify, self.verify.as_ref());
        Ok(())
    }
}

impl<'de> Deserialize<'de> for ServerSettings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Server)
    }
}

struct Server;

impl<'de> Visitor<'de> for Server {
    type Value = ServerSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address of a server, or a table with `address`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ServerSettings, E> {
        Ok(ServerSettings {
            upstream: Upstream::from_str(text).map_err(E::custom)?,
            special: Special::default(),
        })
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<ServerSettings, M::Error> {
        let map = serde::de::value::MapAccessDeserializer::new(map);
        let special = Special::deserialize(map)?;
        Ok(ServerSettings {
            upstream: Upstream::from_str(&special.address).map_err(M::Error::custom)?,
            special,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<UpstreamGroup, String> {
        let settings: GroupSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.group().map_err(|error| error.to_string())
    }

    #[test]
    fn a_group_is_read() {
        let group = read(
            r#"
            servers = ["a:80", { address = "https://b", weight = 3, http2 = true, tls_name = "c" }]
            select = "least-requests"
            host = "upstream"
            tries = 2
            [health]
            path = "/up"
            every = "500ms"
            "#,
        )
        .unwrap();
        assert_eq!(group.selection, Selection::LeastRequests);
        assert_eq!(group.host, HostPolicy::Upstream);
        assert_eq!(group.tries, 2);
        let second = &group.servers[1];
        assert_eq!((second.weight, second.protocol), (3, Protocol::Http2));
        assert_eq!(second.tls.as_ref().unwrap().name.as_deref(), Some("c"));
        let health = group.health.unwrap();
        assert_eq!(health.path.as_deref(), Some("/up"));
        assert_eq!(health.every, Duration::from_millis(500));
    }

    #[test]
    fn what_cannot_work_is_told() {
        for (text, told) in [
            ("servers = []", "zero"),
            ("", "servers"),
            ("servers = [\"a\"]", "HOST:PORT"),
            ("servers = [{ weight = 1 }]", "HOST:PORT"),
            ("servers = [{ address = \"a:1\", wait = 1 }]", "wait"),
            (
                "servers = [{ address = \"a:1\", tls_name = \"b\" }]",
                "https://",
            ),
            (
                "servers = [{ address = \"https://a\", cert = \"b\" }]",
                "both",
            ),
            (
                "servers = [{ address = \"https://a\", ca = \"/none\" }]",
                "/none",
            ),
            ("servers = [\"a:1\"]\nselect = \"best\"", "round-robin"),
            ("servers = [\"a:1\"]\nhost = \"a/b\"", "a/b"),
            ("servers = [\"a:1\"]\neject_for = 1", "unit"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
