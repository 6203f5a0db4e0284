//! MinIO, for bodies.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;
use terrace::Runtime;
use terrace::minio::{MinioBlob, MinioConfig};

use super::bucket::{bucket, credentials, options};
use super::login::endpoint;
use super::setting::Setting;
use crate::cli::secret;
use crate::run::BoxError;
use crate::wiring::Unusable;

const ENDPOINT: Setting = Setting("minio.endpoint");
const BUCKET: Setting = Setting("minio.bucket");
const ACCESS_KEY: Setting = Setting("minio.access_key");
const SECRET_KEY: Setting = Setting("minio.secret_key");
const SECRET_KEY_FILE: Setting = Setting("minio.secret_key_file");
const CA: Setting = Setting("minio.ca");

/// Which bucket of MinIO, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "MinIO")]
pub struct MinioArgs {
    /// Where MinIO is: `https://HOST:PORT`. Without TLS only if it says `http`
    #[arg(long, env = "TERRACE_MINIO_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub minio_endpoint: Option<String>,

    /// The bucket that bodies are kept in
    #[arg(long, env = "TERRACE_MINIO_BUCKET", value_name = "NAME", value_parser = bucket)]
    pub minio_bucket: Option<String>,

    /// Where in the bucket: two caches may share it under two prefixes, neither of which begins the other
    #[arg(
        long,
        env = "TERRACE_MINIO_PREFIX",
        value_name = "PATH",
        default_value = ""
    )]
    pub minio_prefix: String,

    /// Make the bucket if there is none
    #[arg(long, env = "TERRACE_MINIO_CREATE_BUCKET")]
    pub minio_create_bucket: bool,

    /// The region that requests are signed for
    #[arg(
        long,
        env = "TERRACE_MINIO_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub minio_region: String,

    /// The public half of the keys
    #[arg(long, env = "TERRACE_MINIO_ACCESS_KEY", value_name = "KEY")]
    pub minio_access_key: Option<String>,

    /// The secret half. Others see the command line of a process: prefer the variable, or the file
    #[arg(long, env = "TERRACE_MINIO_SECRET_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    pub minio_secret_key: Option<SecretString>,

    /// A file with nothing but that
    #[arg(long, env = "TERRACE_MINIO_SECRET_KEY_FILE", value_name = "FILE")]
    pub minio_secret_key_file: Option<PathBuf>,

    /// Who may sign the certificate of MinIO, in PEM, instead of those the system trusts
    #[arg(long, env = "TERRACE_MINIO_CA", value_name = "FILE")]
    pub minio_ca: Option<PathBuf>,
}

impl MinioArgs {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is: `MinIO https://minio.internal:9000/bucket`.
    pub fn place(&self) -> String {
        let [endpoint, bucket] = [&self.minio_endpoint, &self.minio_bucket]
            .map(|given| given.as_deref().unwrap_or_default());
        format!("MinIO {endpoint}/{bucket}")
    }

    /// The bodies in it.
    pub async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<MinioBlob, BoxError> {
        let connected = MinioBlob::connect(self.config()?, Arc::clone(runtime)).await;
        let settings = "`minio.endpoint`, `minio.bucket`, `minio.access_key`, `minio.secret_key`";
        Ok(connected
            .map_err(|error| Unusable::new(format!("{} ({settings})", self.place()), error))?)
    }

    fn config(&self) -> Result<MinioConfig, BoxError> {
        let file = self.minio_secret_key_file.as_deref();
        let secret = SECRET_KEY_FILE.secret(self.minio_secret_key.as_ref(), file)?;
        let access = self.minio_access_key.as_deref();
        let keys = credentials((ACCESS_KEY, access), (SECRET_KEY, secret))?;
        let endpoint = self.minio_endpoint.clone();
        let endpoint =
            endpoint.ok_or_else(|| ENDPOINT.missing("say where MinIO is: https://HOST:PORT"))?;
        let bucket = self.minio_bucket.clone();
        let bucket = bucket.ok_or_else(|| BUCKET.missing("name the bucket for the bodies"))?;
        let keys = keys.ok_or_else(|| ACCESS_KEY.missing("MinIO wants to know who asks"))?;
        let mut config = MinioConfig::new(endpoint, bucket, keys);
        config.region.clone_from(&self.minio_region);
        let authority = self.minio_ca.as_deref().map(|path| (CA, path));
        config.options = options(&self.minio_prefix, authority, self.minio_create_bucket)?;
        Ok(config)
    }
}
