//! Terrace without any server: memory over local files and SQLite.
//!
//! ```sh
//! cargo run --release -p terrace-examples --bin embedded -- --upstream origin.example:80
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use terrace::object_store::ObjectBlob;
use terrace::sqlite::SqliteIndex;
use terrace::{NoTier, Runtime};
use terrace_examples::Wiring;
use terrace_examples::backends::LocalArgs;
use terrace_examples::cli::{ProxyArgs, TierArgs};
use terrace_examples::run::{self, BoxError};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A caching reverse proxy: memory (L0) over local files and SQLite (L3).
#[derive(Debug, Parser)]
#[command(name = "embedded", version)]
struct Embedded {
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    tiers: TierArgs,
    #[command(flatten)]
    local: LocalArgs,
}

impl Wiring for Embedded {
    type Bodies = ObjectBlob;
    type Index = SqliteIndex;
    type L1 = NoTier;

    fn proxy(&self) -> &ProxyArgs {
        &self.proxy
    }

    fn tiers(&self) -> &TierArgs {
        &self.tiers
    }

    /// Beside the rest of the data; the system's own place may be memory.
    fn spool_dir(&self) -> PathBuf {
        self.local.data.clone()
    }

    fn place(&self) -> String {
        format!("data {}", self.local.data.display())
    }

    fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<ObjectBlob, BoxError> {
        self.local.bodies(runtime).await
    }

    async fn index(&self, runtime: &Arc<dyn Runtime>) -> Result<SqliteIndex, BoxError> {
        self.local.index(runtime).await
    }

    async fn l1(&self, _: u64, _: &Arc<dyn Runtime>) -> Result<NoTier, BoxError> {
        Ok(NoTier)
    }
}

fn main() -> ExitCode {
    run::main::<Embedded>()
}
