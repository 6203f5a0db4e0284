//! Amazon DynamoDB, as an index.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;
use terrace::dynamodb::{Billing, DdbConfig, DdbCredentials, DdbIndex};
use terrace::{Runtime, SystemClock};

use super::login::{both, endpoint};
use super::setting::Setting;
use crate::cli::secret;
use crate::run::BoxError;
use crate::tiers::Forgets;
use crate::wiring::Unusable;

const TABLE: Setting = Setting("dynamodb.table");
const ACCESS_KEY: Setting = Setting("dynamodb.access_key");
const SECRET_KEY: Setting = Setting("dynamodb.secret_key");
const SECRET_KEY_FILE: Setting = Setting("dynamodb.secret_key_file");

/// Which table of DynamoDB, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "DynamoDB")]
pub struct DynamodbArgs {
    /// The table of the records; two caches may not share one
    #[arg(long, env = "TERRACE_DYNAMODB_TABLE", value_name = "NAME", value_parser = table)]
    pub dynamodb_table: Option<String>,

    /// Make the table, on demand, if there is none
    #[arg(long, env = "TERRACE_DYNAMODB_CREATE_TABLE")]
    pub dynamodb_create_table: bool,

    /// The table's region. Default: what the surroundings give, as for every program on AWS
    #[arg(long, env = "TERRACE_DYNAMODB_REGION", value_name = "REGION")]
    pub dynamodb_region: Option<String>,

    /// Another endpoint: a VPC's, or DynamoDB Local
    #[arg(long, env = "TERRACE_DYNAMODB_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub dynamodb_endpoint: Option<String>,

    /// The public half of the keys. Default: what the surroundings give
    #[arg(long, env = "TERRACE_DYNAMODB_ACCESS_KEY", value_name = "KEY")]
    pub dynamodb_access_key: Option<String>,

    /// The secret half. Others see the command line of a process: prefer the variable, or the file
    #[arg(long, env = "TERRACE_DYNAMODB_SECRET_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    pub dynamodb_secret_key: Option<SecretString>,

    /// A file with nothing but that
    #[arg(long, env = "TERRACE_DYNAMODB_SECRET_KEY_FILE", value_name = "FILE")]
    pub dynamodb_secret_key_file: Option<PathBuf>,
}

impl DynamodbArgs {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is: `DynamoDB table`, or `DynamoDB http://127.0.0.1:8000/table`.
    pub fn place(&self) -> String {
        let table = self.dynamodb_table.as_deref().unwrap_or_default();
        match &self.dynamodb_endpoint {
            Some(endpoint) => format!("DynamoDB {endpoint}/{table}"),
            None => format!("DynamoDB {table}"),
        }
    }

    /// The index in it.
    pub async fn index(&self, runtime: &Arc<dyn Runtime>) -> Result<DdbIndex, BoxError> {
        let clock = Arc::new(SystemClock);
        let connected = DdbIndex::connect(self.config()?, Arc::clone(runtime), clock).await;
        let settings =
            "`dynamodb.table`, `dynamodb.region`, `dynamodb.access_key`, `dynamodb.secret_key`";
        let what = || format!("{} ({settings})", self.place());
        Ok(connected.map_err(|error| Unusable::new(what(), error))?)
    }

    fn config(&self) -> Result<DdbConfig, BoxError> {
        let table = self.dynamodb_table.clone();
        let table = table.ok_or_else(|| TABLE.missing("name the table for the index"))?;
        let mut config = DdbConfig::new(table);
        config.create = self.dynamodb_create_table.then_some(Billing::OnDemand);
        config.region.clone_from(&self.dynamodb_region);
        config.endpoint.clone_from(&self.dynamodb_endpoint);
        config.credentials = self.credentials()?;
        Ok(config)
    }

    fn credentials(&self) -> Result<Option<DdbCredentials>, BoxError> {
        let file = self.dynamodb_secret_key_file.as_deref();
        let secret = SECRET_KEY_FILE.secret(self.dynamodb_secret_key.as_ref(), file)?;
        let access = self.dynamodb_access_key.as_deref();
        let keys = both((ACCESS_KEY, access), (SECRET_KEY, secret))?;
        Ok(keys.map(|(access, secret)| DdbCredentials {
            access_key_id: access.to_owned(),
            secret_access_key: secret,
            session_token: None,
        }))
    }
}

fn table(text: &str) -> Result<String, String> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    if (3..=255).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no name of a table: 3 to 255 letters, digits, '_', '-' and '.'"
        ))
    }
}

/// The server forgets by itself.
impl Forgets for DdbIndex {}
