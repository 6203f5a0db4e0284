use std::any::Any;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Builder;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::report;

/// A trial that takes longer hangs. Nothing is timed; this only ends what would never end.
const HANG_GUARD: Duration = Duration::from_mins(2);
/// Threads of each trial's runtime: several, so that concurrent calls really overlap.
const WORKERS: usize = 4;

/// What a trial's factory hands over: a fresh, empty store that shares nothing with another trial's,
/// and whatever must live as long as it does.
pub struct Fixture<S> {
    pub(crate) store: Arc<S>,
    pub(crate) kept: Vec<Box<dyn Any + Send>>,
}

impl<S> Fixture<S> {
    /// A fixture of `store` alone.
    pub fn new(store: S) -> Self {
        Self::shared(Arc::new(store))
    }

    /// A fixture of a store that the factory's closure knows by other handles as well.
    pub fn shared(store: Arc<S>) -> Self {
        Self {
            store,
            kept: Vec::new(),
        }
    }

    /// Keeps `guard`, a temporary directory for example, until the trial is over; then drops it after
    /// the store, last kept first.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send) -> Self {
        self.kept.push(Box::new(guard));
        self
    }
}

impl<S> std::fmt::Debug for Fixture<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fixture")
            .field("kept", &self.kept.len())
            .finish_non_exhaustive()
    }
}

/// Runs trials as a test binary's `main` does, with the arguments `cargo test` passes.
///
/// With `TERRACE_TEST_REPORT` set to a folder, it leaves a file there that says, for each suite, how many trials passed.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    let code = libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
    match report::write() {
        Ok(()) => code,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How a trial ends.
pub(crate) type Outcome = Result<(), Failed>;

/// One trial of a trait `T`, before it is given a store to try.
pub(crate) struct Case<T: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) body: fn(Arc<T>) -> BoxFuture<'static, Outcome>,
}

/// Makes cases of `async fn(Arc<T>) -> Outcome`, named after the functions.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        vec![$(crate::suite::Case {
            name: stringify!($name),
            body: |store| Box::pin($name(store)),
        }),*]
    };
}
pub(crate) use cases;

/// Ends the trial unless `$holds`, saying what should have been.
macro_rules! check {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(libtest_mimic::Failed::from(format!(
                "{} ({}:{})", format_args!($($message)+), file!(), line!()
            )));
        }
    };
}
pub(crate) use check;

/// Ends the trial unless both are equal, saying what should have been.
macro_rules! check_eq {
    ($got:expr, $expected:expr, $($message:tt)+) => {
        match (&$got, &$expected) {
            (got, expected) => crate::suite::check!(
                *got == *expected,
                "{}: expected {:?}, got {:?}", format_args!($($message)+), expected, got
            ),
        }
    };
}
pub(crate) use check_eq;

/// `cases` as trials named `<name>::<case>`, each on a store of its own.
pub(crate) fn trials<T, S, F, Fut>(
    name: &str,
    cases: Vec<Case<T>>,
    make: F,
    erase: fn(Arc<S>) -> Arc<T>,
) -> Vec<Trial>
where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    let to_trial = |case: Case<T>| {
        let make = make.clone();
        let suite = name.to_owned();
        Trial::test(format!("{name}::{}", case.name), move || {
            let outcome = run_case(case.body, make, erase);
            report::note(suite, outcome.is_ok());
            outcome
        })
    };
    cases.into_iter().map(to_trial).collect()
}

/// Runs one case in a runtime of its own.
///
/// It runs as a task, not under `block_on`: a store that blocks its thread for ever is then caught, too.
pub(crate) fn run_case<T, S, F, Fut>(
    body: fn(Arc<T>) -> BoxFuture<'static, Outcome>,
    make: F,
    erase: fn(Arc<S>) -> Arc<T>,
) -> Outcome
where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    run_guarded(HANG_GUARD, async move {
        let Fixture { store, mut kept } = make().await;
        let outcome = body(erase(store)).await;
        while let Some(guard) = kept.pop() {
            drop(guard);
        }
        outcome
    })
}

fn run_guarded(guard: Duration, trial: impl Future<Output = Outcome> + Send + 'static) -> Outcome {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    let task = runtime.spawn(trial);
    let ended = runtime.block_on(async { tokio::time::timeout(guard, task).await });
    runtime.shutdown_background();
    match ended {
        Err(_) => Err(Failed::from(format!("it hangs: not over after {guard:?}"))),
        Ok(Err(panic)) => Err(panicked(panic)),
        Ok(Ok(outcome)) => outcome,
    }
}

/// Runs `futures` as tasks of their own that start together; their answers in the order of the futures.
/// Dropping it aborts them.
pub(crate) async fn together<F, T>(futures: impl IntoIterator<Item = F>) -> Result<Vec<T>, Failed>
where
    F: Future<Output = Result<T, Failed>> + Send + 'static,
    T: Send + 'static,
{
    let futures: Vec<_> = futures.into_iter().collect();
    let start = Arc::new(Barrier::new(futures.len()));
    let mut tasks = JoinSet::new();
    for (n, future) in futures.into_iter().enumerate() {
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            (n, future.await)
        });
    }
    let mut answers = Vec::with_capacity(tasks.len());
    while let Some(ended) = tasks.join_next().await {
        let (n, answer) = ended.map_err(panicked)?;
        answers.push((n, answer?));
    }
    answers.sort_unstable_by_key(|(n, _)| *n);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn panicked(error: tokio::task::JoinError) -> Failed {
    let Ok(payload) = error.try_into_panic() else {
        return Failed::from("the trial was cancelled");
    };
    let message: &dyn Display = match (
        payload.downcast_ref::<&'static str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => &"no message",
    };
    Failed::from(format!("panicked: {message}"))
}

#[cfg(test)]
mod tests;
