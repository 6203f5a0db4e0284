use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

/// Names the program that gets, starts and kills servers: `cargo xtask test` sets it.
const PROGRAM: &str = "TERRACE_TEST_SERVICES";
/// Where it wants to note what it has started, to stop that should the test not.
const NOTES: &str = "TERRACE_TEST_SERVICES_NOTES";

/// Real servers of one test, which it may kill; they are stopped when the last clone is dropped.
///
/// The variable `TERRACE_TEST_SERVICES` names a program that understands `services VERB NAME… --dir DIR`, as Terrace's own
/// `cargo xtask` does: `up` starts servers and prints `export NAME='VALUE'` for each variable that points at them, `down`
/// stops them and removes their data, and other verbs disturb them.
#[derive(Debug, Clone)]
pub struct OwnServers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: OsString,
    dir: TempDir,
    names: &'static [&'static str],
    variables: BTreeMap<String, String>,
}

impl OwnServers {
    /// Starts the services called `names`, and blocks until they answer. Nothing, said loudly, where they cannot be had.
    ///
    /// # Panics
    ///
    /// In an automatic run (`CI` is set), where nothing may be left out.
    pub fn start(names: &'static [&'static str]) -> Option<Self> {
        match Inner::start(names) {
            Ok(inner) => Some(Self(Arc::new(inner))),
            Err(why) => {
                assert!(env::var_os("CI").is_none(), "{why}");
                eprintln!("SKIPPED: {why}");
                None
            }
        }
    }

    /// One of the variables that point at them: `TERRACE_TEST_REDIS_URL`.
    ///
    /// # Panics
    ///
    /// If there is no such variable.
    pub fn variable(&self, name: &str) -> &str {
        let variables = &self.0.variables;
        let value = variables.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {variables:?}"))
    }

    /// Does `verb` to the service called `name`, or to a process of it (`ceph/osd`), while the load goes on: `kill`, `revive`,
    /// `pause` (it neither answers nor ends), `resume`.
    ///
    /// Cancellation: it is done all the same, at some time.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub async fn disturb(&self, verb: &'static str, name: impl Into<String>) {
        let (inner, name) = (Arc::clone(&self.0), name.into());
        let done = tokio::task::spawn_blocking(move || inner.run(verb, &[&name])).await;
        if let Err(why) = done.unwrap_or_else(|error| Err(error.to_string())) {
            panic!("{why}");
        }
    }
}

impl Inner {
    fn start(names: &'static [&'static str]) -> Result<Self, String> {
        let program = env::var_os(PROGRAM)
            .ok_or_else(|| format!("{PROGRAM} is not set: run this by cargo xtask test"))?;
        let mut servers = Self {
            program,
            dir: tempfile::tempdir().map_err(|error| error.to_string())?,
            names,
            variables: BTreeMap::new(),
        };
        let printed = servers.run("up", names)?;
        servers.variables = printed.lines().filter_map(variable).collect();
        Ok(servers)
    }

    /// What it prints, or what is wrong.
    fn run(&self, verb: &str, names: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.args(["services", verb]).args(names);
        command.arg("--dir").arg(self.dir.path());
        // Those of everybody are not ours to kill.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("TERRACE_TEST_") && text != NOTES {
                command.env_remove(name);
            }
        }
        let output = command.output();
        let output = output.map_err(|error| format!("{}: {error}", self.program.display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("services {verb} {names:?}: {said}"))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(why) = self.run("down", self.names) {
            eprintln!("a server may still run: {why}");
        }
    }
}

/// Of a line that a shell evaluates.
fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name.to_owned(), value.to_owned()))
}
