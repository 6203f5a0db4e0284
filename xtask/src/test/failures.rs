use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{fmt, thread};

use crate::Outcome;
use crate::step::{ended, step, timed};

/// The most lines that are repeated of what one test said.
const MAX_LINES: usize = 40;

/// What tests said when they failed, to be said again at the end: a log is read from there, and often cut above.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<Vec<String>>);

impl Failures {
    /// Runs `command` as [`step`] does, and remembers what its tests fail of.
    ///
    /// Where somebody is looking on, it writes to their terminal itself, in colour, and nothing is remembered.
    pub(super) fn step(&self, name: &str, command: &mut Command) -> Outcome {
        if io::stdout().is_terminal() {
            return step(name, command);
        }
        self.overheard(name, command, io::stdout(), io::stderr())
    }

    fn overheard(
        &self,
        name: &str,
        command: &mut Command,
        to_out: impl Write + Send,
        to_err: impl Write + Send,
    ) -> Outcome {
        timed(name, || {
            let running = command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut running = running.map_err(|error| format!("cannot run cargo: {error}"))?;
            let (out, err) = (running.stdout.take(), running.stderr.take());
            thread::scope(|threads| {
                threads.spawn(|| self.listen(out, to_out, Tests::default()));
                threads.spawn(|| self.listen(err, to_err, Cargo));
            });
            let status = running.wait().map_err(|error| error.to_string())?;
            ended(command, status)
        })
    }

    fn listen(&self, from: Option<impl Read>, mut to: impl Write, mut ear: impl Ear) {
        for line in from
            .into_iter()
            .flat_map(|from| BufReader::new(from).split(b'\n'))
        {
            let Ok(line) = line else { return };
            // Nobody may be listening any more; the tests are run all the same.
            let _ = to.write_all(&[line.as_slice(), b"\n"].concat());
            let line = String::from_utf8_lossy(&line);
            if ear.is_about_a_failure(&line) {
                self.0
                    .lock()
                    .expect("no listener panics")
                    .push(line.into_owned());
            }
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.lock().expect("no listener panics");
        if !lines.is_empty() {
            writeln!(f, "\nwhat failed, once more:")?;
        }
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

trait Ear {
    fn is_about_a_failure(&mut self, line: &str) -> bool;
}

/// Listens to test programs, which say `failures:`, then what each of them printed after a line `---- its name`.
#[derive(Debug, Default)]
struct Tests {
    left: usize,
    is_failing: bool,
}

impl Ear for Tests {
    fn is_about_a_failure(&mut self, line: &str) -> bool {
        match line {
            "failures:" => self.is_failing = true,
            _ if line.starts_with("test result:") => self.is_failing = false,
            _ if line.starts_with("---- ") => self.left = MAX_LINES,
            "stack backtrace:" => self.left = 0,
            _ => self.left = self.left.saturating_sub(1),
        }
        self.is_failing && self.left > 0 && line != "failures:"
    }
}

/// Listens to cargo, which says how a test program ended that did not end by itself.
#[derive(Debug)]
struct Cargo;

impl Ear for Cargo {
    fn is_about_a_failure(&mut self, line: &str) -> bool {
        line.trim_start()
            .starts_with("process didn't exit successfully")
            && line.contains("signal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(failures: &Failures, script: &str) -> Outcome {
        let mut command = Command::new("sh");
        failures.overheard("try", command.args(["-c", script]), io::sink(), io::sink())
    }

    #[test]
    fn what_a_test_printed_and_how_a_program_died_is_said_again() {
        let script = r#"
            echo 'test one ... ok'
            echo 'failures:'; echo
            echo '---- two stdout ----'; echo 'it is 3, not 4'; echo
            echo 'stack backtrace:'; echo '  0: panic'; echo
            echo 'failures:'; echo '    two'; echo
            echo 'test result: FAILED. 1 passed; 1 failed'
            echo 'test three ... ok'
            echo "  process didn't exit successfully: three (signal: 9, SIGKILL: kill)" >&2
            echo "  process didn't exit successfully: two (exit status: 101)" >&2
            exit 101"#;
        let failures = Failures::default();
        let outcome = heard(&failures, script);
        assert!(
            outcome
                .unwrap_err()
                .ends_with("ended with exit status: 101")
        );
        let said = failures.to_string();
        for part in ["---- two stdout", "it is 3, not 4", "SIGKILL"] {
            assert!(said.contains(part), "{said}");
        }
        for part in ["one", "0: panic", "three ...", "exit status"] {
            assert!(!said.contains(part), "{said}");
        }
    }

    #[test]
    fn nothing_is_said_when_nothing_fails() {
        let failures = Failures::default();
        let echo = "echo 'test one ... ok'; echo 'test result: ok. 1 passed'";
        assert_eq!(heard(&failures, echo), Ok(()));
        assert_eq!(failures.to_string(), "");
    }

    #[test]
    fn of_one_that_says_much_the_beginning_is_said_again() {
        let mut tests = Tests::default();
        assert!(!tests.is_about_a_failure("failures:"));
        assert!(tests.is_about_a_failure("---- one stdout ----"));
        let said = (0..1000)
            .filter(|_| tests.is_about_a_failure("more"))
            .count();
        assert_eq!(said, MAX_LINES - 1);
    }
}
