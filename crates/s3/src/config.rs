use std::env;

use terrace_core::{Error, ErrorKind, Result};
use terrace_object_store::s3::{Addressing, BucketConfig, BucketOptions, Credentials};

/// Which bucket of S3, and as whom.
///
/// With nothing but a name, it is what a program on an Amazon machine wants: the region of its surroundings, their credentials,
/// and TLS.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's region. Default: what `AWS_REGION`, or else `AWS_DEFAULT_REGION`, says.
    pub region: Option<String>,
    /// Where the store is, without the bucket: `https://host[:port]`. Default: Amazon's for the region.
    pub endpoint: Option<String>,
    /// Names the bucket in the path, and not in the host. Default: no, as Amazon wants it; most other stores want it.
    pub path_style: bool,
    /// Who asks. Default: the [chain](Credentials::Chain).
    pub credentials: Credentials,
    /// All the rest.
    pub options: BucketOptions,
}

impl S3Config {
    /// The bucket called `bucket`, and else the defaults.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: None,
            endpoint: None,
            path_style: false,
            credentials: Credentials::Chain,
            options: BucketOptions::default(),
        }
    }

    /// In `region`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// In a store of another maker, at `endpoint`, with the bucket in the path.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self.path_style = true;
        self
    }

    /// As `credentials`.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    pub(crate) fn into_bucket(self) -> Result<BucketConfig> {
        let surroundings = || ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| env::var(name).ok());
        let region = self
            .region
            .or_else(|| surroundings().into_iter().flatten().next());
        let region = region.ok_or_else(|| {
            let message = "there is no region: give the bucket's, or set AWS_REGION";
            Error::new(ErrorKind::Invalid, "s3.config", message)
        })?;
        let addressing = if self.path_style {
            Addressing::Path
        } else {
            Addressing::Host
        };
        Ok(BucketConfig {
            service: "S3",
            endpoint: self.endpoint.unwrap_or_else(|| amazon(&region)),
            bucket: self.bucket,
            region,
            addressing,
            credentials: self.credentials,
            options: self.options,
        })
    }
}

/// Amazon's endpoint for a region.
fn amazon(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://s3.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_is_the_default() {
        let bucket = S3Config::new("b")
            .region("eu-central-1")
            .into_bucket()
            .unwrap();
        assert_eq!(bucket.endpoint, "https://s3.eu-central-1.amazonaws.com");
        assert_eq!(bucket.addressing, Addressing::Host);
        assert_eq!(
            amazon("cn-north-1"),
            "https://s3.cn-north-1.amazonaws.com.cn"
        );
    }

    #[test]
    fn other_stores_have_the_bucket_in_the_path() {
        let config = S3Config::new("b")
            .region("r")
            .endpoint("http://127.0.0.1:1");
        let bucket = config.into_bucket().unwrap();
        assert_eq!(bucket.addressing, Addressing::Path);
        assert_eq!(bucket.endpoint, "http://127.0.0.1:1");
    }

    #[test]
    fn p11_no_secret_is_in_any_output() {
        let config = S3Config::new("b").credentials(Credentials::keys("id", "canary"));
        let said = format!("{config:?}");
        assert!(!said.contains("canary"), "{said}");
    }
}
