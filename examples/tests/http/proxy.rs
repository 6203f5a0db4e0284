//! The `embedded` proxy as a process.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A proxy with its defaults. It is killed when this is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    data: TempDir,
    _child: Child,
}

impl Proxy {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let mut command = Command::new(program());
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("TERRACE_") || name == "RUST_LOG" {
                command.env_remove(&*name);
            }
        }
        let log = std::fs::File::create(data.path().join("log")).expect("a file for the log");
        command
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--upstream", &upstream.to_string(), "--data"])
            .arg(data.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the proxy can be run");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line).await;
        read.expect("stdout is text");
        let Some(address) = ready(&line) else {
            panic!("{line:?} is not what a ready proxy says");
        };
        Self {
            address,
            data,
            _child: child,
        }
    }

    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(self.data.path().join("log"));
        log.unwrap_or_else(|error| format!("no log: {error}"))
    }
}

fn program() -> PathBuf {
    let named = env::var_os("TERRACE_TEST_EMBEDDED");
    named.map_or_else(|| env!("CARGO_BIN_EXE_embedded").into(), PathBuf::from)
}

fn ready(line: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix("terrace: ready on http://")?;
    rest.split(' ').next()?.parse().ok()
}
