//! Replays a recorded trace through a policy and reports what it would have hit and written.
//!
//! ```text
//! cargo run --release -p terrace-policy --example replay -- FILE.xz
//! cargo run --release -p terrace-policy --example replay -- FILE --l0-bytes 67108864 --admission second-request
//! ```

use std::collections::HashSet;
use std::error::Error;
use std::fs::File;
use std::io::ErrorKind::UnexpectedEof;
use std::io::{self, BufReader, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use terrace_core::Level;
use terrace_policy::replay::{Counting, L0, MAX_LINE_BYTES, Report, Request, parse, replay};
use terrace_policy::{AdmissionRule, Policy, PolicyBuilder, Promotion};

/// 3 GiB of requests in memory: larger traces are to be cut.
const MAX_REQUESTS: usize = 1 << 27;

/// Replays a trace (`time id size` to a line, plain or .xz) through an L0 over an unbounded durable tier.
/// With a file alone, compares several policies.
#[derive(Parser)]
struct Options {
    /// The trace.
    file: PathBuf,
    /// What L0 holds, in bytes; 0 for no L0.
    #[arg(long, value_name = "BYTES")]
    l0_bytes: Option<u64>,
    /// The largest body L0 stores, in bytes [default: 2 MiB].
    #[arg(long, value_name = "BYTES", requires = "l0_bytes")]
    l0_gate: Option<u64>,
    /// What is written to the durable tier [default: always].
    #[arg(long)]
    admission: Option<Admission>,
    /// When a durable hit is copied to L0: never, on-stream-commit, or after-hits=N [default:
    /// on-stream-commit].
    #[arg(long, value_name = "WHEN", requires = "l0_bytes", value_parser = promotion)]
    promotion: Option<Promotion>,
    /// Count requests with a sketch that remembers this many, as a running cache does, rather than exactly.
    #[arg(long, value_name = "REQUESTS")]
    window: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Admission {
    Always,
    SecondRequest,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let trace = read(&options.file)?;
    let scenarios = if options.compares() {
        comparison(trace.unique_bytes)?
    } else {
        vec![options.scenario()?]
    };
    report(&mut io::stdout().lock(), options, &trace, &scenarios)?;
    Ok(())
}

fn report(
    out: &mut impl Write,
    options: &Options,
    trace: &Trace,
    scenarios: &[Scenario],
) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} requests for {} objects of {} bytes\n",
        options.file.display(),
        trace.requests.len(),
        trace.objects,
        trace.unique_bytes
    )?;
    writeln!(
        out,
        "{:24} {:>12} {:>6} {:>6} {:>9} {:>9} {:>9} {:>14}",
        "policy", "L0 bytes", "hit %", "byte %", "L0 hits", "durable", "writes", "bytes written"
    )?;
    for scenario in scenarios {
        writeln!(out, "{}", row(scenario, &scenario.replay(trace)))?;
    }
    writeln!(
        out,
        "\nhit %, byte %: of requests, of bytes. durable: hits in the durable tier. writes: to it."
    )
}

impl Options {
    fn compares(&self) -> bool {
        self.l0_bytes.is_none() && self.admission.is_none() && self.window.is_none()
    }

    fn scenario(&self) -> Result<Scenario, Box<dyn Error>> {
        let admission = self.admission.unwrap_or(Admission::Always);
        let mut builder = admission.builder();
        if let Some(gate) = self.l0_gate {
            let below = Policy::default().gate(Level::L1).max(gate);
            builder = builder.l0_max(gate).l1_max(below);
        }
        if let Some(promotion) = self.promotion {
            builder = builder.promotion(Level::L3, Level::L0, promotion);
        }
        Ok(Scenario {
            name: admission.name().to_owned(),
            policy: builder.build()?,
            l0_bytes: self.l0_bytes.unwrap_or(0),
            counting: self
                .window
                .map_or(Counting::Exact, |window| Counting::Sketch { window }),
        })
    }
}

impl Admission {
    fn builder(self) -> PolicyBuilder {
        Policy::builder().admission(match self {
            Self::Always => AdmissionRule::Always,
            Self::SecondRequest => AdmissionRule::SecondRequest,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::SecondRequest => "second request",
        }
    }
}

fn promotion(text: &str) -> Result<Promotion, String> {
    match text {
        "never" => Ok(Promotion::Never),
        "on-stream-commit" => Ok(Promotion::OnStreamCommit),
        _ => text
            .strip_prefix("after-hits=")
            .and_then(|hits| NonZeroU32::from_str(hits).ok())
            .map(Promotion::AfterHits)
            .ok_or_else(|| {
                "use never, on-stream-commit, or after-hits=N with N above 0".to_owned()
            }),
    }
}

/// A policy, and the machine it runs on.
struct Scenario {
    name: String,
    policy: Policy,
    l0_bytes: u64,
    counting: Counting,
}

fn comparison(unique_bytes: u64) -> Result<Vec<Scenario>, Box<dyn Error>> {
    let sketch = Counting::Sketch { window: 1 << 17 };
    let mut scenarios = Vec::new();
    for (admission, counting, note) in [
        (Admission::Always, Counting::Exact, ""),
        (Admission::SecondRequest, Counting::Exact, ""),
        (Admission::SecondRequest, sketch, ", sketch"),
    ] {
        for l0_bytes in [0, unique_bytes / 100, unique_bytes / 10] {
            scenarios.push(Scenario {
                name: format!("{}{note}", admission.name()),
                policy: admission.builder().build()?,
                l0_bytes,
                counting,
            });
        }
    }
    Ok(scenarios)
}

impl Scenario {
    fn replay(&self, trace: &Trace) -> Report {
        let mut l0 = QuickL0::new(self.l0_bytes, trace);
        let requests = trace.requests.iter().copied();
        replay(requests, &self.policy, &mut l0, self.counting)
    }
}

fn row(scenario: &Scenario, report: &Report) -> String {
    format!(
        "{:24} {:>12} {:>6.1} {:>6.1} {:>9} {:>9} {:>9} {:>14}",
        scenario.name,
        scenario.l0_bytes,
        100.0 * report.hit_ratio(),
        100.0 * report.byte_hit_ratio(),
        report.l0.hits,
        report.durable.hits,
        report.durable.writes,
        report.durable.written_bytes
    )
}

/// The eviction of Terrace's memory tier, holding sizes instead of bodies.
struct QuickL0(Cache<u64, u64, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<u64, u64> for Bytes {
    fn weight(&self, _: &u64, size: &u64) -> u64 {
        // What weighs nothing is never evicted.
        (*size).max(1)
    }
}

impl QuickL0 {
    fn new(bytes: u64, trace: &Trace) -> Self {
        let mean = (trace.unique_bytes / trace.objects.max(1) as u64).max(1);
        let items = usize::try_from(bytes / mean).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items.min(trace.objects), bytes, Bytes))
    }
}

impl L0 for QuickL0 {
    fn get(&mut self, request: &Request) -> bool {
        self.0.get(&request.id).is_some()
    }

    fn insert(&mut self, request: &Request) {
        self.0.insert(request.id, request.size);
    }
}

struct Trace {
    requests: Vec<Request>,
    objects: usize,
    unique_bytes: u64,
}

fn read(path: &Path) -> Result<Trace, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut lines = Lines::default();
    if path.extension().is_some_and(|extension| extension == "xz") {
        lzma_rs::xz_decompress(&mut file, &mut lines).map_err(|error| match error {
            lzma_rs::error::Error::IoError(error) if error.kind() != UnexpectedEof => failed(error),
            damaged => format!("{}: not a whole .xz file: {damaged}", path.display()),
        })?;
    } else {
        io::copy(&mut file, &mut lines).map_err(failed)?;
    }
    let requests = lines.finish().map_err(failed)?;
    if requests.is_empty() {
        return Err(format!("{}: there are no requests in it", path.display()));
    }
    let mut ids = HashSet::new();
    let unique_bytes = requests
        .iter()
        .filter(|request| ids.insert(request.id))
        .map(|request| request.size)
        .fold(0, u64::saturating_add);
    Ok(Trace {
        objects: ids.len(),
        requests,
        unique_bytes,
    })
}

/// Takes a trace in pieces of any size.
#[derive(Default)]
struct Lines {
    requests: Vec<Request>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl Lines {
    fn finish(mut self) -> io::Result<Vec<Request>> {
        if !self.begun.is_empty() {
            self.end_line()?;
        }
        Ok(self.requests)
    }

    /// Every line before was a request, so that their number is the line's.
    fn end_line(&mut self) -> io::Result<()> {
        let number = self.requests.len() + 1;
        if number > MAX_REQUESTS {
            return Err(io::Error::other(format!(
                "more than {MAX_REQUESTS} requests: cut the trace"
            )));
        }
        let request = parse(&self.begun)
            .map_err(|malformed| io::Error::other(format!("line {number}: {malformed}")))?;
        self.requests.push(request);
        self.begun.clear();
        Ok(())
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() > MAX_LINE_BYTES {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
