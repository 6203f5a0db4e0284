use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

/// A server of one test, to be killed; stopped when it is dropped.
#[derive(Clone)]
pub(crate) struct OwnServer(Arc<Inner>);

struct Inner {
    services: OsString,
    name: &'static str,
    dir: TempDir,
}

impl OwnServer {
    /// The server, and the variables that point at it. Nothing, said loudly, where there is nobody to start it.
    pub(crate) async fn start(name: &'static str) -> Option<(Self, HashMap<String, String>)> {
        let Some(services) = env::var_os("TERRACE_TEST_SERVICES") else {
            eprintln!("SKIPPED: TERRACE_TEST_SERVICES is not set: run this by cargo xtask test");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let server = Self(Arc::new(Inner {
            services,
            name,
            dir,
        }));
        let printed = server.run("up", name).await;
        let variables = printed.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        let variables = variables.collect();
        Some((server, variables))
    }

    /// Does `verb` to `part` of it: `kill`, `pause`, `resume`, `revive`.
    pub(crate) async fn run(&self, verb: &'static str, part: &'static str) -> String {
        let inner = Arc::clone(&self.0);
        let run = tokio::task::spawn_blocking(move || inner.run(verb, part));
        run.await.unwrap()
    }
}

impl Inner {
    fn run(&self, verb: &str, part: &str) -> String {
        let mut command = Command::new(&self.services);
        command
            .args(["services", verb, part, "--dir"])
            .arg(self.dir.path());
        // A server that others use is not to be killed.
        for variable in ["TERRACE_TEST_MINIO_URL", "TERRACE_TEST_CEPH_URL"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb} {part}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.run("down", self.name);
    }
}
