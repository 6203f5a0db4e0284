//! Local files and SQLite.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use terrace::object_store::{LocalConfig, ObjectBlob};
use terrace::sqlite::{Durability, SqliteConfig, SqliteIndex};
use terrace::{Result, Runtime, SystemClock};

use crate::Unusable;
use crate::run::BoxError;
use crate::tiers::Forgets;

/// A folder of this machine.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tiers")]
pub struct LocalArgs {
    /// Where the durable tier keeps its files
    #[arg(
        long,
        env = "TERRACE_DATA",
        value_name = "DIR",
        default_value = "./terrace-data"
    )]
    pub data: PathBuf,

    /// What stored objects and purges survive
    #[arg(
        long,
        env = "TERRACE_DURABILITY",
        value_name = "LEVEL",
        default_value = "power-loss"
    )]
    pub durability: Survives,
}

/// What stored objects and purges survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Survives {
    /// The loss of power: each write waits for the disk
    PowerLoss,
    /// The end of the process. After a loss of power, the last seconds may be forgotten, purges among them
    ProcessEnd,
}

impl LocalArgs {
    /// The files of bodies.
    pub async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<ObjectBlob, BoxError> {
        let config = LocalConfig {
            fsync: self.durability == Survives::PowerLoss,
            ..LocalConfig::default()
        };
        let folder = self.data.join("bodies");
        let opened = ObjectBlob::local(folder, Arc::clone(runtime), config).await;
        Ok(opened.map_err(|error| self.unusable(error))?)
    }

    /// The database.
    pub async fn index(&self, runtime: &Arc<dyn Runtime>) -> Result<SqliteIndex, BoxError> {
        let durability = match self.durability {
            Survives::PowerLoss => Durability::Full,
            Survives::ProcessEnd => Durability::Normal,
        };
        let config = SqliteConfig {
            durability,
            ..SqliteConfig::default()
        };
        let path = self.data.join("index.db");
        let clock = Arc::new(SystemClock);
        let opened = SqliteIndex::open(path, Arc::clone(runtime), clock, config).await;
        Ok(opened.map_err(|error| self.unusable(error))?)
    }

    fn unusable(&self, error: terrace::Error) -> Unusable {
        let what = format!("the data directory {} (--data)", self.data.display());
        Unusable::new(what, error)
    }
}

impl Forgets for SqliteIndex {
    async fn forget(&self, most: u32) -> Result<u64> {
        self.purge_expired(most).await
    }
}
