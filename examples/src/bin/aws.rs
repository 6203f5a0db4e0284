//! Terrace on AWS: memory (L0) over Redis (L1) over S3 and DynamoDB (L3).
//!
//! ```sh
//! cargo run --release -p terrace-examples --features aws --bin aws -- --config examples/aws.toml
//! ```

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use terrace::Runtime;
use terrace::dynamodb::DdbIndex;
use terrace::redis::RedisTier;
use terrace::s3::S3Blob;
use terrace_examples::Wiring;
use terrace_examples::backends::{DynamodbArgs, RedisArgs, S3Args};
use terrace_examples::cli::{L1Args, ProxyArgs, SharedArgs, TierArgs};
use terrace_examples::run::{self, BoxError};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A caching reverse proxy: memory (L0) over Redis (L1) over S3 and DynamoDB (L3).
#[derive(Debug, Parser)]
#[command(name = "aws", version)]
struct Aws {
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    tiers: TierArgs,
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    l1: L1Args,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    dynamodb: DynamodbArgs,
}

impl Wiring for Aws {
    type Bodies = S3Blob;
    type Index = DdbIndex;
    type L1 = RedisTier;

    fn proxy(&self) -> &ProxyArgs {
        &self.proxy
    }

    fn tiers(&self) -> &TierArgs {
        &self.tiers
    }

    fn shared(&self) -> Option<&SharedArgs> {
        Some(&self.shared)
    }

    fn l1_gate(&self) -> Option<u64> {
        self.l1.gate()
    }

    fn place(&self) -> String {
        let (l1, bodies) = (self.redis.place(), self.s3.place());
        format!("L1 {l1}, bodies {bodies}, index {}", self.dynamodb.place())
    }

    fn check(&self) -> Result<(), BoxError> {
        if self.l1_gate().is_some() {
            self.redis.check()?;
        }
        self.s3.check()?;
        self.dynamodb.check()
    }

    async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<S3Blob, BoxError> {
        self.s3.bodies(runtime).await
    }

    async fn index(&self, runtime: &Arc<dyn Runtime>) -> Result<DdbIndex, BoxError> {
        self.dynamodb.index(runtime).await
    }

    async fn l1(&self, gate: u64, runtime: &Arc<dyn Runtime>) -> Result<RedisTier, BoxError> {
        self.redis.tier(gate, runtime).await
    }
}

fn main() -> ExitCode {
    run::main::<Aws>()
}
