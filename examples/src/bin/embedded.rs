//! Terrace without any server: memory over local files and SQLite.
//!
//! ```sh
//! cargo run --release -p terrace-examples --bin embedded -- --upstream origin.example:80
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Deserialize;
use terrace::durable::{DurableTier, GcOptions};
use terrace::memory::MemoryTier;
use terrace::object_store::{LocalConfig, ObjectBlob};
use terrace::sqlite::{Durability, SqliteConfig, SqliteIndex};
use terrace::{
    Limits, MultiTier, MultiTierBuilder, NoTier, Policy, Runtime, Stack, SystemClock, Tier,
};
use terrace_examples::cli::{self, Cli, ProxyArgs};
use terrace_examples::config::{Section, Setting, Settings};
use terrace_examples::run::{self, BoxError, Wiring};

type Durable = DurableTier<ObjectBlob, Arc<SqliteIndex>>;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A caching reverse proxy: memory (L0) over local files and SQLite (L3).
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    proxy: ProxyArgs,

    /// Where the durable tier keeps its files
    #[arg(
        long,
        env = "TERRACE_DATA",
        value_name = "DIR",
        default_value = "./terrace-data"
    )]
    data: PathBuf,

    /// Memory for L0
    #[arg(long, env = "TERRACE_L0_BYTES", value_name = "BYTES", default_value = "256MiB", value_parser = l0_bytes)]
    l0_bytes: u64,

    /// The largest body L0 takes; larger ones are served from disk
    #[arg(long, env = "TERRACE_L0_GATE", value_name = "BYTES", default_value = "2MiB", value_parser = l0_gate)]
    l0_gate: u64,

    /// Leave L0 out
    #[arg(long, env = "TERRACE_NO_L0")]
    no_l0: bool,

    /// What stored objects and purges survive
    #[arg(
        long,
        env = "TERRACE_DURABILITY",
        value_name = "LEVEL",
        default_value = "power-loss"
    )]
    durability: Survives,

    /// Seconds between two collections of garbage
    #[arg(long, env = "TERRACE_GC_INTERVAL", value_name = "SECONDS", default_value = "600", value_parser = gc_interval)]
    gc_interval: u64,

    /// A rule of the configuration file waits for the second request
    #[arg(skip)]
    counts_requests: bool,
}

impl Cli for Args {
    type Tiers = Tiers;

    fn proxy(&self) -> &ProxyArgs {
        &self.proxy
    }
}

/// `[tiers]` of the configuration file: what the options of the same names say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tiers {
    data: Option<Setting>,
    l0_bytes: Option<Setting>,
    l0_gate: Option<Setting>,
    no_l0: Option<Setting>,
    durability: Option<Setting>,
    gc_interval: Option<Setting>,
}

impl Section for Tiers {
    fn settings<'a>(&'a self, settings: &mut Settings<'a>) {
        settings.set("data", "tiers.data", self.data.as_ref());
        settings.set("l0_bytes", "tiers.l0_bytes", self.l0_bytes.as_ref());
        settings.set("l0_gate", "tiers.l0_gate", self.l0_gate.as_ref());
        settings.set("no_l0", "tiers.no_l0", self.no_l0.as_ref());
        settings.set("durability", "tiers.durability", self.durability.as_ref());
        let gc_interval = self.gc_interval.as_ref();
        settings.set("gc_interval", "tiers.gc_interval", gc_interval);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Survives {
    /// The loss of power: each write waits for the disk
    PowerLoss,
    /// The end of the process. After a loss of power, the last seconds may be forgotten, purges among them
    ProcessEnd,
}

#[derive(Debug, thiserror::Error)]
#[error("the data directory {} (--data) cannot be used", dir.display())]
struct UnusableData {
    dir: PathBuf,
    source: terrace::Error,
}

/// What an object in L0 weighs beyond its body: response header, checksums, bookkeeping.
const L0_MARGIN: u64 = 256 << 10;

fn main() -> ExitCode {
    run::main(|mut args: Args, file| {
        args.counts_requests = file.counts_requests();
        if !args.no_l0 && args.l0_gate > args.l0_bytes / 4 {
            let message =
                "--l0-gate is more than a quarter of --l0-bytes: L0 would hold next to nothing";
            return Err(message.into());
        }
        let place = format!("data {}", args.data.display());
        let open = move |runtime| open(args, runtime);
        Ok(Wiring { place, open })
    })
}

async fn open(args: Args, runtime: Arc<dyn Runtime>) -> Result<Stack, BoxError> {
    let durable = open_durable(&args, &runtime).await;
    let durable = durable.map_err(|source| UnusableData {
        dir: args.data.clone(),
        source,
    })?;
    if args.no_l0 {
        return compose(MultiTier::builder(durable), &args, runtime);
    }
    let memory = MemoryTier::builder(args.l0_bytes)
        .max_object_bytes(args.l0_gate + L0_MARGIN)
        .build();
    compose(MultiTier::builder(durable).l0(memory), &args, runtime)
}

async fn open_durable(args: &Args, runtime: &Arc<dyn Runtime>) -> terrace::Result<Durable> {
    let is_safe = args.durability == Survives::PowerLoss;
    let files = LocalConfig {
        fsync: is_safe,
        ..LocalConfig::default()
    };
    let database = SqliteConfig {
        durability: if is_safe {
            Durability::Full
        } else {
            Durability::Normal
        },
        ..SqliteConfig::default()
    };
    let clock = Arc::new(SystemClock);
    let bodies = ObjectBlob::local(args.data.join("bodies"), Arc::clone(runtime), files).await?;
    let path = args.data.join("index.db");
    let index = SqliteIndex::open(path, Arc::clone(runtime), clock, database).await?;
    let index = Arc::new(index);
    let durable = DurableTier::builder(bodies, Arc::clone(&index)).build()?;

    let every = Duration::from_secs(args.gc_interval);
    let tidy = tidy_up(durable.clone(), index, Arc::clone(runtime), every);
    runtime.spawn(Box::pin(tidy));
    Ok(durable)
}

fn compose<L0: Tier>(
    tiers: MultiTierBuilder<L0, NoTier, NoTier, Durable>,
    args: &Args,
    runtime: Arc<dyn Runtime>,
) -> Result<Stack, BoxError> {
    let mut limits = Limits {
        // Beside the rest of the data; the system's own place may be memory.
        spool_dir: args.data.clone(),
        ..Limits::default()
    };
    // What L0 may take must fit while it is on its way.
    let gate = usize::try_from(args.l0_gate)?;
    limits.in_progress_bytes = limits.in_progress_bytes.max(gate);
    limits.memory_bytes = limits.memory_bytes.max(4 * limits.in_progress_bytes);
    let policy = Policy::builder()
        .l0_max(args.l0_gate)
        .count_requests(args.counts_requests)
        .build()?;
    let tiers = tiers.policy(policy).limits(limits).runtime(runtime);
    Ok(tiers.build()?.stack().clone())
}

/// Removes bodies nobody can reach any more, and records that are past their time. Ends with the runtime.
async fn tidy_up(
    durable: Durable,
    index: Arc<SqliteIndex>,
    runtime: Arc<dyn Runtime>,
    every: Duration,
) {
    let options = GcOptions {
        dry_run: false,
        ..GcOptions::default()
    };
    loop {
        runtime.sleep(every).await;
        match forget_expired(&index, &*runtime).await {
            Ok(records) => tracing::debug!(records, "forgot what is past its time"),
            Err(error) => {
                tracing::warn!(%error, "cannot forget what is past its time: trying again later");
            }
        }
        match durable.collect(&options).await {
            Ok(report) if report.deleted > 0 => tracing::info!(?report, "collected garbage"),
            Ok(report) => tracing::debug!(?report, "there was no garbage to be collected"),
            Err(error) => tracing::warn!(%error, "cannot collect garbage: trying again later"),
        }
    }
}

/// In small steps, for other writes wait meanwhile, and not for ever.
async fn forget_expired(index: &SqliteIndex, runtime: &dyn Runtime) -> terrace::Result<u64> {
    const STEP: u32 = 500;
    const STEPS: usize = 2000;
    let mut records = 0;
    for _ in 0..STEPS {
        let removed = index.purge_expired(STEP).await?;
        records += removed;
        if removed == 0 {
            break;
        }
        runtime.sleep(Duration::from_millis(10)).await;
    }
    Ok(records)
}

fn l0_bytes(text: &str) -> Result<u64, String> {
    cli::bytes(text, 1 << 20)
}

fn gc_interval(text: &str) -> Result<u64, String> {
    const YEAR: u64 = 365 * 24 * 3600;
    cli::seconds(text, YEAR)
}

fn l0_gate(text: &str) -> Result<u64, String> {
    cli::bytes(text, 1)
}
