//! What a measurement was made on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::services::wait::output;

/// The core of the servers, and that of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cores {
    pub(super) server: usize,
    pub(super) client: usize,
}

impl Cores {
    pub(super) fn find() -> Outcome<Self> {
        let status = read("/proc/self/status");
        let list = field(&status, "Cpus_allowed_list:").unwrap_or_default();
        match allowed(list).as_slice() {
            [server, client, ..] => Ok(Self {
                server: *server,
                client: *client,
            }),
            _ => Err("this needs two cores: one for the server, one for the client".to_owned()),
        }
    }
}

/// `program`, kept on one core.
pub(super) fn on_core(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// Names of what was measured, and of what with.
pub(super) fn facts() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = read("/proc/cpuinfo");
    let processor = field(&processor, "model name\t:").unwrap_or("unknown");
    let lock = fs::read_to_string(crate::workspace::root().join("Cargo.lock")).unwrap_or_default();
    vec![
        ("processor", processor.to_owned()),
        ("cores", cores.to_string()),
        (
            "kernel",
            read("/proc/sys/kernel/osrelease").trim().to_owned(),
        ),
        ("load", load()),
        ("rust", version("rustc", "--version")),
        (
            "pingora",
            locked(&lock, "pingora").unwrap_or("unknown").to_owned(),
        ),
        ("nginx", version("nginx", "-v")),
        ("varnish", version("varnishd", "-V")),
        ("wrk", version("wrk", "--version")),
    ]
}

/// How many programs wanted to run in the last minute.
pub(super) fn load() -> String {
    let load = read("/proc/loadavg");
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim())
}

/// `0-2,5` as 0, 1, 2, 5.
fn allowed(list: &str) -> Vec<usize> {
    let ranges = list.split(',').filter_map(|range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some(from.parse().ok()?..=to.parse().ok()?)
    });
    ranges.flatten().collect()
}

/// The first line in which a program tells its version, wherever it prints it.
fn version(program: &str, flag: &str) -> String {
    let Some(path) = crate::tools::find(program) else {
        return "none".to_owned();
    };
    let both = format!("'{}' {flag} 2>&1 | head -n 1", path.display());
    output(Command::new("sh").args(["-c", &both])).unwrap_or_else(|error| error)
}

/// The version of `package` in a `Cargo.lock`.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.split_once(&name)?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_come_in_ranges() {
        assert_eq!(allowed("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(allowed("3"), [3]);
        assert_eq!(allowed(""), [0; 0]);
    }

    #[test]
    fn a_version_is_found_in_the_lock_file() {
        let lock = "[[package]]\nname = \"pingora-core\"\nversion = \"1\"\n\n[[package]]\nname = \"pingora\"\nversion = \"0.9.1\"\n";
        assert_eq!(locked(lock, "pingora"), Some("0.9.1"));
        assert_eq!(locked(lock, "nginx"), None);
    }
}
