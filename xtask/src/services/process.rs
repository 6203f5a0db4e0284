//! One process of a service, remembered in files, so that another `xtask` can stop it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::wait::{self, output};
use crate::Outcome;

/// How often a process is started that ends at once. There is a moment between two tries.
const MAX_ATTEMPTS: usize = 200;

/// How a process is started.
pub(super) struct Spawn {
    pub(super) name: String,
    words: Vec<String>,
    port: Option<u16>,
}

impl Spawn {
    pub(super) fn new(name: impl Into<String>, program: impl AsRef<Path>) -> Self {
        Self {
            name: name.into(),
            words: vec![program.as_ref().display().to_string()],
            port: None,
        }
    }

    /// Adds one word after the other.
    pub(super) fn args<T: ToString>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.words
            .extend(args.into_iter().map(|arg| arg.to_string()));
        self
    }

    /// It has started once it accepts connections there.
    pub(super) fn listening(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Adds the words of `line`, none of which contains a space.
    pub(super) fn line(self, line: &str) -> Self {
        self.args(line.split_whitespace())
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        let has_env = self.words[0] == "env";
        let at = usize::from(has_env);
        self.words.insert(at, format!("{name}={value}"));
        if !has_env {
            self.words.insert(0, "env".to_owned());
        }
        self
    }

    /// To be run to its end.
    pub(super) fn command(&self) -> Command {
        command(self.words.iter().map(String::as_str))
    }

    /// As the user `nobody`, if this is root: some servers refuse to be root. Its data may be below a home folder that only
    /// root may enter, so it keeps the right to.
    pub(super) fn unprivileged(mut self) -> Outcome<Self> {
        if is_root()? {
            let drop = "setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=+dac_override \
                        --ambient-caps=+dac_override";
            self.words.splice(..0, drop.split(' ').map(str::to_owned));
        }
        Ok(self)
    }
}

fn command<'a>(mut words: impl Iterator<Item = &'a str>) -> Command {
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

fn is_root() -> Outcome<bool> {
    Ok(output(Command::new("id").arg("-u"))? == "0")
}

/// Gives `path` to the user as whom servers run that refuse to be root.
pub(super) fn give_to_nobody(path: &Path) -> Outcome {
    if is_root()? {
        output(
            Command::new("chown")
                .args(["-R", "nobody:nogroup"])
                .arg(path),
        )?;
    }
    Ok(())
}

/// A process that was started once, and may run or not.
pub(super) struct Process {
    dir: PathBuf,
}

impl Process {
    pub(super) fn start(dir: PathBuf, spawn: &Spawn) -> Outcome<Self> {
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        write("command", spawn.words.join("\n"))?;
        if let Some(port) = spawn.port {
            write("port", port.to_string())?;
        }
        let process = Self { dir };
        process.revive()?;
        Ok(process)
    }

    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn name(&self) -> &str {
        let name = self.dir.file_name().and_then(|name| name.to_str());
        // After the number that keeps them in order.
        name.and_then(|name| name.split_once('-'))
            .map_or("?", |(_, name)| name)
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts it, unless it runs, and waits until it accepts connections.
    ///
    /// It may end at once because something of a killed predecessor is still about: then it is started again.
    pub(super) fn revive(&self) -> Outcome {
        let port = fs::read_to_string(self.dir.join("port")).ok();
        let port: Option<u16> = port.and_then(|port| port.parse().ok());
        let mut attempts = 0;
        let mut failure = Ok(());
        wait::until(self.name(), || {
            if !self.runs() {
                attempts += 1;
                failure = if attempts > MAX_ATTEMPTS {
                    Err(format!("{} does not stay up", self.name()))
                } else {
                    self.launch()
                };
                // One that cannot have its port ends in a moment, and then it is another that listens there.
                return failure.is_err();
            }
            port.is_none_or(wait::listens) && self.runs()
        })?;
        failure
    }

    fn launch(&self) -> Outcome {
        let error = |error: std::io::Error| format!("{}: {error}", self.dir.display());
        let words = fs::read_to_string(self.dir.join("command")).map_err(error)?;
        let mut command = command(words.lines());
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .map_err(error)?;
        let also = log.try_clone().map_err(error)?;
        let child = command
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            // Not stopped with this chore by what is typed at the terminal.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
        let pid = child.id();
        let identity = format!("{pid} {}", started(pid).unwrap_or_default());
        fs::write(self.dir.join("pid"), identity).map_err(error)
    }

    /// Whether it runs: it, and not another that has its number now.
    pub(super) fn runs(&self) -> bool {
        self.pid().is_some()
    }

    fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.dir.join("pid")).ok()?;
        let (pid, then) = text.split_once(' ')?;
        let pid = pid.parse().ok()?;
        (started(pid)? == then).then_some(pid)
    }

    /// Sends a signal to it and to its children: PostgreSQL has one for each connection.
    pub(super) fn signal_all(&self, signal: &str) -> Outcome {
        self.signal(signal)?;
        for child in self.pid().map(children).unwrap_or_default() {
            // It may have ended in between.
            let _ = output(Command::new("kill").arg(format!("-{signal}")).arg(child));
        }
        Ok(())
    }

    fn signal(&self, signal: &str) -> Outcome {
        let Some(pid) = self.pid() else { return Ok(()) };
        let sent = output(
            Command::new("kill")
                .arg(format!("-{signal}"))
                .arg(pid.to_string()),
        );
        match sent {
            // It ended in between.
            Err(_) if !self.runs() => Ok(()),
            sent => sent.map(drop),
        }
    }

    /// Kills it, and waits until it is gone.
    pub(super) fn kill(&self) -> Outcome {
        self.signal("KILL")?;
        wait::until(&format!("the end of {}", self.name()), || !self.runs())
    }
}

/// The numbers of the processes that one has started.
fn children(pid: u32) -> Vec<String> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads.flatten().filter_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).ok()?;
        Some(
            children
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    });
    lists.flatten().collect()
}

/// When the process with this number was started, in the kernel's ticks; nothing if it has ended.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // A zombie only waits for whoever started it.
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_started_killed_and_revived() {
        let dir = std::env::temp_dir().join(format!("terrace-process-{}", std::process::id()));
        let spawn = Spawn::new("sleeper", "sleep")
            .line("600")
            .env("A", "1")
            .env("B", "2");
        let process = Process::start(dir.join("00-sleeper"), &spawn).unwrap();
        assert_eq!(process.name(), "sleeper");
        let first = process.pid().unwrap();
        process.revive().unwrap();
        assert_eq!(process.pid(), Some(first), "it runs already");

        process.kill().unwrap();
        assert_eq!(process.pid(), None);
        process.revive().unwrap();
        assert_ne!(process.pid().unwrap(), first);
        process.kill().unwrap();
        fs::remove_dir_all(dir).unwrap();
    }
}
