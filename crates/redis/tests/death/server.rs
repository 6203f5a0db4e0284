use std::env;
use std::ffi::OsString;
use std::process::Command;

use tempfile::TempDir;

/// A Redis of one test, to be killed; stopped when it is dropped.
pub(crate) struct OwnServer {
    services: OsString,
    dir: TempDir,
    service: &'static str,
    urls: Vec<String>,
}

impl OwnServer {
    /// Nothing, said loudly, where there is nobody to start it.
    pub(crate) fn start() -> Option<Self> {
        Self::of("redis")
    }

    /// One of those that `cargo xtask services` knows.
    pub(crate) fn of(service: &'static str) -> Option<Self> {
        let Some(services) = env::var_os("TERRACE_TEST_SERVICES") else {
            eprintln!("SKIPPED: TERRACE_TEST_SERVICES is not set: run this by cargo xtask test");
            return None;
        };
        let mut server = Self {
            services,
            dir: tempfile::tempdir().unwrap(),
            service,
            urls: Vec::new(),
        };
        let printed = server.run("up", service);
        // What it prints is for a shell: export NAME='VALUE'.
        let urls = printed
            .split('\'')
            .find(|value| value.starts_with("redis://"));
        let urls = urls.expect("its URLs are printed").split(',');
        server.urls = urls.map(str::to_owned).collect();
        Some(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.urls[0]
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }

    pub(crate) fn kill(&self) {
        self.run("kill", self.service);
    }

    pub(crate) fn revive(&self) {
        self.run("revive", self.service);
    }

    /// Does `verb` to the service called `name`, or to a process of it.
    pub(crate) fn run(&self, verb: &str, name: &str) -> String {
        let output = Command::new(&self.services)
            .args(["services", verb, name, "--dir"])
            .arg(self.dir.path())
            .env_remove("TERRACE_TEST_REDIS_URL")
            .env_remove("TERRACE_TEST_REDIS_SENTINEL_URLS")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.run("down", self.service);
    }
}
