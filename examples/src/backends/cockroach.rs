//! CockroachDB, or PostgreSQL, as an index.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use terrace::cockroach::{CrdbConfig, CrdbIndex};
use terrace::{Runtime, SystemClock};

use super::setting::{Setting, place};
use crate::cli::secret;
use crate::run::BoxError;
use crate::tiers::Forgets;
use crate::wiring::Unusable;

const URL: Setting = Setting("cockroach.url");
const URL_FILE: Setting = Setting("cockroach.url_file");
const CA: Setting = Setting("cockroach.ca");

/// How to reach CockroachDB, or PostgreSQL.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "CockroachDB")]
pub struct CockroachArgs {
    /// Where the database is: `postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=…]`; several nodes of one cluster with
    /// commas between them. Without `sslmode`, the certificate must bear the host's name. A URL with a password belongs
    /// into the variable, or into a file
    #[arg(long, env = "TERRACE_COCKROACH_URL", value_name = "URL,…", hide_env_values = true, value_parser = secret)]
    pub cockroach_url: Option<SecretString>,

    /// A file with nothing but that
    #[arg(long, env = "TERRACE_COCKROACH_URL_FILE", value_name = "FILE")]
    pub cockroach_url_file: Option<PathBuf>,

    /// The table of the records: two caches may share a database with two tables
    #[arg(
        long,
        env = "TERRACE_COCKROACH_TABLE",
        value_name = "NAME",
        default_value = "terrace",
        value_parser = table
    )]
    pub cockroach_table: String,

    /// Leave the tables as they are: if they are missing, or older than this version, the proxy does not start
    #[arg(long, env = "TERRACE_COCKROACH_NO_MIGRATION")]
    pub cockroach_no_migration: bool,

    /// The most connections
    #[arg(long, env = "TERRACE_COCKROACH_CONNECTIONS", value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub cockroach_connections: u16,

    /// Who may sign the certificates of the database, in PEM, instead of those the system trusts
    #[arg(long, env = "TERRACE_COCKROACH_CA", value_name = "FILE")]
    pub cockroach_ca: Option<PathBuf>,
}

impl CockroachArgs {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is, without passwords: `CockroachDB db.internal:26257`.
    pub fn place(&self) -> String {
        // An error is for `check` to tell.
        let urls = self.urls().unwrap_or_else(|_| "".into());
        let places: Vec<_> = urls.expose_secret().split(',').map(place).collect();
        format!("CockroachDB {}", places.join(","))
    }

    /// The index in it.
    pub async fn index(&self, runtime: &Arc<dyn Runtime>) -> Result<CrdbIndex, BoxError> {
        let clock = Arc::new(SystemClock);
        let connected = CrdbIndex::connect(self.config()?, Arc::clone(runtime), clock).await;
        let what = || format!("{} ({URL})", self.place());
        Ok(connected.map_err(|error| Unusable::new(what(), error))?)
    }

    fn config(&self) -> Result<CrdbConfig, BoxError> {
        let urls = self.urls()?;
        let urls = urls.expose_secret().split(',').map(str::trim);
        let mut config = CrdbConfig::nodes(urls);
        config.table.clone_from(&self.cockroach_table);
        config.migrate = !self.cockroach_no_migration;
        config.max_connections = self.cockroach_connections.into();
        config.authority = self
            .cockroach_ca
            .as_deref()
            .map(|path| CA.file(path))
            .transpose()?;
        config.validate().map_err(|error| URL.wrong(error))?;
        Ok(config)
    }

    fn urls(&self) -> Result<SecretString, BoxError> {
        let file = self.cockroach_url_file.as_deref();
        let urls = URL_FILE.secret(self.cockroach_url.as_ref(), file)?;
        urls.ok_or_else(|| {
            URL.missing("say where the database is: postgresql://USER@HOST/DATABASE")
        })
    }
}

fn table(text: &str) -> Result<String, String> {
    let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    let begins_well = text.starts_with(|first: char| !first.is_ascii_digit());
    if begins_well && text.len() <= 40 && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no name for the table: 1 to 40 lower-case letters, digits and underscores, and no digit first"
        ))
    }
}

impl Forgets for CrdbIndex {
    async fn forget(&self, most: u32) -> terrace::Result<u64> {
        self.purge_expired(most).await
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        cockroach: CockroachArgs,
    }

    fn args(line: &str) -> CockroachArgs {
        let words = ["cockroach"].into_iter().chain(line.split_whitespace());
        Only::try_parse_from(words).unwrap().cockroach
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        for (line, told) in [
            (
                "",
                "`cockroach.url` (--cockroach-url, TERRACE_COCKROACH_URL) is missing",
            ),
            ("--cockroach-url mysql://canary@a/b", "`cockroach.url`"),
            ("--cockroach-url postgresql://canary@a", "names no database"),
            (
                "--cockroach-url postgresql://a/b --cockroach-ca /no/ca.pem",
                "`cockroach.ca`",
            ),
            ("--cockroach-url-file /no/file", "`cockroach.url_file`"),
        ] {
            let error = args(line).check().unwrap_err().to_string();
            assert!(
                error.contains(told) && !error.contains("canary"),
                "{line}: {error}"
            );
        }
        args("--cockroach-url postgresql://a/b,postgresql://c/b")
            .check()
            .unwrap();
        assert!(table("terrace_2").is_ok());
        for wrong in ["", "2", "Terrace", "a-b"] {
            assert!(table(wrong).unwrap_err().contains("40"), "{wrong}");
        }
    }

    #[test]
    fn p11_no_password_is_in_any_output() {
        let args =
            args("--cockroach-url postgresql://user:canary@10.0.0.1:26257/db?sslmode=disable");
        let told = format!("{args:?} {}", args.place());
        assert!(!told.contains("canary"), "{told}");
        assert!(told.contains("CockroachDB 10.0.0.1:26257"), "{told}");
    }
}
