//! Terrace for development with services: memory (L0) over MinIO and Redis (L3).
//!
//! ```sh
//! cargo run -p terrace-examples --features dev --bin dev -- --config examples/dev.toml
//! ```

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use terrace::minio::MinioBlob;
use terrace::redis::RedisIndex;
use terrace::{NoTier, Runtime};
use terrace_examples::Wiring;
use terrace_examples::backends::{MinioArgs, RedisArgs};
use terrace_examples::cli::{ProxyArgs, SharedArgs, TierArgs};
use terrace_examples::run::{self, BoxError};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A caching reverse proxy: memory (L0) over MinIO and Redis (L3).
#[derive(Debug, Parser)]
#[command(name = "dev", version)]
struct Dev {
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    tiers: TierArgs,
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    minio: MinioArgs,
    #[command(flatten)]
    redis: RedisArgs,
}

impl Wiring for Dev {
    type Bodies = MinioBlob;
    type Index = RedisIndex;
    type L1 = NoTier;

    fn proxy(&self) -> &ProxyArgs {
        &self.proxy
    }

    fn tiers(&self) -> &TierArgs {
        &self.tiers
    }

    fn shared(&self) -> Option<&SharedArgs> {
        Some(&self.shared)
    }

    fn place(&self) -> String {
        format!(
            "bodies {}, index {}",
            self.minio.place(),
            self.redis.place()
        )
    }

    fn check(&self) -> Result<(), BoxError> {
        self.minio.check()?;
        self.redis.check()
    }

    async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<MinioBlob, BoxError> {
        self.minio.bodies(runtime).await
    }

    async fn index(&self, _: &Arc<dyn Runtime>) -> Result<RedisIndex, BoxError> {
        self.redis.index().await
    }

    async fn l1(&self, _: u64, _: &Arc<dyn Runtime>) -> Result<NoTier, BoxError> {
        Ok(NoTier)
    }
}

fn main() -> ExitCode {
    run::main::<Dev>()
}
