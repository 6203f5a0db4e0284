use std::time::Duration;

use pingora::protocols::http::v2::server::default_h2_options;
use pingora::proxy::HttpProxy;

use crate::CachingProxy;
use crate::config::not_zero;
use crate::error::ConfigError;

/// How HTTP/2 is spoken with clients: over TLS with those that choose it by ALPN, if the listener offers it
/// ([`ServerCertificate::settings`](crate::ServerCertificate::settings)).
///
/// ```no_run
/// # use pingora::prelude::*;
/// # use terrace_proxy::{CachingProxy, ConnectionLimits, Connections, Http2, ServerCertificate};
/// # fn listen(server: &Server, proxy: CachingProxy) -> Result<(), Box<dyn std::error::Error>> {
/// let mut proxy = pingora::proxy::http_proxy(&server.configuration, proxy);
/// Http2::default().apply(&mut proxy)?;
/// let mut service = Connections::new(proxy, ConnectionLimits::default()).into_service("proxy");
/// let certificate = ServerCertificate::read("cert.pem", "key.pem")?;
/// service.add_tls_with_settings("0.0.0.0:443", None, certificate.settings(true)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2 {
    /// The most requests at a time on one connection. Default: 100.
    pub max_streams: u32,
    /// The most bytes of a request's header, names and values with 32 bytes more for each field (RFC 9113, section
    /// 6.5.2). Default: 64 KiB.
    pub max_header_bytes: u32,
    /// How long a connection without requests is kept. Default: 60 s.
    pub idle_timeout: Duration,
    /// Whether listeners without TLS take it from clients that know beforehand (RFC 9113, section 3.3). 24 bytes
    /// are then read before it is known what a client speaks: a request of HTTP/1.0 that is shorter is refused after a
    /// while. Default: no.
    pub without_tls: bool,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_streams: 100,
            max_header_bytes: 64 << 10,
            idle_timeout: Duration::from_mins(1),
            without_tls: false,
        }
    }
}

impl Http2 {
    /// Has `proxy` speak it like this.
    pub fn apply(&self, proxy: &mut HttpProxy<CachingProxy>) -> Result<(), ConfigError> {
        not_zero("max_streams", self.max_streams > 0)?;
        not_zero("max_header_bytes", self.max_header_bytes > 0)?;
        not_zero("idle_timeout", !self.idle_timeout.is_zero())?;
        let mut options = default_h2_options();
        options.max_concurrent_streams(self.max_streams);
        options.max_header_list_size(self.max_header_bytes);
        proxy.h2_options = Some(options);
        let server = proxy.server_options.get_or_insert_default();
        server.h2c = self.without_tls;
        server.h2_idle_timeout = Some(self.idle_timeout);
        Ok(())
    }
}
