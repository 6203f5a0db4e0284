use std::env;
use std::ffi::OsString;
use std::process::Command;

use tempfile::TempDir;

/// A DynamoDB Local of one test, to be killed; stopped when it is dropped.
pub(crate) struct OwnServer {
    services: OsString,
    dir: TempDir,
    url: String,
}

impl OwnServer {
    /// Nothing, said loudly, where there is nobody to start it.
    pub(crate) fn start() -> Option<Self> {
        let Some(services) = env::var_os("TERRACE_TEST_SERVICES") else {
            eprintln!("SKIPPED: TERRACE_TEST_SERVICES is not set: run this by cargo xtask test");
            return None;
        };
        let mut server = Self {
            services,
            dir: tempfile::tempdir().unwrap(),
            url: String::new(),
        };
        let printed = server.run("up");
        let url = printed.split('\'').nth(1).expect("a variable is printed");
        url.clone_into(&mut server.url);
        Some(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Does `verb` to it, as `cargo xtask services` does.
    pub(crate) fn run(&self, verb: &str) -> String {
        let output = Command::new(&self.services)
            .args(["services", verb, "dynamodb", "--dir"])
            .arg(self.dir.path())
            .env_remove("TERRACE_TEST_DYNAMODB_URL")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.run("down");
    }
}
