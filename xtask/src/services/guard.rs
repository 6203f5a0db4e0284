//! Stops the servers of a run when it has ended, in whatever way.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{all, down};
use crate::Outcome;

/// Names the file in which `up` notes the folders it starts servers in, so that those are stopped, too, which a test has
/// started and, being killed, did not stop.
pub(super) const NOTES_VARIABLE: &str = "TERRACE_TEST_SERVICES_NOTES";

/// A process of its own that waits for the end of this one: a run that is killed, or stopped at the terminal, cannot tidy
/// up after itself.
pub(super) struct Guard(Child);

impl Guard {
    /// From now on, what is started in `dir` is stopped in the end.
    pub(super) fn over(dir: &Path) -> Outcome<Self> {
        let this = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
        Command::new(this)
            .args(["services", "guard", "--dir"])
            .arg(dir)
            // It ends with this process: nobody else holds the other end.
            .stdin(Stdio::piped())
            // What is typed at the terminal stops this process, and not the guard.
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(|error| format!("cannot start the guard of the servers: {error}"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("xtask: servers may still run: {error}");
        }
    }
}

/// Waits until whoever holds the other end of the input has ended, then stops all that was started.
pub(super) fn guard(dir: &Path) -> Outcome {
    stop_after(std::io::stdin(), dir)
}

fn stop_after(mut input: impl Read, dir: &Path) -> Outcome {
    let mut ignored = Vec::new();
    input
        .read_to_end(&mut ignored)
        .map_err(|error| format!("the input of the guard: {error}"))?;
    let notes = fs::read_to_string(notes(dir)).unwrap_or_default();
    drop(fs::remove_file(self::notes(dir)));
    let mut failures = Vec::new();
    for dir in notes.lines().map(Path::new).chain([dir]) {
        failures.extend(down(dir, all()).err());
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n"))
    }
}

/// Where the folders are noted of servers that tests have started.
pub(super) fn notes(dir: &Path) -> PathBuf {
    dir.with_extension("notes")
}

/// Notes that servers are started in `dir`, where somebody wants to know.
pub(super) fn note(dir: &Path) -> Outcome {
    let Some(notes) = env::var_os(NOTES_VARIABLE) else {
        return Ok(());
    };
    // In one piece: many tests do it at a time.
    let line = format!("{}\n", dir.display());
    File::options()
        .create(true)
        .append(true)
        .open(&notes)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| format!("{}: {error}", notes.display()))
}

#[cfg(test)]
mod tests {
    use super::super::instance::Instance;
    use super::super::process::Spawn;
    use super::*;

    #[test]
    fn what_the_run_and_its_tests_have_started_is_stopped() {
        let folder = env::temp_dir().join(format!("terrace-guard-{}", std::process::id()));
        let (run, test) = (folder.join("run"), folder.join("test"));
        // What the kernel knows of each.
        let command_lines = [&run, &test].map(|dir| {
            let spawn = Spawn::new("server", "sleep").line("600");
            Instance::at(dir, "redis").start(&spawn).unwrap();
            let pid = fs::read_to_string(dir.join("redis/processes/00-server/pid")).unwrap();
            format!("/proc/{}/cmdline", pid.split(' ').next().unwrap())
        });
        // One that has ended has none, whether or not somebody has noticed.
        let runs = |path: &String| fs::read(path).is_ok_and(|line| !line.is_empty());
        assert!(command_lines.iter().all(runs));
        fs::write(notes(&run), format!("{}\n", test.display())).unwrap();
        // Nobody holds the other end.
        stop_after(std::io::empty(), &run).unwrap();
        assert!(!command_lines.iter().any(runs));
        fs::remove_dir_all(folder).unwrap();
    }
}
