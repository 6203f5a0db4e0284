//! Ceph, for bodies.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;
use terrace::Runtime;
use terrace::ceph::{CephBlob, CephConfig};

use super::bucket::{bucket, credentials, options};
use super::login::endpoint;
use super::setting::Setting;
use crate::cli::secret;
use crate::run::BoxError;
use crate::wiring::Unusable;

const ENDPOINT: Setting = Setting("ceph.endpoint");
const BUCKET: Setting = Setting("ceph.bucket");
const ACCESS_KEY: Setting = Setting("ceph.access_key");
const SECRET_KEY: Setting = Setting("ceph.secret_key");
const SECRET_KEY_FILE: Setting = Setting("ceph.secret_key_file");
const CA: Setting = Setting("ceph.ca");

/// Which bucket of Ceph, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Ceph")]
pub struct CephArgs {
    /// Where Ceph is: `https://HOST:PORT`. Without TLS only if it says `http`
    #[arg(long, env = "TERRACE_CEPH_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub ceph_endpoint: Option<String>,

    /// The bucket that bodies are kept in
    #[arg(long, env = "TERRACE_CEPH_BUCKET", value_name = "NAME", value_parser = bucket)]
    pub ceph_bucket: Option<String>,

    /// Where in the bucket: two caches may share it under two prefixes, neither of which begins the other
    #[arg(
        long,
        env = "TERRACE_CEPH_PREFIX",
        value_name = "PATH",
        default_value = ""
    )]
    pub ceph_prefix: String,

    /// Make the bucket if there is none
    #[arg(long, env = "TERRACE_CEPH_CREATE_BUCKET")]
    pub ceph_create_bucket: bool,

    /// The region that requests are signed for
    #[arg(
        long,
        env = "TERRACE_CEPH_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub ceph_region: String,

    /// The public half of the keys
    #[arg(long, env = "TERRACE_CEPH_ACCESS_KEY", value_name = "KEY")]
    pub ceph_access_key: Option<String>,

    /// The secret half. Others see the command line of a process: prefer the variable, or the file
    #[arg(long, env = "TERRACE_CEPH_SECRET_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    pub ceph_secret_key: Option<SecretString>,

    /// A file with nothing but that
    #[arg(long, env = "TERRACE_CEPH_SECRET_KEY_FILE", value_name = "FILE")]
    pub ceph_secret_key_file: Option<PathBuf>,

    /// Who may sign the certificate of Ceph, in PEM, instead of those the system trusts
    #[arg(long, env = "TERRACE_CEPH_CA", value_name = "FILE")]
    pub ceph_ca: Option<PathBuf>,
}

impl CephArgs {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is: `Ceph https://ceph.internal:9000/bucket`.
    pub fn place(&self) -> String {
        let [endpoint, bucket] = [&self.ceph_endpoint, &self.ceph_bucket]
            .map(|given| given.as_deref().unwrap_or_default());
        format!("Ceph {endpoint}/{bucket}")
    }

    /// The bodies in it.
    pub async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<CephBlob, BoxError> {
        let connected = CephBlob::connect(self.config()?, Arc::clone(runtime)).await;
        let settings = "`ceph.endpoint`, `ceph.bucket`, `ceph.access_key`, `ceph.secret_key`";
        Ok(connected
            .map_err(|error| Unusable::new(format!("{} ({settings})", self.place()), error))?)
    }

    fn config(&self) -> Result<CephConfig, BoxError> {
        let file = self.ceph_secret_key_file.as_deref();
        let secret = SECRET_KEY_FILE.secret(self.ceph_secret_key.as_ref(), file)?;
        let access = self.ceph_access_key.as_deref();
        let keys = credentials((ACCESS_KEY, access), (SECRET_KEY, secret))?;
        let endpoint = self.ceph_endpoint.clone();
        let endpoint =
            endpoint.ok_or_else(|| ENDPOINT.missing("say where Ceph is: https://HOST:PORT"))?;
        let bucket = self.ceph_bucket.clone();
        let bucket = bucket.ok_or_else(|| BUCKET.missing("name the bucket for the bodies"))?;
        let keys = keys.ok_or_else(|| ACCESS_KEY.missing("Ceph wants to know who asks"))?;
        let mut config = CephConfig::new(endpoint, bucket, keys);
        config.region.clone_from(&self.ceph_region);
        let authority = self.ceph_ca.as_deref().map(|path| (CA, path));
        config.options = options(&self.ceph_prefix, authority, self.ceph_create_bucket)?;
        Ok(config)
    }
}
