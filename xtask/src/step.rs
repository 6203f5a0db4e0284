use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::Outcome;

/// Runs `command` to its end, and prints how it went and how long it took as one line.
pub(crate) fn step(name: &str, command: &mut Command) -> Outcome {
    timed(name, || {
        let status = command
            .status()
            .map_err(|error| format!("cannot run `{}`: {error}", shown(command)))?;
        ended(command, status)
    })
}

/// An error unless `command`, which ended so, succeeded.
pub(crate) fn ended(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() {
        return Ok(());
    }
    Err(format!("`{}` ended with {status}", shown(command)))
}

/// Runs `work`, and prints how it went and how long it took as one line.
#[expect(
    clippy::disallowed_methods,
    reason = "a chore is measured in real time"
)]
pub(crate) fn timed<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let begun = Instant::now();
    let outcome = work();
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    eprintln!("xtask: {name}: {verdict} ({})", seconds(begun.elapsed()));
    outcome.map_err(|error| format!("{name}: {error}"))
}

/// Says loudly that something was left out, and why.
pub(crate) fn skipped(name: &str, reason: &str) {
    eprintln!("xtask: {name}: SKIPPED: {reason}");
}

/// The command as one would type it, without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_named_with_its_status() {
        let error = step("try", Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error, "try: `sh -c exit 3` ended with exit status: 3");
        assert_eq!(step("try", &mut Command::new("true")), Ok(()));
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let error = step("try", &mut Command::new("terrace-no-such-program")).unwrap_err();
        assert!(
            error.contains("cannot run `terrace-no-such-program`"),
            "{error}"
        );
    }
}
