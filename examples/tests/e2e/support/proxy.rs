use std::env;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use hyper::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::client::{Ask, Reply};
use super::log::Log;
use super::metrics::Metrics;
use super::process;
use super::wait::{eventually, soon};

/// A folder on a real disk, removed with the test.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder")
}

/// How to start the `embedded` proxy.
pub(crate) struct Setup {
    command: Command,
}

impl Setup {
    /// On free ports, in front of `upstream`, with its data in `data`.
    pub(crate) fn new(upstream: SocketAddr, data: &Path) -> Self {
        Self::in_front_of(&[upstream.to_string()], data)
    }

    /// On free ports, in front of all of `upstreams`, with its data in `data`.
    pub(crate) fn in_front_of(upstreams: &[String], data: &Path) -> Self {
        Self::bare()
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--upstream", &upstreams.join(",")])
            .arg("--data")
            .arg(data)
    }

    /// With no argument, and none of our variables.
    pub(crate) fn bare() -> Self {
        Self::of(&program())
    }

    /// Another program than `embedded`, as bare.
    pub(crate) fn of(program: &Path) -> Self {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("TERRACE_") || name == "RUST_LOG" {
                command.env_remove(&*name);
            }
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        Self { command }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it until it says that it is ready.
    pub(crate) async fn start(mut self) -> Proxy {
        let command = &mut self.command;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the proxy can be run");
        let log = Log::of(child.stderr.take().expect("stderr is a pipe"));
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let line = soon("the proxy's start", lines.next_line()).await;
        let line = line.expect("stdout is text");
        let Some(ready) = line.as_deref().and_then(ready) else {
            panic!("{line:?} is not what a ready proxy says; its log:\n{log}");
        };
        // Whoever closes a pipe may get others into trouble.
        let rest = Log::of(lines.into_inner());
        Proxy {
            listen: ready.listen,
            tls: ready.tls,
            admin: ready.admin,
            child,
            log,
            rest,
        }
    }

    /// Runs it to its end, which must come by itself.
    pub(crate) async fn ends(mut self) -> Ended {
        let output = soon("the proxy's end", self.command.output()).await;
        let output = output.expect("the proxy can be run");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Ended {
            status: output.status,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// How a proxy ended that was not meant to serve.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn program() -> PathBuf {
    let named = env::var_os("TERRACE_TEST_EMBEDDED");
    named.map_or_else(|| env!("CARGO_BIN_EXE_embedded").into(), PathBuf::from)
}

/// The addresses in the line that says that the proxy is ready.
fn ready(line: &str) -> Option<Ready> {
    let rest = line.strip_prefix("terrace: ready on http://")?;
    let (listen, rest) = rest.split_once(" (admin http://")?;
    let (admin, _) = rest.split_once(", ")?;
    let (listen, tls) = match listen.split_once(" and https://") {
        Some((listen, tls)) => (listen, Some(tls.parse().ok()?)),
        None => (listen, None),
    };
    Some(Ready {
        listen: listen.parse().ok()?,
        tls,
        admin: admin.parse().ok()?,
    })
}

struct Ready {
    listen: SocketAddr,
    tls: Option<SocketAddr>,
    admin: SocketAddr,
}

/// A running proxy. It is killed if the test drops it, and its log is shown if the test fails.
pub(crate) struct Proxy {
    pub(crate) listen: SocketAddr,
    /// Where it listens with TLS, if it does.
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
    child: Child,
    log: Log,
    rest: Log,
}

impl Proxy {
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.listen, method, path)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    /// Purges `path`, and answers the status.
    pub(crate) async fn purge(&self, path: &str) -> StatusCode {
        let reply = self.ask("PURGE", path).send().await;
        let status = reply.status;
        reply.whole().await;
        status
    }

    pub(crate) async fn admin(&self, path: &str) -> Reply {
        self.admin_ask(path).send().await
    }

    pub(crate) fn admin_ask(&self, path: &str) -> Ask {
        self.ask_admin("GET", path)
    }

    pub(crate) fn ask_admin(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.admin, method, path)
    }

    /// A path on the admin listener, for a browser.
    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        let text = self.admin("/metrics").await.whole().await;
        let text = std::str::from_utf8(&text).expect("metrics are text");
        Metrics::parse(text).expect("the Prometheus text format")
    }

    /// Waits until the durable tier has committed `count` fills since the start. It does so in the background, after
    /// the response.
    pub(crate) async fn durable_commits(&self, count: u32) {
        let labels = [("tier", "L3"), ("outcome", "committed")];
        eventually("commits to the durable tier", async || {
            let metrics = self.metrics().await;
            metrics.sum("terrace_fill_lanes_total", &labels) >= f64::from(count)
        })
        .await;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The memory it has now, in bytes (`VmRSS`).
    pub(crate) fn memory(&self) -> u64 {
        process::memory(self.pid())
    }

    /// The most memory it ever had, in bytes (`VmHWM`).
    pub(crate) fn memory_peak(&self) -> u64 {
        process::memory_peak(self.pid())
    }

    /// The bytes it has read from files so far (`rchar`, which leaves sockets out).
    pub(crate) fn bytes_read(&self) -> u64 {
        process::bytes_read(self.pid())
    }

    pub(crate) fn open_files(&self) -> usize {
        process::open_files(self.pid())
    }

    pub(crate) fn log(&self) -> String {
        self.log.to_string()
    }

    /// All that it has written, to standard output and standard error.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.rest, self.log)
    }

    /// SIGTERM, and waits for its end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Asks it to end, without waiting.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it can be signalled");
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = soon("the proxy's end", self.child.wait()).await;
        ended.expect("its status can be had")
    }

    /// SIGKILL, and waits for its end.
    pub(crate) async fn kill(mut self) {
        soon("the proxy's end", self.child.kill())
            .await
            .expect("it can be killed");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{}", self.log);
        }
    }
}
