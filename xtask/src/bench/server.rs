use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::machine::{Cores, on_core};
use super::warm;
use crate::Outcome;
use crate::services::port;
use crate::services::wait::{listens, until};
use crate::tools::{NGINX, find};
use crate::workspace::target_dir;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Terrace,
    Constant,
    MemCache,
    Nginx,
    Varnish,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Terrace,
        Self::Constant,
        Self::MemCache,
        Self::Nginx,
        Self::Varnish,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Terrace => "terrace",
            Self::Constant => "constant",
            Self::MemCache => "mem-cache",
            Self::Nginx => "nginx",
            Self::Varnish => "varnish",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn program(self) -> Option<PathBuf> {
        let built = |name| Some(target_dir().join("release").join(name));
        match self {
            Self::Terrace => built("embedded"),
            Self::Constant | Self::MemCache => built("bench-peer"),
            Self::Nginx => NGINX.find(),
            Self::Varnish => find("varnishd"),
        }
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) port: u16,
    child: Child,
}

impl Server {
    /// Where all others get their responses from. Not kept to a core: it is stopped before anything is measured.
    pub(super) fn origin() -> Outcome<Self> {
        let Some(program) = Kind::Constant.program() else {
            return Err("there is no origin".to_owned());
        };
        let [port] = port::free()?;
        let mut command = Command::new(program);
        command.args(["constant", &format!("127.0.0.1:{port}")]);
        Self::spawn(Kind::Constant, port, &mut command)
    }

    /// A server whose responses come from `origin`; `None` if there is no such program here.
    pub(super) fn start(kind: Kind, origin: &Self, sizes: &[usize]) -> Outcome<Option<Self>> {
        let Some(program) = kind.program() else {
            return Ok(None);
        };
        let folder = target_dir().join("bench").join(kind.name());
        // What an earlier run has left would be served instead.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let [port, other] = port::free()?;
        let listen = format!("127.0.0.1:{port}");
        let upstream = format!("127.0.0.1:{}", origin.port);
        let mut command = on_core(Cores::find()?.server, &program);
        match kind {
            Kind::Terrace => {
                let gate = sizes.iter().copied().max().unwrap_or(0);
                let memory = gate.saturating_mul(8).max(256 << 20);
                command
                    .args(["--listen", &listen, "--upstream", &upstream])
                    .args(["--admin", &format!("127.0.0.1:{other}"), "--threads", "1"])
                    .args(["--l0-gate", &gate.to_string()])
                    .args(["--l0-bytes", &memory.to_string(), "--data"])
                    .arg(&folder);
            }
            Kind::Constant => drop(command.args(["constant", &listen])),
            Kind::MemCache => {
                command.args(["mem-cache", &listen, "--upstream", &upstream]);
            }
            Kind::Nginx => {
                let conf = folder.join("nginx.conf");
                let text = nginx_conf(&folder, port, &upstream);
                fs::write(&conf, text)
                    .map_err(|error| format!("cannot write {}: {error}", conf.display()))?;
                command.arg("-c").arg(conf).arg("-p").arg(&folder);
            }
            Kind::Varnish => {
                command
                    .args(["-F", "-j", "none", "-a", &listen, "-b", &upstream])
                    .args(["-s", "malloc,512m", "-p", "thread_pools=1", "-n"])
                    .arg(&folder);
            }
        }
        Self::spawn(kind, port, &mut command).map(Some)
    }

    fn spawn(kind: Kind, port: u16, command: &mut Command) -> Outcome<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = quiet.spawn();
        let child = child.map_err(|error| format!("cannot start {}: {error}", kind.name()))?;
        let mut server = Self { kind, port, child };
        let mut ended = None;
        until(kind.name(), || {
            ended = server.child.try_wait().ok().flatten();
            ended.is_some() || listens(port)
        })?;
        match ended {
            Some(status) => Err(format!("{} ended with {status}", kind.name())),
            None => Ok(server),
        }
    }

    /// Has it fetch every response, and keep it.
    pub(super) fn warm_up(&self, sizes: &[usize]) -> Outcome {
        let hit = (self.kind == Kind::Terrace).then_some("; hit; detail=L0");
        for &size in sizes {
            warm::up(self.port, size, hit)
                .map_err(|error| format!("{}: {error}", self.kind.name()))?;
        }
        Ok(())
    }

    /// Processor time it has used so far, in nanoseconds, with its threads and children.
    pub(super) fn cpu(&self) -> u64 {
        used_by(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn used_by(process: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return 0;
    };
    let used = threads.flatten().map(|thread| {
        let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let own = read("schedstat")
            .split(' ')
            .next()
            .and_then(|ns| ns.parse().ok());
        let children = read("children");
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        own.unwrap_or(0) + children.map(used_by).sum::<u64>()
    });
    used.sum()
}

/// As an operator would set it for speed. `tcp_nopush` stays off: with it, responses of 64 KiB stall on loopback.
fn nginx_conf(folder: &Path, port: u16, upstream: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    open_file_cache max=1000 inactive=600s;
    open_file_cache_valid 600s;
    open_file_cache_min_uses 1;
    proxy_cache_path {folder}/cache keys_zone=hits:10m inactive=1d max_size=10g;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_cache hits;
        }}
    }}
}}
"
    )
}
