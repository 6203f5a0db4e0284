//! The suites themselves are tested here: a sound double of each trait passes every trial, and for each kind
//! of mistake there is a double that makes it, and a trial that finds it out.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use crate::suite::{Case, Fixture, run_case};

mod blob;
mod faults;
mod index;
mod network;
mod tier;

/// Chances for a trial to meet a flaw.
const ATTEMPTS: usize = 10;

/// Every trial passes.
fn assert_sound<T, S>(cases: Vec<Case<T>>, make: fn() -> S, erase: fn(Arc<S>) -> Arc<T>)
where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    let failures: Vec<_> = cases
        .into_iter()
        .filter_map(|case| {
            let make = move || async move { Fixture::new(make()) };
            let failed = run_case(case.body, make, erase).err()?;
            Some(format!("{}: {}", case.name, failed.message().unwrap_or("")))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The trial meant for a flaw fails because of it.
///
/// A race is met by chance, so a trial has a few attempts.
fn assert_caught<T, S, F>(
    cases: impl Fn() -> Vec<Case<T>>,
    flaws: &[(F, &str)],
    make: fn(F) -> S,
    erase: fn(Arc<S>) -> Arc<T>,
) where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
    F: Debug + Copy + Send + Sync + 'static,
{
    let mut missed = Vec::new();
    for (flaw, trial) in flaws.iter().copied() {
        let case = cases().into_iter().find(|case| case.name == trial);
        let case = case.unwrap_or_else(|| panic!("there is no trial {trial}"));
        let make = move || async move { Fixture::new(make(flaw)) };
        if (0..ATTEMPTS).all(|_| run_case(case.body, make, erase).is_ok()) {
            missed.push(format!("{flaw:?} passes {trial}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// No two trials have one name, and for each there is a flaw: a trial that cannot fail tries nothing.
fn assert_all_can_fail<T: ?Sized, F>(cases: &[Case<T>], flaws: &[(F, &str)]) {
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    let shown: BTreeSet<_> = flaws.iter().map(|(_, trial)| *trial).collect();
    let idle: Vec<_> = names.difference(&shown).collect();
    assert!(idle.is_empty(), "not shown to fail: {idle:?}");
}
