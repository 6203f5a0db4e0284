//! Amazon S3, and whatever speaks like it, for bodies.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;
use terrace::Runtime;
use terrace::s3::{S3Blob, S3Config};

use super::bucket::{bucket, credentials, options};
use super::login::endpoint;
use super::setting::Setting;
use crate::cli::secret;
use crate::run::BoxError;
use crate::wiring::Unusable;

const BUCKET: Setting = Setting("s3.bucket");
const REGION: Setting = Setting("s3.region");
const ACCESS_KEY: Setting = Setting("s3.access_key");
const SECRET_KEY: Setting = Setting("s3.secret_key");
const SECRET_KEY_FILE: Setting = Setting("s3.secret_key_file");
const CA: Setting = Setting("s3.ca");

/// Which bucket of S3, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "S3")]
pub struct S3Args {
    /// The bucket that bodies are kept in
    #[arg(long, env = "TERRACE_S3_BUCKET", value_name = "NAME", value_parser = bucket)]
    pub s3_bucket: Option<String>,

    /// Where in the bucket: two caches may share it under two prefixes, neither of which begins the other
    #[arg(
        long,
        env = "TERRACE_S3_PREFIX",
        value_name = "PATH",
        default_value = ""
    )]
    pub s3_prefix: String,

    /// Make the bucket if there is none
    #[arg(long, env = "TERRACE_S3_CREATE_BUCKET")]
    pub s3_create_bucket: bool,

    /// The bucket's region. Default: what the variables say that every program on AWS reads
    #[arg(long, env = "TERRACE_S3_REGION", value_name = "REGION")]
    pub s3_region: Option<String>,

    /// A store of another maker, with the bucket in the path of requests: `https://HOST:PORT`. Default: Amazon's for the region
    #[arg(long, env = "TERRACE_S3_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub s3_endpoint: Option<String>,

    /// The public half of the keys. Default: what the surroundings give, as for every program on AWS
    #[arg(long, env = "TERRACE_S3_ACCESS_KEY", value_name = "KEY")]
    pub s3_access_key: Option<String>,

    /// The secret half. Others see the command line of a process: prefer the variable, or the file
    #[arg(long, env = "TERRACE_S3_SECRET_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    pub s3_secret_key: Option<SecretString>,

    /// A file with nothing but that
    #[arg(long, env = "TERRACE_S3_SECRET_KEY_FILE", value_name = "FILE")]
    pub s3_secret_key_file: Option<PathBuf>,

    /// Who may sign the certificate of the store, in PEM, instead of those the system trusts
    #[arg(long, env = "TERRACE_S3_CA", value_name = "FILE")]
    pub s3_ca: Option<PathBuf>,
}

impl S3Args {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is: `S3 bucket`, or `S3 https://store.internal/bucket`.
    pub fn place(&self) -> String {
        let bucket = self.s3_bucket.as_deref().unwrap_or_default();
        match &self.s3_endpoint {
            Some(endpoint) => format!("S3 {endpoint}/{bucket}"),
            None => format!("S3 {bucket}"),
        }
    }

    /// The bodies in it.
    pub async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<S3Blob, BoxError> {
        let connected = S3Blob::connect(self.config()?, Arc::clone(runtime)).await;
        let settings = "`s3.bucket`, `s3.region`, `s3.access_key`, `s3.secret_key`";
        Ok(connected
            .map_err(|error| Unusable::new(format!("{} ({settings})", self.place()), error))?)
    }

    fn config(&self) -> Result<S3Config, BoxError> {
        let bucket = self.s3_bucket.clone();
        let bucket = bucket.ok_or_else(|| BUCKET.missing("name the bucket for the bodies"))?;
        let mut config = S3Config::new(bucket);
        if let Some(endpoint) = &self.s3_endpoint {
            config = config.endpoint(endpoint);
        }
        config.region.clone_from(&self.s3_region);
        let surroundings = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        if config.region.is_none() && surroundings.iter().all(|it| std::env::var_os(it).is_none()) {
            return Err(REGION.missing("say which, or set AWS_REGION"));
        }
        let file = self.s3_secret_key_file.as_deref();
        let secret = SECRET_KEY_FILE.secret(self.s3_secret_key.as_ref(), file)?;
        let access = self.s3_access_key.as_deref();
        let keys = credentials((ACCESS_KEY, access), (SECRET_KEY, secret))?;
        config.credentials = keys.unwrap_or_default();
        let authority = self.s3_ca.as_deref().map(|path| (CA, path));
        config.options = options(&self.s3_prefix, authority, self.s3_create_bucket)?;
        Ok(config)
    }
}
