use std::path::{Path, PathBuf};
use std::time::Instant;

use super::machine::{Cores, on_core};
use super::sample::Sample;
use super::server::Server;
use crate::Outcome;
use crate::services::wait::output;
use crate::setup;
use crate::workspace::target_dir;

/// Connections that are kept, each with one request at a time.
pub(super) const CONNECTIONS: usize = 64;

/// Asks for one response as often as it gets it.
#[derive(Debug)]
pub(super) struct Client {
    wrk: PathBuf,
    own: PathBuf,
    wrk_up_to: usize,
}

/// What a client says it did.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Done {
    /// Per second.
    rate: f64,
    /// From its first moment to its last.
    requests: f64,
}

impl Client {
    pub(super) fn find(wrk_up_to: usize) -> Outcome<Self> {
        Ok(Self {
            wrk: setup::wrk()?,
            own: target_dir().join("release").join("bench-peer"),
            wrk_up_to,
        })
    }

    /// Which program asks for a response of `size` bytes.
    pub(super) fn name(&self, size: usize) -> &'static str {
        if size <= self.wrk_up_to { "wrk" } else { "own" }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a chore is measured in real time"
    )]
    pub(super) fn measure(&self, server: &Server, size: usize, seconds: f64) -> Outcome<Sample> {
        let core = Cores::find()?.client;
        let (cpu, begun) = (server.cpu(), Instant::now());
        let asked = if size <= self.wrk_up_to {
            wrk(&self.wrk, core, server.port, size, seconds)
        } else {
            own(&self.own, core, server.port, size, seconds)
        };
        let (time, cpu) = (begun.elapsed(), server.cpu().saturating_sub(cpu));
        let done =
            asked.map_err(|error| format!("{} at {size} bytes: {error}", server.kind.name()))?;
        #[expect(clippy::cast_precision_loss, reason = "far from 2^52 nanoseconds")]
        let cpu = cpu as f64 / 1e9;
        Ok(Sample {
            rate: done.rate,
            cpu: cpu * 1e6 / done.requests,
            busy: cpu / time.as_secs_f64(),
        })
    }
}

fn wrk(program: &Path, core: usize, port: u16, size: usize, seconds: f64) -> Outcome<Done> {
    let mut command = on_core(core, program);
    // It takes whole seconds only.
    let seconds = seconds.ceil();
    command
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
        .args([
            "--timeout",
            "20s",
            &format!("http://127.0.0.1:{port}/{size}"),
        ]);
    let text = output(&mut command)?;
    read_wrk(&text, size)
        .ok_or_else(|| format!("not only whole responses with status 200:\n{text}"))
}

/// What wrk prints, unless it tells of an error, or of fewer bytes than the responses have.
fn read_wrk(text: &str, size: usize) -> Option<Done> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let line = |name| text.lines().find(|line| line.contains(name));
    let rate = line("Requests/sec:")?
        .split(':')
        .nth(1)?
        .trim()
        .parse()
        .ok()?;
    let mut words = line(" requests in ")?.split_whitespace();
    let requests: f64 = words.next()?.parse().ok()?;
    let read = words.nth_back(1)?;
    let units = [("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];
    let (number, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((read.strip_suffix(unit)?, shift)))?;
    let bytes = number.parse::<f64>().ok()? * f64::from(1 << shift);
    #[expect(clippy::cast_precision_loss, reason = "at most 64 MiB")]
    let least = requests * size as f64;
    // It prints two digits behind the point.
    (requests > 0.0 && bytes > least * 0.99).then_some(Done { rate, requests })
}

fn own(program: &Path, core: usize, port: u16, size: usize, seconds: f64) -> Outcome<Done> {
    let mut command = on_core(core, program);
    command
        .args(["load", &format!("127.0.0.1:{port}")])
        .args(["--bytes", &size.to_string()])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(["--seconds", &seconds.to_string()]);
    let text = output(&mut command)?;
    read_own(&text).ok_or_else(|| format!("the client said '{text}'"))
}

/// `rate 812.5 responses 1700.25`
fn read_own(text: &str) -> Option<Done> {
    let words: Vec<_> = text.split_whitespace().collect();
    let ["rate", rate, "responses", requests] = words[..] else {
        return None;
    };
    let (rate, requests) = (rate.parse().ok()?, requests.parse().ok()?);
    (requests > 0.0).then_some(Done { rate, requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 2s test @ http://127.0.0.1:1/1024
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.90ms   51.24us   3.02ms   87.00%
    Req/Sec    70.91k     1.01k   72.33k    80.00%
  141321 requests in 2.00s, 172.52MB read
Requests/sec:  70589.48
Transfer/sec:     86.17MB
";

    #[test]
    fn what_wrk_prints_is_read() {
        let done = Done {
            rate: 70_589.48,
            requests: 141_321.0,
        };
        assert_eq!(read_wrk(WRK, 1024), Some(done));
    }

    #[test]
    fn a_short_body_or_an_error_status_fails_the_run() {
        assert_eq!(read_wrk(WRK, 2048), None);
        let errors = [
            "  Non-2xx or 3xx responses: 3\n",
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
        ];
        for line in errors {
            assert_eq!(read_wrk(&format!("{WRK}{line}"), 1024), None);
        }
        assert_eq!(read_wrk("", 1024), None);
    }

    #[test]
    fn what_our_own_client_prints_is_read() {
        let done = Done {
            rate: 812.5,
            requests: 1700.25,
        };
        assert_eq!(read_own("rate 812.5 responses 1700.25"), Some(done));
        assert_eq!(read_own("rate 0 responses 0"), None);
        assert_eq!(read_own(""), None);
    }
}
