use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use terrace_core::{Error, ErrorKind, Result};
use url::Url;

/// The most connections of one index.
const MAX_CONNECTIONS: usize = 1000;
/// The longest name of a table: others are made from it, and PostgreSQL cuts names at 63 bytes.
const MAX_TABLE: usize = 40;
/// What a URL may say besides where and who. One that is misspelt would be ignored, and a password in it logged.
const PARAMETERS: [&str; 13] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "application_name",
    "options",
];

/// How to reach CockroachDB, or PostgreSQL, and how to use it.
///
/// A URL is `postgresql://user[:password]@host[:port]/database[?sslmode=…]`, as the console of CockroachDB prints it.
/// **A URL that says no `sslmode` means `verify-full`**: TLS, to a server whose certificate bears its name. Client
/// certificates are named by `sslcert` and `sslkey`. Passwords appear in no output of this crate.
#[derive(Clone)]
pub struct CrdbConfig {
    urls: Vec<SecretString>,
    /// The table of the records; `_schema` and `_expiry` are added for those beside it. Two caches may share a
    /// database with two tables. Default: `terrace`. At most 40 lower-case letters, digits and underscores.
    pub table: String,
    /// Whether to create the tables, or bring them up to date, if they are not. Default: yes. Otherwise that is an error,
    /// and somebody who may has to do it: [`connect`](crate::CrdbIndex::connect) once, with this set.
    pub migrate: bool,
    /// The certificate of the authority that signed the servers', in PEM. Default: those the system trusts.
    pub authority: Option<Vec<u8>>,
    /// The most connections, 1 to 1,000. Default: 16. Further calls wait for one to become free.
    pub max_connections: usize,
    /// How long to wait for a free connection. Default: 2 s.
    pub acquire_timeout: Duration,
    /// How long to wait for a new connection, of each server that is tried. Default: 2 s.
    pub connect_timeout: Duration,
    /// How long a statement may take; the server is told as well. Default: 5 s. Callers with shorter deadlines drop the call
    /// before.
    pub response_timeout: Duration,
    /// After how long a connection is replaced, so that load moves to new nodes. Default: 10 min.
    pub max_age: Duration,
}

impl CrdbConfig {
    /// One server, or a load balancer before several.
    pub fn new(url: impl Into<String>) -> Self {
        Self::nodes([url])
    }

    /// Several nodes of one CockroachDB cluster, among which connections are spread. One that cannot be reached is
    /// passed over.
    pub fn nodes<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        let urls = urls.into_iter().map(|url| SecretString::from(url.into()));
        Self {
            urls: urls.collect(),
            table: "terrace".to_owned(),
            migrate: true,
            authority: None,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            max_age: Duration::from_mins(10),
        }
    }

    /// What is wrong with it, as far as one can tell without asking a server. Opening says the same.
    pub fn validate(&self) -> Result<()> {
        if self.urls.is_empty() {
            return Err(invalid("no server is named: give at least one URL"));
        }
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts_well = !self.table.starts_with(|first: char| first.is_ascii_digit());
        let fits = (1..=MAX_TABLE).contains(&self.table.len());
        if !fits || !starts_well || !self.table.bytes().all(is_plain) {
            return Err(invalid(format!(
                "the table's name must be 1 to {MAX_TABLE} lower-case letters, digits and underscores, and not begin \
                 with a digit"
            )));
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.max_connections) {
            let message = format!(
                "max_connections is {}: choose 1 to {MAX_CONNECTIONS}",
                self.max_connections
            );
            return Err(invalid(message));
        }
        let timeouts = [
            self.acquire_timeout,
            self.connect_timeout,
            self.response_timeout,
        ];
        if timeouts.iter().any(|it| it.as_millis() == 0) {
            return Err(invalid("a timeout of zero would fail every call"));
        }
        // The server counts in signed 32-bit milliseconds.
        if i32::try_from(self.response_timeout.as_millis()).is_err() {
            return Err(invalid("response_timeout is longer than 24 days"));
        }
        self.servers().map(drop)
    }

    /// Where the servers are, and how to log in.
    pub(crate) fn servers(&self) -> Result<Vec<PgConnectOptions>> {
        let parse = |(number, url): (usize, &SecretString)| {
            // What the parsers say may quote the URL.
            self.server(url).map_err(|what| {
                invalid(format!(
                    "URL {} {what}: it should be postgresql://user[:password]@host[:port]/database[?sslmode=…]",
                    number + 1
                ))
            })
        };
        self.urls.iter().enumerate().map(parse).collect()
    }

    fn server(&self, url: &SecretString) -> Result<PgConnectOptions, &'static str> {
        let url: Url = url.expose_secret().parse().map_err(|_| "is none")?;
        if !["postgresql", "postgres"].contains(&url.scheme()) {
            return Err("has another scheme");
        }
        if url.path().trim_matches('/').is_empty() {
            return Err("names no database");
        }
        let is_known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
        if !url.query_pairs().all(|(name, _)| is_known(&name)) {
            return Err("has a parameter that is not understood");
        }
        let mut options = PgConnectOptions::from_url(&url)
            .map_err(|_| "has a part that is not understood")?
            .disable_statement_logging();
        let says_mode = |name: &str| ["sslmode", "ssl-mode"].contains(&name);
        if !url.query_pairs().any(|(name, _)| says_mode(&name)) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if let Some(authority) = &self.authority {
            options = options.ssl_root_cert_from_pem(authority.clone());
        }
        if options.get_application_name().is_none() {
            options = options.application_name("terrace");
        }
        Ok(options)
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "cockroach.config", message)
}

impl fmt::Debug for CrdbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrdbConfig")
            .field("urls", &self.urls.len())
            .field("table", &self.table)
            .field("migrate", &self.migrate)
            .field("authority", &self.authority.is_some())
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("max_age", &self.max_age)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_no_password_is_in_any_output() {
        for url in [
            "postgresql://user:canary@host:x/database",
            "postgresql://user:canary@host/",
            "redis://user:canary@host/0",
            "postgresql://host/database?passwrod=canary",
            "postgresql://host/database?sslmode=canary",
            "canary",
        ] {
            let config = CrdbConfig::new(url);
            let error = config.servers().unwrap_err();
            let said = format!("{config:?} {error} {error:?}");
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn tls_is_left_out_only_where_the_url_says_so() {
        let mode = |url: &str| {
            let servers = CrdbConfig::new(url).servers().unwrap();
            servers[0].get_ssl_mode()
        };
        assert!(matches!(mode("postgresql://u@h/d"), PgSslMode::VerifyFull));
        assert!(matches!(
            mode("postgresql://u@h/d?sslmode=disable"),
            PgSslMode::Disable
        ));
    }

    #[test]
    fn nonsense_is_refused() {
        let valid = CrdbConfig::new("postgresql://u@h/d");
        assert!(valid.validate().is_ok());
        let with = |change: fn(&mut CrdbConfig)| {
            let mut config = valid.clone();
            change(&mut config);
            config
        };
        for refused in [
            with(|it| it.table = "a\" (x int); drop table b; --".to_owned()),
            with(|it| it.table = "9lives".to_owned()),
            with(|it| it.table = "x".repeat(41)),
            with(|it| it.table = String::new()),
            with(|it| it.max_connections = 0),
            with(|it| it.connect_timeout = Duration::ZERO),
            with(|it| it.response_timeout = Duration::MAX),
            CrdbConfig::nodes::<String>([]),
        ] {
            let error = refused.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{refused:?}");
        }
    }
}
