use serde::Deserialize;

use super::{Section, Setting, Settings};

/// `[server]`: addresses, connections and threads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ServerSection {
    /// `--listen`.
    pub listen: Option<Setting>,
    /// `--tls-listen`.
    pub tls_listen: Option<Setting>,
    /// `--tls-cert`.
    pub tls_cert: Option<Setting>,
    /// `--tls-key`.
    pub tls_key: Option<Setting>,
    /// `--tls-reload`.
    pub tls_reload: Option<Setting>,
    /// `--no-http2`.
    pub no_http2: Option<Setting>,
    /// `--listen-h2c`.
    pub listen_h2c: Option<Setting>,
    /// `--http2-streams`.
    pub http2_streams: Option<Setting>,
    /// `--http2-header-bytes`.
    pub http2_header_bytes: Option<Setting>,
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
        for (id, value) in [
            ("listen", &self.listen),
            ("tls_listen", &self.tls_listen),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("tls_reload", &self.tls_reload),
            ("no_http2", &self.no_http2),
            ("listen_h2c", &self.listen_h2c),
            ("http2_streams", &self.http2_streams),
            ("http2_header_bytes", &self.http2_header_bytes),
            ("admin", &self.admin),
            ("max_connections", &self.max_connections),
            ("header_timeout", &self.header_timeout),
            ("header_bytes", &self.header_bytes),
            ("keepalive_timeout", &self.keepalive_timeout),
            ("body_timeout", &self.body_timeout),
            ("threads", &self.threads),
            ("grace", &self.grace),
        ] {
            settings.set(id, format!("server.{id}"), value.as_ref());
        }
    }
}
