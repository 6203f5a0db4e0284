use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use terrace::proxy::{Http2, ServerCertificate, TlsError};

/// TLS and HTTP/2 with clients.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS and HTTP/2")]
pub struct ListenArgs {
    /// Where clients connect with TLS, beside --listen. Port 0 takes a free one
    #[arg(long, env = "TERRACE_TLS_LISTEN", value_name = "HOST:PORT")]
    pub tls_listen: Option<String>,

    /// The certificate for it with its chain, in PEM. It is read again when it changes
    #[arg(long, env = "TERRACE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Its key, in PEM
    #[arg(long, env = "TERRACE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// How often to look whether the certificate has changed: 30s, 5m
    #[arg(long, env = "TERRACE_TLS_RELOAD", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub tls_reload: Duration,

    /// Speak HTTP/1.1 only, over TLS, too
    #[arg(long, env = "TERRACE_NO_HTTP2", conflicts_with = "listen_h2c")]
    pub no_http2: bool,

    /// Speak HTTP/2 without TLS, too, with clients that know it beforehand
    #[arg(long, env = "TERRACE_LISTEN_H2C")]
    pub listen_h2c: bool,

    /// The most requests at a time on one connection of HTTP/2
    #[arg(long, env = "TERRACE_HTTP2_STREAMS", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub http2_streams: u32,

    /// The most bytes of a request's header in HTTP/2
    #[arg(long, env = "TERRACE_HTTP2_HEADER_BYTES", value_name = "BYTES", default_value = "64KiB", value_parser = header_bytes)]
    pub http2_header_bytes: u32,
}

impl ListenArgs {
    /// What is wrong with it, and the name of the option it is wrong with. Each may come from the command line, a variable or
    /// the file, so that the parser of one of them cannot tell.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let missing = match (&self.tls_cert, &self.tls_key) {
            (None, None) if self.tls_listen.is_none() => None,
            (Some(_), Some(_)) => None,
            (None, None) => Some((
                "tls_listen",
                "TLS needs a certificate and its key: `tls_cert`, `tls_key`",
            )),
            (Some(_), None) => Some(("tls_cert", "a certificate needs its key: `tls_key`")),
            (None, Some(_)) => Some(("tls_key", "a key needs its certificate: `tls_cert`")),
        };
        let contrary = (self.no_http2 && self.listen_h2c)
            .then_some(("listen_h2c", "it contradicts `no_http2`"));
        missing.or(contrary).map_or(Ok(()), Err)
    }

    /// The certificate for the listener with TLS, if there is one.
    pub fn certificate(&self) -> Result<Option<ServerCertificate>, TlsError> {
        let files = self.tls_cert.as_ref().zip(self.tls_key.as_ref());
        let files = files.filter(|_| self.tls_listen.is_some());
        files
            .map(|(certificate, key)| ServerCertificate::read(certificate, key))
            .transpose()
    }

    /// How HTTP/2 is spoken.
    pub fn http2(&self) -> Http2 {
        let mut http2 = Http2::default();
        http2.max_streams = self.http2_streams;
        http2.max_header_bytes = self.http2_header_bytes;
        http2.without_tls = self.listen_h2c;
        http2
    }
}

fn header_bytes(text: &str) -> Result<u32, String> {
    let bytes = super::bytes(text, 1024)?;
    u32::try_from(bytes).map_err(|_| format!("{text} is too much: less than 4 GiB"))
}
