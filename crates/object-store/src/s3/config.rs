use std::time::Duration;

use object_store::path::Path;
use object_store::{BackoffConfig, RetryConfig};
use terrace_core::{Error, ErrorKind, Result};
use url::{Host, Url};

use crate::config::{MIB, ObjectBlobConfig};
use crate::s3::credentials::Credentials;

/// S3 takes no smaller part than this, but for the last one of a body.
const MIN_PART: usize = 5 * MIB;
/// Retries of one request.
const MAX_RETRIES: usize = 20;

/// Which bucket, where, and as whom.
#[derive(Debug, Clone)]
pub struct BucketConfig {
    /// What the store is called in messages: `MinIO`.
    pub service: &'static str,
    /// Where the store is, without the bucket: `https://s3.eu-central-1.amazonaws.com`, `http://127.0.0.1:9000`. Without TLS
    /// only if it says `http`.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// How requests name the bucket.
    pub addressing: Addressing,
    /// Who asks.
    pub credentials: Credentials,
    /// All the rest.
    pub options: BucketOptions,
}

/// How requests name the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// In the path: `http://host/bucket/…`. What most stores of one's own want.
    Path,
    /// In the host: `https://bucket.host/…`. What Amazon wants.
    Host,
}

/// What rarely differs between stores.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// Where in the bucket bodies are, and how they are uploaded. Default: its root, parts of 8 MiB, four at a time; parts
    /// must have 5 MiB at least. Two caches may share a bucket under two prefixes, neither of which begins the other.
    pub bodies: ObjectBlobConfig,
    /// Makes the bucket if there is none, with the store's defaults. Default: no.
    pub create_bucket: bool,
    /// The certificates of the authorities that signed the server's, in PEM. Default: those the system trusts.
    pub authority: Option<Vec<u8>>,
    /// How long to wait for a connection. Default: 2 s.
    pub connect_timeout: Duration,
    /// How long a request may take until its answer begins, the time to send a part included, and between two pieces of the
    /// answer. Default: 10 s.
    pub response_timeout: Duration,
    /// How often a request is repeated that met a server in trouble or a broken connection, 0 to 20. Default: 3, after 50
    /// ms, and then up to 2 s.
    pub retries: usize,
    /// No repetition begins after this time, so that a request ends after it and one `response_timeout`, at the latest.
    /// Default: 10 s.
    pub retry_timeout: Duration,
    /// How old an unfinished upload must be, by the server's clock, for a [sweep](super::Bucket::sweep) to abort it: longer
    /// than any upload may take, for it might be another process's. Default: a day.
    pub stale_after: Duration,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            bodies: ObjectBlobConfig::default(),
            create_bucket: false,
            authority: None,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(10),
            retries: 3,
            retry_timeout: Duration::from_secs(10),
            stale_after: Duration::from_hours(24),
        }
    }
}

impl BucketConfig {
    /// The prefix of all bodies, if the whole configuration makes sense.
    pub(crate) fn check(&self) -> Result<Path> {
        let options = &self.options;
        if self.bucket.is_empty() || self.bucket.contains(['/', '?', '#', '%']) {
            return Err(invalid(format!(
                "bucket {:?} is no name of a bucket",
                self.bucket
            )));
        }
        if self.region.is_empty() {
            return Err(invalid("region is empty: say which, for example us-east-1"));
        }
        if options.bodies.part_size < MIN_PART {
            let got = options.bodies.part_size;
            return Err(invalid(format!(
                "part_size is {got}: S3 takes parts of 5 MiB ({MIN_PART}) at least"
            )));
        }
        if options.retries > MAX_RETRIES {
            return Err(invalid(format!(
                "retries are {}: at most {MAX_RETRIES}",
                options.retries
            )));
        }
        let timeouts = [options.connect_timeout, options.response_timeout];
        if timeouts.iter().any(Duration::is_zero) {
            return Err(invalid("a timeout of zero would fail every call"));
        }
        self.bucket_url()?;
        options.bodies.check()
    }

    /// Where the bucket is, without a slash at the end.
    pub(crate) fn bucket_url(&self) -> Result<String> {
        // The endpoint is not repeated in messages: there may be a password in it.
        let mut url = Url::parse(&self.endpoint).map_err(|error| {
            invalid("endpoint is no URL: it should be http[s]://host[:port]").with_source(error)
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("endpoint must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "endpoint has a user or a password in it: give keys as credentials",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("endpoint must end with its host, port or path"));
        }
        if self.addressing == Addressing::Host {
            let Some(Host::Domain(host)) = url.host() else {
                return Err(invalid(
                    "endpoint is an address: a bucket cannot be part of that; use path style",
                ));
            };
            let host = format!("{}.{host}", self.bucket);
            url.set_host(Some(&host)).map_err(|error| {
                invalid(format!("bucket {:?} cannot be part of a host", self.bucket))
                    .with_source(error)
            })?;
        }
        let base = url.as_str().trim_end_matches('/');
        Ok(match self.addressing {
            Addressing::Path => format!("{base}/{}", self.bucket),
            Addressing::Host => base.to_owned(),
        })
    }

    pub(crate) fn uses_tls(&self) -> bool {
        self.endpoint.starts_with("https:")
    }

    pub(crate) fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(50),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: self.options.retries,
            retry_timeout: self.options.retry_timeout,
        }
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "s3.config", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> BucketConfig {
        BucketConfig {
            service: "S3",
            endpoint: "https://s3.example:8443/".to_owned(),
            bucket: "bodies".to_owned(),
            region: "us-east-1".to_owned(),
            addressing: Addressing::Path,
            credentials: Credentials::keys("key", "secret canary"),
            options: BucketOptions::default(),
        }
    }

    fn with(change: impl Fn(&mut BucketConfig)) -> BucketConfig {
        let mut config = config();
        change(&mut config);
        config
    }

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_host() {
        let url = |config: BucketConfig| config.bucket_url().unwrap();
        assert_eq!(url(config()), "https://s3.example:8443/bodies");
        let host = with(|config| config.addressing = Addressing::Host);
        assert_eq!(url(host), "https://bodies.s3.example:8443");
        let behind = with(|config| config.endpoint = "http://[::1]/store".to_owned());
        assert_eq!(url(behind), "http://[::1]/store/bodies");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(config().check().is_ok());
        let refused = [
            with(|config| config.endpoint = "s3.example".to_owned()),
            with(|config| config.endpoint = "ftp://s3.example".to_owned()),
            with(|config| config.endpoint = "https://s3.example/?x".to_owned()),
            with(|config| config.bucket = String::new()),
            with(|config| config.bucket = "a/b".to_owned()),
            with(|config| config.region = String::new()),
            with(|config| {
                config.endpoint = "http://127.0.0.1".to_owned();
                config.addressing = Addressing::Host;
            }),
            with(|config| config.options.bodies.part_size = MIN_PART - 1),
            with(|config| config.options.bodies.prefix = "a//b".to_owned()),
            with(|config| config.options.retries = 21),
            with(|config| config.options.response_timeout = Duration::ZERO),
        ];
        for config in refused {
            let error = config.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{config:?}");
        }
    }

    #[test]
    fn p11_no_secret_is_in_any_output() {
        let said = format!("{:?}", config());
        assert!(!said.contains("canary"), "{said}");
        let with_password =
            with(|config| config.endpoint = "https://user:canary@s3.example".to_owned());
        let error = with_password.check().unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("canary"), "{said}");
    }
}
