use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::process::Command;

use tempfile::TempDir;

/// Where `cargo xtask test` wants to be told of servers, to stop them should the test not.
const NOTES: &str = "TERRACE_TEST_SERVICES_NOTES";

/// Servers of one test, to be killed; stopped when they are dropped.
pub(crate) struct Servers {
    program: OsString,
    dir: TempDir,
    names: &'static [&'static str],
    variables: BTreeMap<String, String>,
}

impl Servers {
    /// Nothing, said loudly, where there is nobody to start them.
    pub(crate) fn start(names: &'static [&'static str]) -> Option<Self> {
        let Some(program) = env::var_os("TERRACE_TEST_SERVICES") else {
            assert!(
                env::var_os("CI").is_none(),
                "TERRACE_TEST_SERVICES is not set"
            );
            eprintln!("SKIPPED: TERRACE_TEST_SERVICES is not set: run this by cargo xtask test");
            return None;
        };
        let mut servers = Self {
            program,
            // Not in the target folder: some servers run as another user, who may not go there.
            dir: tempfile::tempdir().expect("a folder"),
            names,
            variables: BTreeMap::new(),
        };
        servers.let_others_in();
        match servers.attempt("up", names) {
            Ok(printed) => servers.variables = printed.lines().filter_map(variable).collect(),
            Err(why) => {
                assert!(env::var_os("CI").is_none(), "{why}");
                eprintln!("SKIPPED: {why}");
                return None;
            }
        }
        Some(servers)
    }

    /// One of the variables that point at them: `TERRACE_TEST_REDIS_URL`.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let value = self.variables.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {:?}", self.variables))
    }

    /// As a crash would.
    pub(crate) fn kill(&self, name: &str) {
        self.run("kill", &[name]);
    }

    /// With its data, and at the same address.
    pub(crate) fn revive(&self, name: &str) {
        self.run("revive", &[name]);
    }

    fn let_others_in(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.dir.path(), all).expect("it is ours");
    }

    fn run(&self, verb: &str, names: &[&str]) {
        if let Err(why) = self.attempt(verb, names) {
            panic!("{why}");
        }
    }

    /// What it prints, or what is wrong.
    fn attempt(&self, verb: &str, names: &[&str]) -> Result<String, String> {
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
        let output = command.output().expect("it can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("services {verb} {names:?}: {said}"));
        }
        Ok(String::from_utf8(output.stdout).expect("text"))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.run("down", self.names);
    }
}

/// Of a line that a shell evaluates.
fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name.to_owned(), value.to_owned()))
}
