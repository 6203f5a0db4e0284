use std::fmt;

use super::explorer::Event;

/// What an exploration found.
#[derive(Debug, Clone)]
#[must_use]
pub struct Report {
    /// How many schedules were run.
    pub schedules: usize,
    /// Whether these were all there are, with at most [`max_preemptions`](Self::max_preemptions).
    pub exhaustive: bool,
    /// The bound on preemptions, if there was one.
    pub max_preemptions: Option<usize>,
    /// The first schedule that failed.
    pub failure: Option<Failure>,
}

/// A schedule that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// How it failed.
    pub reason: Reason,
    /// Who did what, in order.
    pub schedule: Vec<String>,
}

/// How a schedule failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The check found this.
    Check(String),
    /// An actor panicked with this message.
    Panic(String),
    /// These actors wait for each other, or for nobody.
    Deadlock(Vec<String>),
    /// It was not over after this many steps.
    Endless(usize),
    /// Two runs with the same choices went different ways: something is drawn or measured that does not come
    /// from the explorer's ports, in a `select!` that is not `biased`, for example.
    NotDeterministic,
}

impl Report {
    /// Asserts that all schedules were run and none failed.
    ///
    /// # Panics
    ///
    /// Unless it holds, with the failure or the reason why the exploration is not exhaustive.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.failure.is_none(), "{self}");
        assert!(
            self.exhaustive,
            "{self}: raise `max_schedules` or bound `max_preemptions`"
        );
    }

    /// The failure. For showing that a test can fail.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn assert_fails(&self) -> &Failure {
        let failure = self.failure.as_ref();
        failure.unwrap_or_else(|| panic!("expected a failure, but {self}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(failure) = &self.failure {
            return write!(f, "schedule {} failed: {failure}", self.schedules);
        }
        let all = if self.exhaustive {
            "all"
        } else {
            "only the first"
        };
        write!(f, "{all} {} schedules hold", self.schedules)?;
        match self.max_preemptions {
            Some(max) => write!(f, ", with at most {max} preemptions"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        for (number, step) in (1..).zip(&self.schedule) {
            write!(f, "\n{number:4}. {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(found) => f.write_str(found),
            Self::Panic(message) => write!(f, "panic: {message}"),
            Self::Deadlock(stuck) => write!(f, "deadlock: {} cannot go on", stuck.join(", ")),
            Self::Endless(steps) => write!(f, "not over after {steps} steps"),
            Self::NotDeterministic => f.write_str(
                "not deterministic: time, randomness and detached work must come from the explorer",
            ),
        }
    }
}

/// One line per turn.
pub(super) fn readable(trace: &[Event], names: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in trace {
        let addition = match event {
            Event::Turn(actor) => {
                lines.push(names[*actor].into());
                continue;
            }
            Event::TimePasses => {
                lines.push("time passes".into());
                continue;
            }
            Event::Does(label) => format!(", {label}"),
            Event::Waits => ", waits".into(),
            Event::Ends => ", ends".into(),
        };
        if let Some(line) = lines.last_mut() {
            line.push_str(&addition);
        }
    }
    lines
}
