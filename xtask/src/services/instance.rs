//! The folder of a service: its processes, their data, and the variables that point tests at it.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::process::{Process, Spawn};
use crate::Outcome;

const VARIABLES: &str = "variables";
const LOG_LINES: usize = 20;

pub(super) struct Instance {
    dir: PathBuf,
}

impl Instance {
    pub(super) fn at(dir: &Path, name: &str) -> Self {
        Self {
            dir: dir.join(name),
        }
    }

    /// A folder for data.
    pub(super) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.dir.join(name);
        fs::create_dir_all(&folder).map_err(|error| describe(&folder, &error))?;
        Ok(folder)
    }

    /// Writes a file of configuration.
    pub(super) fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, text).map_err(|error| describe(&path, &error))?;
        Ok(path)
    }

    /// Starts a process that belongs to it.
    pub(super) fn start(&self, spawn: &Spawn) -> Outcome {
        let order = self.processes()?.len();
        let dir = self
            .folder("processes")?
            .join(format!("{order:02}-{}", spawn.name));
        Process::start(dir, spawn).map(drop)
    }

    /// In the order they were started in.
    pub(super) fn processes(&self) -> Outcome<Vec<Process>> {
        let dir = self.dir.join("processes");
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| describe(&dir, &error))?,
        };
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        paths.sort();
        Ok(paths.into_iter().map(Process::at).collect())
    }

    /// Notes a variable for tests.
    pub(super) fn publish(&self, name: &str, value: impl Display) -> Outcome {
        let before = fs::read_to_string(self.dir.join(VARIABLES)).unwrap_or_default();
        let text = format!("{before}{name}={value}\n");
        self.write(VARIABLES, &text).map(drop)
    }

    pub(super) fn variables(&self) -> Outcome<Vec<(String, String)>> {
        let text = match fs::read_to_string(self.dir.join(VARIABLES)) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| describe(&self.dir, &error))?,
        };
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// Whether it was started whole, and all of it still runs.
    pub(super) fn runs(&self) -> Outcome<bool> {
        let processes = self.processes()?;
        Ok(!processes.is_empty()
            && processes.iter().all(Process::runs)
            && !self.variables()?.is_empty())
    }

    /// The end of what its processes said.
    pub(super) fn logs(&self) -> String {
        let end = |process: &Process| {
            let log = process.log();
            let lines: Vec<_> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(LOG_LINES)..];
            format!("--- {}\n{}\n", process.name(), end.join("\n"))
        };
        self.processes()
            .unwrap_or_default()
            .iter()
            .map(end)
            .collect()
    }

    /// Stops it, and removes all it kept.
    pub(super) fn remove(&self) -> Outcome {
        for process in self.processes()?.iter().rev() {
            process.signal_all("CONT")?;
            process.kill()?;
        }
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| describe(&self.dir, &error)),
        }
    }
}

fn describe(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
