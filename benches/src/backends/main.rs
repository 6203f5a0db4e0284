//! A hit by each adapter, beside the same bytes by the client it is made of. `cargo xtask bench backends` runs this.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use futures::FutureExt as _;

use report::Report;
use subject::Subject;

mod blobs;
mod durable;
mod dynamodb;
mod indexes;
mod measure;
mod memcached;
mod read;
mod report;
mod subject;
mod tiers;

/// The allocator of the proxies.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What ends a measurement: any error.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, Clone, Parser)]
struct Options {
    /// How often the two take turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each turn takes
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Lengths of the body, in bytes
    #[arg(long, value_delimiter = ',', default_value = "1024,65536,16777216")]
    sizes: Vec<usize>,
    /// How many ask at a time
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    clients: Vec<usize>,
    /// Backends whose names begin so
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure nothing, but let only the adapter, or only its client, fetch: for a profiler
    #[arg(long)]
    profile: Option<Whose>,
    /// How many bodies are fetched for a profiler
    #[arg(long, default_value_t = 1000)]
    bodies: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whose {
    Adapter,
    Client,
}

impl Options {
    fn wants(&self, backend: &str) -> bool {
        let mut names = self.only.iter();
        self.only.is_empty() || names.any(|name| backend.starts_with(name))
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    // The client for S3 has none of its own.
    pingora::tls::install_default_crypto_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let run = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&options)));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-backends: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Outcome<()> {
    let time = Duration::try_from_secs_f64(options.seconds)?;
    let folder = tempfile::tempdir()?;
    let subjects = subjects(options, folder.path()).await?;
    if let Some(whose) = options.profile {
        return profile(&subjects, whose, options).await;
    }
    let mut report = Report::default();
    for subject in &subjects {
        for &clients in &options.clients {
            let samples = measure::take_turns(subject, clients, options.rounds, time).await;
            let samples = samples.map_err(|error| format!("{}: {error}", subject.backend))?;
            eprintln!(
                "{} {} bytes, {clients} clients: done",
                subject.backend, subject.bytes
            );
            report.add(subject, clients, samples);
        }
    }
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

/// What is to be measured, set up.
async fn subjects(options: &Options, folder: &Path) -> Outcome<Vec<Subject>> {
    let sizes = &options.sizes;
    let groups = [
        ("RedisTier", tiers::redis(sizes).boxed()),
        ("MemcachedTier", memcached::memcached(sizes).boxed()),
        ("RedisIndex", indexes::redis(sizes).boxed()),
        ("SqliteIndex", indexes::sqlite(sizes, folder).boxed()),
        ("CrdbIndex", indexes::postgres(sizes).boxed()),
        ("DdbIndex", dynamodb::dynamodb(sizes).boxed()),
        ("ObjectBlob", blobs::files(sizes, folder).boxed()),
        ("S3Blob", blobs::s3(sizes).boxed()),
        (
            durable::FILES,
            durable::files_and_sqlite(sizes, folder).boxed(),
        ),
        (durable::BUCKET, durable::minio_and_postgres(sizes).boxed()),
    ];
    let mut subjects = Vec::new();
    for (backend, set_up) in groups {
        if options.wants(backend) {
            let set_up = set_up.await;
            subjects.extend(set_up.map_err(|error| format!("{backend}: {error}"))?);
        }
    }
    Ok(subjects)
}

async fn profile(subjects: &[Subject], whose: Whose, options: &Options) -> Outcome<()> {
    for subject in subjects {
        let fetch = match whose {
            Whose::Adapter => &subject.ours,
            Whose::Client => &subject.raw,
        };
        for &clients in &options.clients {
            measure::fetch(fetch, clients, options.bodies).await?;
        }
    }
    Ok(())
}
