//! A hit by each adapter, beside the same bytes by the client it is made of. `cargo xtask bench backends` runs this.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use report::Report;
use subject::Subject;

mod blobs;
mod durable;
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
    let mut subjects = Vec::new();
    subjects.extend(tiers::redis(&options.sizes).await?);
    subjects.extend(memcached::memcached(&options.sizes).await?);
    subjects.extend(indexes::redis(&options.sizes).await?);
    subjects.extend(indexes::sqlite(&options.sizes, folder.path()).await?);
    subjects.extend(indexes::postgres(&options.sizes).await?);
    subjects.extend(blobs::files(&options.sizes, folder.path()).await?);
    subjects.extend(blobs::s3(&options.sizes).await?);
    subjects.extend(durable::files_and_sqlite(&options.sizes, folder.path()).await?);
    subjects.extend(durable::minio_and_postgres(&options.sizes).await?);
    let is_wanted = |subject: &Subject| {
        let mut names = options.only.iter();
        options.only.is_empty() || names.any(|name| subject.backend.starts_with(name))
    };
    let mut report = Report::default();
    for subject in subjects.iter().filter(|subject| is_wanted(subject)) {
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
