use terrace_object_store::s3::{Addressing, BucketConfig, BucketOptions, Credentials};

/// Which bucket of MinIO, and as whom.
#[derive(Debug, Clone)]
pub struct MinioConfig {
    /// Where MinIO is: `https://host:9000`. Without TLS only if it says `http`.
    pub endpoint: String,
    /// The bucket's name. It is in the path of requests, so that the server need not know its own host name.
    pub bucket: String,
    /// The region that requests are signed for. Default: `us-east-1`, which MinIO takes unless it was given another.
    pub region: String,
    /// Who asks.
    pub credentials: Credentials,
    /// All the rest.
    pub options: BucketOptions,
}

impl MinioConfig {
    /// The bucket called `bucket` at `endpoint`, and else the defaults.
    pub fn new(
        endpoint: impl Into<String>,
        bucket: impl Into<String>,
        credentials: Credentials,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            bucket: bucket.into(),
            region: "us-east-1".to_owned(),
            credentials,
            options: BucketOptions::default(),
        }
    }

    pub(crate) fn into_bucket(self) -> BucketConfig {
        BucketConfig {
            service: "MinIO",
            endpoint: self.endpoint,
            bucket: self.bucket,
            region: self.region,
            addressing: Addressing::Path,
            credentials: self.credentials,
            options: self.options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_no_secret_is_in_any_output() {
        let config = MinioConfig::new("http://127.0.0.1:1", "b", Credentials::keys("id", "canary"));
        let said = format!("{config:?}");
        assert!(!said.contains("canary"), "{said}");
    }
}
