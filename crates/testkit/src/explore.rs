use std::fmt;

use futures::future::BoxFuture;

use run::Run;
use schedule::Schedules;

pub use explorer::Explorer;
pub use ignores_fences::IgnoresFences;
pub use report::{Failure, Reason, Report};
pub use stepped::Stepped;

mod explorer;
mod ignores_fences;
mod report;
mod run;
mod schedule;
mod stepped;
mod timers;

/// Runs a scenario under every schedule within `limits`, until one fails.
///
/// `scenario` sets the system up and says who acts on it. It is called once per schedule and must be a
/// function of its argument: time, randomness and detached work come from the [`Explorer`]. One
/// thread polls the actors; between two yields of an actor nobody else runs, so a *schedule* is
/// the order in which they are polled. Schedules are enumerated depth first, without storing states: the next run repeats
/// the choices of the last one up to the last choice that has an alternative left.
///
/// A schedule fails if an actor or the [check](Scenario::check) panics, if the check says so, if an actor can never go on
/// (a deadlock), or if it has no end. The [`Report`] then shows the order of steps that led there.
///
/// An actor yields at [`Explorer::step`] and wherever it waits: for a channel, a lock, a notification of
/// `tokio::sync` or `futures`, all of which work without a runtime. Wakes must come from the actors: what waits
/// for another thread looks like a deadlock. `select!` must be `biased`, or its coin toss makes two runs differ;
/// a run that cannot repeat the choices of the last one is reported.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
/// use terrace_testkit::{Limits, Scenario, explore};
///
/// let report = explore(&Limits::default(), |explorer| {
///     let counter = Arc::new(AtomicU32::new(0));
///     let increment = || {
///         let (counter, explorer) = (counter.clone(), explorer.clone());
///         async move {
///             let seen = counter.load(SeqCst);
///             explorer.step("store").await;
///             counter.store(seen + 1, SeqCst);
///         }
///     };
///     Scenario::new()
///         .actor("one", increment())
///         .actor("two", increment())
///         .check(async move {
///             match counter.load(SeqCst) {
///                 2 => Ok(()),
///                 other => Err(format!("an update was lost: {other}")),
///             }
///         })
/// });
/// println!("{}", report.assert_fails()); // the order of steps that loses an update
/// ```
///
/// Stateless search is that of Godefroid's `VeriSoft` (POPL 1997); bounding preemptions that of CHESS (Musuvathi and
/// Qadeer, PLDI 2007), who found that most races need two at most.
pub fn explore(limits: &Limits, scenario: impl Fn(&Explorer) -> Scenario) -> Report {
    let mut schedules = Schedules::new(limits.max_preemptions);
    let mut count = 0;
    let (exhaustive, failure) = loop {
        if count == limits.max_schedules {
            break (false, None);
        }
        let explorer = Explorer::new();
        let run = Run::new(&explorer, scenario(&explorer), limits.max_steps);
        let ended = run.finish(&mut schedules);
        count += 1;
        if let Err(failure) = ended {
            break (false, Some(failure));
        }
        if !schedules.next() {
            break (true, None);
        }
    };
    Report {
        schedules: count,
        exhaustive,
        max_preemptions: limits.max_preemptions,
        failure,
    }
}

/// How far to explore.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most schedules to run; the exploration is then not exhaustive. Default: 1,000,000.
    pub max_schedules: usize,
    /// The most preemptions in one schedule: switches away from an actor that could have gone on. `None`
    /// for no bound, the default.
    ///
    /// Of *n* steps there are exponentially many interleavings, but with *k* preemptions about *nᵏ*.
    pub max_preemptions: Option<usize>,
    /// The most steps of one schedule; a longer one fails as endless. Default: 10,000.
    pub max_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_schedules: 1_000_000,
            max_preemptions: None,
            max_steps: 10_000,
        }
    }
}

impl Limits {
    /// The default limits, with at most `preemptions` per schedule.
    pub fn preemptions(preemptions: usize) -> Self {
        Self {
            max_preemptions: Some(preemptions),
            ..Self::default()
        }
    }
}

/// Who acts on a system, and what must hold afterwards.
#[derive(Default)]
pub struct Scenario {
    actors: Vec<(&'static str, BoxFuture<'static, ()>)>,
    check: Option<BoxFuture<'static, Result<(), String>>>,
}

impl Scenario {
    /// Nobody, and nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an actor that must come to its end in every schedule. What it asserts is checked, too.
    #[must_use]
    pub fn actor(
        mut self,
        name: &'static str,
        acts: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.actors.push((name, Box::pin(acts)));
        self
    }

    /// Checks, when all actors have ended and the tasks they spawned can do nothing more, that all is well.
    #[must_use]
    pub fn check(
        mut self,
        check: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Self {
        self.check = Some(Box::pin(check));
        self
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.actors.iter().map(|(name, _)| name).collect();
        f.debug_struct("Scenario")
            .field("actors", &names)
            .field("check", &self.check.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
