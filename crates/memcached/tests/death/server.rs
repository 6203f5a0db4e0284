use std::env;
use std::ffi::OsString;
use std::process::Command;

use tempfile::TempDir;

/// Three servers of one test, to be killed; stopped when they are dropped.
pub(crate) struct OwnServers {
    services: OsString,
    dir: TempDir,
    addresses: Vec<String>,
}

impl OwnServers {
    /// Nothing, said loudly, where there is nobody to start them.
    pub(crate) fn start() -> Option<Self> {
        let Some(services) = env::var_os("TERRACE_TEST_SERVICES") else {
            eprintln!("SKIPPED: TERRACE_TEST_SERVICES is not set: run this by cargo xtask test");
            return None;
        };
        let mut servers = Self {
            services,
            dir: tempfile::tempdir().unwrap(),
            addresses: Vec::new(),
        };
        let printed = servers.run("up", "memcached");
        let addresses = printed.split('\'').nth(1).expect("a variable is printed");
        servers.addresses = addresses.split(',').map(str::to_owned).collect();
        Some(servers)
    }

    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Does something (`kill`, `pause`, …) to one of them.
    pub(crate) fn disturb(&self, verb: &str, number: usize) {
        self.run(verb, &format!("memcached/server-{number}"));
    }

    fn run(&self, verb: &str, name: &str) -> String {
        let output = Command::new(&self.services)
            .args(["services", verb, name, "--dir"])
            .arg(self.dir.path())
            .env_remove("TERRACE_TEST_MEMCACHED_ADDRS")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for OwnServers {
    fn drop(&mut self) {
        self.run("down", "memcached");
    }
}
