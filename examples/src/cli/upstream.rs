use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use terrace::proxy::{
    ClientIdentity, HealthCheck, HostPolicy, Protocol, Selection, TlsError, TrustAnchors, Upstream,
    UpstreamGroup, UpstreamTls, Verify,
};

/// Where to fetch from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Upstreams")]
pub struct UpstreamArgs {
    /// Where responses come from: `HOST:PORT`, `http://HOST` or `https://HOST`. More than one, each with this option or
    /// with commas between them, share the load. Without any, a demonstration origin runs inside this process
    #[arg(
        long = "upstream",
        env = "TERRACE_UPSTREAM",
        value_name = "ADDRESS,…",
        value_delimiter = ','
    )]
    pub upstream: Vec<Upstream>,

    /// Which of several upstreams gets a request
    #[arg(
        long,
        env = "TERRACE_UPSTREAM_SELECT",
        value_name = "HOW",
        default_value = "round-robin"
    )]
    pub upstream_select: Select,

    /// What upstreams see as the host of a request: the client's, their own, or this HOST
    #[arg(
        long,
        env = "TERRACE_UPSTREAM_HOST",
        value_name = "client|upstream|HOST",
        default_value = "client"
    )]
    pub upstream_host: Host,

    /// Speak HTTP/2 with upstreams: over TLS with those that choose it, without TLS with all
    #[arg(long, env = "TERRACE_UPSTREAM_HTTP2")]
    pub upstream_http2: bool,

    /// Who may sign the certificates of upstreams, in PEM, instead of those the system trusts
    #[arg(long, env = "TERRACE_UPSTREAM_CA", value_name = "FILE")]
    pub upstream_ca: Option<PathBuf>,

    /// The name that the certificates of upstreams must be for, and that is sent as SNI, instead of their host
    #[arg(long, env = "TERRACE_UPSTREAM_TLS_NAME", value_name = "NAME")]
    pub upstream_tls_name: Option<String>,

    /// The certificate to show upstreams that want one, in PEM
    #[arg(
        long,
        env = "TERRACE_UPSTREAM_CERT",
        value_name = "FILE",
        requires = "upstream_key"
    )]
    pub upstream_cert: Option<PathBuf>,

    /// Its key, in PEM
    #[arg(
        long,
        env = "TERRACE_UPSTREAM_KEY",
        value_name = "FILE",
        requires = "upstream_cert"
    )]
    pub upstream_key: Option<PathBuf>,

    /// Take any certificate from upstreams: whoever sits in between can then answer in their place. For tests
    #[arg(
        long,
        env = "TERRACE_UPSTREAM_NO_VERIFY",
        conflicts_with = "upstream_ca"
    )]
    pub upstream_no_verify: bool,

    /// How long to wait for a connection to an upstream: 3s, 500ms
    #[arg(long, env = "TERRACE_UPSTREAM_CONNECT_TIMEOUT", value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub upstream_connect_timeout: Duration,

    /// How long to wait for the next piece of a response, its header included
    #[arg(long, env = "TERRACE_UPSTREAM_READ_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub upstream_read_timeout: Duration,

    /// How long a response may take in all. Without it, as long as pieces come
    #[arg(long, env = "TERRACE_UPSTREAM_TOTAL_TIMEOUT", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub upstream_total_timeout: Option<Duration>,

    /// Check the health of upstreams by asking for this path. Without it, by a connection if there are several
    #[arg(long, env = "TERRACE_UPSTREAM_HEALTH", value_name = "PATH")]
    pub upstream_health: Option<String>,

    /// The time between two checks: 5s, 500ms
    #[arg(long, env = "TERRACE_UPSTREAM_HEALTH_EVERY", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub upstream_health_every: Duration,
}

/// Which of several upstreams gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Select {
    /// One after the other
    RoundRobin,
    /// Any
    Random,
    /// The one with the fewest requests under way
    LeastRequests,
    /// The one the cache key points to: one URL, one upstream
    Hash,
}

/// What upstreams see as the host of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(HostPolicy);

impl FromStr for Host {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(HostPolicy::named(text)))
    }
}

impl UpstreamArgs {
    /// `servers`, with what the options say of them.
    pub fn group(&self, servers: &[Upstream]) -> Result<UpstreamGroup, TlsError> {
        let anchors = self.upstream_ca.as_ref().map(TrustAnchors::read);
        let anchors = anchors.transpose()?;
        let identity = self.upstream_cert.as_ref().zip(self.upstream_key.as_ref());
        let identity = identity.map(|(cert, key)| ClientIdentity::read(cert, key));
        let identity = identity.transpose()?;
        let servers = servers.iter().cloned().map(|mut server| {
            if self.upstream_http2 {
                server.protocol = Protocol::Http2;
            }
            server.connect_timeout = self.upstream_connect_timeout;
            server.read_timeout = self.upstream_read_timeout;
            server.total_timeout = self.upstream_total_timeout;
            if let Some(tls) = &mut server.tls {
                self.secure(tls);
                tls.anchors.clone_from(&anchors);
                tls.identity.clone_from(&identity);
            }
            server
        });
        let mut group = UpstreamGroup::new(servers);
        group.selection = match self.upstream_select {
            Select::RoundRobin => Selection::RoundRobin,
            Select::Random => Selection::Random,
            Select::LeastRequests => Selection::LeastRequests,
            Select::Hash => Selection::Hash,
        };
        group.host = self.upstream_host.0.clone();
        if let Some(path) = &self.upstream_health {
            let check = group.health.get_or_insert_with(HealthCheck::default);
            check.path = Some(path.clone());
        }
        if let Some(check) = &mut group.health {
            check.every = self.upstream_health_every;
        }
        Ok(group)
    }

    fn secure(&self, tls: &mut UpstreamTls) {
        tls.name.clone_from(&self.upstream_tls_name);
        if self.upstream_no_verify {
            tls.verify = Verify::Nothing;
        }
    }
}
