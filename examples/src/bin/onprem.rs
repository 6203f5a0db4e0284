//! Terrace in a data centre of one's own: memory (L0) over Redis or Memcached (L1) over Ceph and CockroachDB (L3).
//!
//! ```sh
//! cargo run --release -p terrace-examples --features onprem --bin onprem -- --config examples/onprem.toml
//! ```

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use terrace::ceph::CephBlob;
use terrace::cockroach::CrdbIndex;
use terrace::{Runtime, Tier};
use terrace_examples::Wiring;
use terrace_examples::backends::{CephArgs, CockroachArgs, MemcachedArgs, RedisArgs};
use terrace_examples::cli::{L1Args, L1Server, L1ServerArgs, ProxyArgs, SharedArgs, TierArgs};
use terrace_examples::run::{self, BoxError};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A caching reverse proxy: memory (L0) over Redis or Memcached (L1) over Ceph and CockroachDB (L3).
#[derive(Debug, Parser)]
#[command(name = "onprem", version)]
struct Onprem {
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    tiers: TierArgs,
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    l1: L1Args,
    #[command(flatten)]
    l1_server: L1ServerArgs,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    memcached: MemcachedArgs,
    #[command(flatten)]
    ceph: CephArgs,
    #[command(flatten)]
    cockroach: CockroachArgs,
}

impl Wiring for Onprem {
    type Bodies = CephBlob;
    type Index = CrdbIndex;
    /// Which one is chosen at the start.
    type L1 = Arc<dyn Tier>;

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
        let l1 = match self.l1_server.l1 {
            L1Server::Redis => self.redis.place(),
            L1Server::Memcached => self.memcached.place(),
        };
        let (bodies, index) = (self.ceph.place(), self.cockroach.place());
        format!("L1 {l1}, bodies {bodies}, index {index}")
    }

    fn check(&self) -> Result<(), BoxError> {
        if self.l1_gate().is_some() {
            match self.l1_server.l1 {
                L1Server::Redis => self.redis.check()?,
                L1Server::Memcached => self.memcached.check()?,
            }
        }
        self.ceph.check()?;
        self.cockroach.check()
    }

    async fn bodies(&self, runtime: &Arc<dyn Runtime>) -> Result<CephBlob, BoxError> {
        self.ceph.bodies(runtime).await
    }

    async fn index(&self, runtime: &Arc<dyn Runtime>) -> Result<CrdbIndex, BoxError> {
        self.cockroach.index(runtime).await
    }

    async fn l1(&self, gate: u64, runtime: &Arc<dyn Runtime>) -> Result<Arc<dyn Tier>, BoxError> {
        Ok(match self.l1_server.l1 {
            L1Server::Redis => Arc::new(self.redis.tier(gate, runtime).await?),
            L1Server::Memcached => Arc::new(self.memcached.tier(gate, runtime).await?),
        })
    }
}

fn main() -> ExitCode {
    run::main::<Onprem>()
}
