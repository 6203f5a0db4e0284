//! The servers of one run of the tests.

use std::env;
use std::path::PathBuf;

use super::backends::{BACKENDS, Backend};
use super::bring_up;
use super::guard::{self, Guard};
use crate::Outcome;
use crate::step::{skipped, timed};
use crate::workspace::target_dir;

/// The servers of one run of the tests, started once; stopped when it is dropped, and also when this process is killed.
pub(crate) struct ForTests {
    /// What points the tests at them.
    pub(crate) variables: Vec<(String, String)>,
    /// Each that was wanted, and what became of it.
    pub(crate) states: Vec<(&'static Backend, State)>,
    _guard: Guard,
}

/// What became of a server that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It was started here.
    Started,
    /// A variable names one that runs elsewhere.
    Named,
    /// It could not be had, and this is why.
    Skipped(String),
}

impl ForTests {
    /// Starts those that are `wanted`. One that cannot be had is left out, loudly; if it `must_be` there, that is an error.
    pub(crate) fn start(
        wanted: impl Fn(&Backend) -> bool,
        must_be: impl Fn(&Backend) -> bool,
    ) -> Outcome<Self> {
        let dir = dir();
        let mut running = Self {
            variables: vec![(
                guard::NOTES_VARIABLE.to_owned(),
                guard::notes(&dir).display().to_string(),
            )],
            states: Vec::new(),
            _guard: Guard::over(&dir)?,
        };
        for backend in BACKENDS.iter().filter(|backend| wanted(backend)) {
            let is_named = env::var(backend.service.variable).is_ok();
            let started = if is_named || !backend.is_optional() {
                timed(backend.name(), || bring_up(&dir, &backend.service))
            } else {
                Err(format!("{} is not set", backend.service.variable))
            };
            let state = match started {
                Ok(variables) => {
                    running.variables.extend(variables);
                    if is_named {
                        State::Named
                    } else {
                        State::Started
                    }
                }
                Err(reason) if must_be(backend) => return Err(reason),
                Err(reason) => {
                    skipped(&format!("tests against {}", backend.name()), &reason);
                    State::Skipped(reason)
                }
            };
            running.states.push((backend, state));
        }
        Ok(running)
    }
}

fn dir() -> PathBuf {
    target_dir().join("services-of-tests")
}
