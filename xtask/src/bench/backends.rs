//! A hit by each adapter, beside the client it is made of.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::machine;
use crate::Outcome;
use crate::services::wait::output;
use crate::step::{skipped, step};
use crate::workspace::{cargo, target_dir};

/// What is measured, by the names of its services.
const SERVICES: [&str; 6] = [
    "redis",
    "memcached",
    "postgres",
    "dynamodb",
    "minio",
    "ceph",
];

pub(super) fn backends(args: &[String]) -> Outcome {
    let (no_build, args): (Vec<_>, Vec<_>) = args.iter().partition(|arg| *arg == "--no-build");
    if no_build.is_empty() {
        let build = "build --release -p terrace-benches --features backends --bin bench-backends";
        step("build", cargo().args(build.split(' ')))?;
    }
    let servers = Servers::start();
    let program = target_dir().join("release").join("bench-backends");
    let load_before = machine::load();
    let mut measure = Command::new(program);
    measure.args(args).envs(servers.variables.iter().cloned());
    measure.stderr(std::process::Stdio::inherit());
    let table = output(&mut measure)?;
    let facts = machine::facts().into_iter();
    let facts = facts.filter(|(name, _)| ["processor", "cores", "kernel", "rust"].contains(name));
    let facts: Vec<_> = facts
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let report = format!(
        "{table}\n\n{}; load before {load_before}, after {}",
        facts.join("; "),
        machine::load()
    );
    let path = target_dir().join("bench").join("backends.md");
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&path, &report))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    eprintln!("\n{report}\n\nit is in {}", path.display());
    Ok(())
}

/// Those that are there; stopped when it is dropped.
struct Servers {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Servers {
    fn start() -> Self {
        let mut servers = Self {
            folder: target_dir().join("services-of-bench"),
            variables: Vec::new(),
        };
        for name in SERVICES {
            match servers.services("up", Some(name)) {
                Ok(printed) => servers
                    .variables
                    .extend(printed.lines().filter_map(variable)),
                Err(reason) => skipped(name, &reason),
            }
        }
        servers
    }

    fn services(&self, verb: &str, name: Option<&str>) -> Outcome<String> {
        let this = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
        let mut services = Command::new(this);
        services.args(["services", verb]).args(name);
        output(services.arg("--dir").arg(&self.folder))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Err(error) = self.services("down", None) {
            eprintln!("xtask: a server may still run: {error}");
        }
    }
}

/// Of a line that a shell would evaluate.
fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('\'').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_as_they_are_printed() {
        let printed = "export TERRACE_TEST_POSTGRES_URL='postgresql://u@h/d?sslmode=disable'";
        assert_eq!(
            variable(printed),
            Some((
                "TERRACE_TEST_POSTGRES_URL".to_owned(),
                "postgresql://u@h/d?sslmode=disable".to_owned()
            ))
        );
        assert_eq!(variable("ready"), None);
    }
}
