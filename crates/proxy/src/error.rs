use crate::rules::RuleError;

/// A [`ProxyConfig`](crate::ProxyConfig) that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The upstream is not `HOST:PORT`, `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    #[error(
        "the upstream {0:?} is not HOST:PORT, with http:// or https:// before it or not, and nothing after it: \
         write for example 127.0.0.1:9000, https://origin.example or [::1]:9000"
    )]
    Upstream(String),
    /// The cache's name cannot be written into a header.
    #[error(
        "the name {0:?} cannot stand in Cache-Status and Via: begin with a letter, go on with letters, digits, '-', '_' or '.'"
    )]
    Name(String),
    /// Something that must not be zero is.
    #[error("`{0}` is zero: it must be at least 1 (durations: at least one millisecond)")]
    Zero(&'static str),
    /// A lifetime is configured for a status that cannot be stored.
    #[error(
        "no lifetime can be configured for the status {0}: name final statuses, from 200 to 599, but neither 206 nor 304"
    )]
    Status(u16),
    /// The token for purging cannot be sent in a header.
    #[error(
        "the purge token is empty or has characters that cannot be sent in a header: use visible ASCII characters without spaces"
    )]
    Token,
    /// A host, or a pattern of hosts, cannot be understood.
    #[error(
        "{0:?} is not a host: write example.org, or *.example.org for all hosts below it; names of other alphabets in Punycode, no port"
    )]
    Host(String),
    /// A status, or a class of them, cannot be understood.
    #[error(
        "{0:?} is not a status that can be cached: write for example 404, or 5xx for all that begin with 5"
    )]
    Statuses(String),
    /// A rule contradicts itself.
    #[error("{}{source}", at(*number))]
    Rule {
        /// Which, counted from 1; 0 is what holds without a rule.
        number: usize,
        /// What is wrong with it.
        source: RuleError,
    },
    /// The file with the token for purging cannot be read.
    #[error("the purge token's file {} cannot be read: {why}", path.display())]
    TokenFile {
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        why: String,
    },
    /// Something is more than it may be.
    #[error("`{0}` is too much: at most {1}")]
    TooMuch(&'static str, &'static str),
    /// A host that requests are to name cannot be named.
    #[error("{0:?} is no host for requests: write HOST or HOST:PORT, for example origin.example")]
    UpstreamHost(String),
    /// The path of a health check cannot be asked for.
    #[error("{0:?} is no path for a health check: write for example /healthz")]
    HealthPath(String),
    /// The name of an upstream group cannot be a label of metrics, or is taken.
    #[error(
        "{0:?} is no name for an upstream group: use letters, digits, '-', '_' or '.', and not \"default\""
    )]
    GroupName(String),
    /// The certificates of authorities that the system trusts cannot be read.
    #[error(
        "the certificates the system trusts cannot be read ({0}): check SSL_CERT_FILE and SSL_CERT_DIR, or unset them"
    )]
    SystemCertificates(String),
}

fn at(number: usize) -> String {
    match number {
        0 => String::new(),
        _ => format!("rule {number}: "),
    }
}
