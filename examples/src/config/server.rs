use serde::Deserialize;

use super::{Section, Setting, Settings};

/// `[server]`: addresses, connections and threads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ServerSection {
    /// `--listen`.
    pub listen: Option<Setting>,
    /// `--admin`.
    pub admin: Option<Setting>,
    /// `--max-connections`.
    pub max_connections: Option<Setting>,
    /// `--header-timeout`.
    pub header_timeout: Option<Setting>,
    /// `--header-bytes`.
    pub header_bytes: Option<Setting>,
    /// `--keepalive-timeout`.
    pub keepalive_timeout: Option<Setting>,
    /// `--body-timeout`.
    pub body_timeout: Option<Setting>,
    /// `--threads`.
    pub threads: Option<Setting>,
    /// `--grace`.
    pub grace: Option<Setting>,
}

impl Section for ServerSection {
    fn settings<'a>(&'a self, settings: &mut Settings<'a>) {
        settings.set("listen", "server.listen", self.listen.as_ref());
        settings.set("admin", "server.admin", self.admin.as_ref());
        for (id, key, value) in [
            (
                "max_connections",
                "server.max_connections",
                &self.max_connections,
            ),
            (
                "header_timeout",
                "server.header_timeout",
                &self.header_timeout,
            ),
            ("header_bytes", "server.header_bytes", &self.header_bytes),
            (
                "keepalive_timeout",
                "server.keepalive_timeout",
                &self.keepalive_timeout,
            ),
            ("body_timeout", "server.body_timeout", &self.body_timeout),
        ] {
            settings.set(id, key, value.as_ref());
        }
        settings.set("threads", "server.threads", self.threads.as_ref());
        settings.set("grace", "server.grace", self.grace.as_ref());
    }
}
