use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::content::Content;
use super::log::Log;
use super::proxy::folder;
use super::wait::eventually;

/// A real web server over real files: `/length/NAME` with a `Content-Length`, `/chunked/NAME` without.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    child: Child,
    place: TempDir,
    log: Log,
}

impl Nginx {
    /// `None`, loudly, where there is no nginx to be used; in continuous integration that is a failure.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = env::var_os("TERRACE_TEST_NGINX").map(PathBuf::from) else {
            let message = "TERRACE_TEST_NGINX names no nginx; `cargo xtask test` sees to that";
            assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
            // Not by a macro: what those print is seen only if the test fails.
            let line = format!("\n*** SKIPPED a test against nginx: {message} ***\n");
            drop(std::io::stderr().write_all(line.as_bytes()));
            return None;
        };
        let place = folder();
        fs::create_dir(place.path().join("files")).expect("a folder for the files");
        for _ in 0..10 {
            if let Some((address, child, log)) = attempt(&program, &place).await {
                return Some(Self {
                    address,
                    child,
                    place,
                    log,
                });
            }
        }
        panic!("nginx does not start");
    }

    pub(crate) fn add(&self, name: &str, content: &Content) {
        let path = self.place.path().join("files").join(name);
        let mut file = BufWriter::new(File::create(path).expect("a file"));
        for piece in content.pieces() {
            file.write_all(&piece).expect("room on the disk");
        }
        file.flush().expect("room on the disk");
    }

    /// How often `path` was asked for, as nginx tells.
    pub(crate) fn count(&self, path: &str) -> usize {
        let log = fs::read_to_string(self.place.path().join("access.log"));
        let log = log.expect("nginx keeps a log");
        let asked = |line: &&str| line.split(' ').nth(1) == Some(path);
        log.lines().filter(asked).count()
    }

    /// SIGKILL, to all its processes.
    pub(crate) fn kill(&mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process_group(pid, Signal::KILL).expect("it can be killed");
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("nginx's log:\n{}", self.log);
        }
    }
}

/// Starts it on a port that is free now; `None` if it is not any more.
async fn attempt(program: &PathBuf, place: &TempDir) -> Option<(SocketAddr, Child, Log)> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let address = address.expect("a free port");
    let config = place.path().join("nginx.conf");
    fs::write(&config, configuration(place, address)).expect("the configuration is written");
    let mut child = Command::new(program)
        .arg("-p")
        .arg(place.path())
        .arg("-c")
        .arg(&config)
        .args(["-e", "stderr"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .expect("nginx can be run");
    let log = Log::of(child.stderr.take().expect("stderr is a pipe"));
    let mut listens = false;
    eventually("nginx listens", async || {
        listens = TcpStream::connect(address).await.is_ok();
        listens || child.try_wait().expect("its status can be had").is_some()
    })
    .await;
    let was_overtaken = log.to_string().contains("Address already in use");
    assert!(listens || was_overtaken, "nginx does not start:\n{log}");
    listens.then_some((address, child, log))
}

fn configuration(place: &TempDir, address: SocketAddr) -> String {
    let place = place.path().display();
    // Its workers give up root's rights, and could not read our files then.
    let user = if geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        r#"
        {user}
        daemon off;
        worker_processes 1;
        pid {place}/nginx.pid;
        error_log stderr warn;
        events {{ worker_connections 512; }}
        http {{
            log_format asked '$request_method $uri $status $http_range';
            access_log {place}/access.log asked;
            client_body_temp_path {place}/body;
            proxy_temp_path {place}/proxy;
            fastcgi_temp_path {place}/fastcgi;
            uwsgi_temp_path {place}/uwsgi;
            scgi_temp_path {place}/scgi;
            default_type application/octet-stream;
            sendfile on;
            server {{
                listen {address};
                add_header Cache-Control "max-age=3600";
                location /length/ {{ alias {place}/files/; }}
                location /chunked/ {{
                    alias {place}/files/;
                    # Whatever might be replaced has no known length.
                    sub_filter_types *;
                    sub_filter 'a text that is in none of the files' '';
                }}
            }}
        }}
        "#
    )
}
