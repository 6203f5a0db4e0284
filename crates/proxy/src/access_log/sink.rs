use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use parking_lot::Mutex;

use super::AccessLogTarget;
use super::error::AccessLogError;
use super::queue::Lines;

/// What lines are written to. Its calls block.
#[derive(Debug)]
pub(super) struct Sink {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Standard output if there is none.
    file: Option<File>,
    /// The last write failed: that is told once, not for each line.
    fails: bool,
}

impl Sink {
    pub(super) fn open(target: AccessLogTarget) -> Result<Self, AccessLogError> {
        let path = match target {
            AccessLogTarget::Stdout => None,
            AccessLogTarget::File(path) => Some(path),
        };
        let file = match &path {
            None => None,
            Some(path) => Some(append(path).map_err(|source| AccessLogError::Open {
                path: path.clone(),
                source,
            })?),
        };
        let state = State { file, fails: false };
        Ok(Self {
            path,
            state: Mutex::new(state),
        })
    }

    /// Writes what `take` hands out once it is our turn. Answers how many lines that were, and whether they were written.
    pub(super) fn write(&self, take: impl FnOnce() -> Lines) -> (u64, bool) {
        let mut state = self.state.lock();
        let lines = take();
        let written = match &mut state.file {
            Some(file) => file.write_all(&lines.bytes),
            None => to_stdout(&lines.bytes),
        };
        match &written {
            Err(error) if !state.fails => {
                tracing::error!(%error, "the access log cannot be written: lines are lost until it can");
            }
            Ok(()) if state.fails => tracing::info!("the access log is written again"),
            _ => {}
        }
        state.fails = written.is_err();
        (lines.count, written.is_ok())
    }

    /// Opens the file anew: the old one was moved away. The old one goes on if that fails.
    pub(super) fn reopen(&self) {
        let Some(path) = &self.path else { return };
        match append(path) {
            Ok(file) => {
                self.state.lock().file = Some(file);
                tracing::info!(path = %path.display(), "the access log was opened anew");
            }
            Err(error) => {
                tracing::error!(%error, path = %path.display(),
                    "the access log cannot be opened anew: the old file is written to");
            }
        }
    }
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
