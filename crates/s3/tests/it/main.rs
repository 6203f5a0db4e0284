//! What the suite does not ask for, on every endpoint there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "../endpoints/mod.rs"]
mod endpoints;
mod lists;
mod meddler;
mod probes;
mod starts;
mod sweeps;
mod troubles;
