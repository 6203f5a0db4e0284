//! The trials under faults are tested on doubles whose calls really cross the network: a sound one passes, and each
//! mistake that clients of servers make is found out.

use std::fmt::Debug;
use std::sync::Arc;

use super::assert_all_can_fail;
use crate::network::{Behind, behind, blob, index, tier};
use crate::suite::{Case, Fixture, run_case};
use remote::{Remote, Server};

mod body;
mod remote;
mod stores;

/// A mistake a client may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// It waits for an answer for ever.
    NoDeadline,
    /// A connection that broke is used again.
    KeepsBroken,
    /// An error says that nothing was done, although it may have been.
    LostAnswerIsRefusal,
    /// A write is sent again, as if it had not been done.
    RepeatsWrites,
    /// A write is acknowledged when it was sent.
    DoesNotWait,
    /// The end of a connection is taken for the end of what was read.
    EndIsNothing,
    /// A dropped call takes its place in the pool with it.
    LeaksOnDrop,
    /// An error that will pass says that it will not.
    GivesUp,
}

const INDEX: &[(Flaw, &str)] = &[
    (Flaw::NoDeadline, "silence_ends_every_call_and_it_recovers"),
    (
        Flaw::NoDeadline,
        "a_black_hole_ends_every_call_and_it_recovers",
    ),
    (
        Flaw::GivesUp,
        "refused_connections_are_errors_and_it_recovers",
    ),
    (Flaw::KeepsBroken, "a_half_closed_connection_is_left"),
    (Flaw::LeaksOnDrop, "calls_dropped_in_silence_cost_nothing"),
    (
        Flaw::LostAnswerIsRefusal,
        "p4_a_lost_answer_is_not_taken_for_a_refusal",
    ),
    (Flaw::DoesNotWait, "p4_a_lost_request_is_before_or_after"),
    (
        Flaw::RepeatsWrites,
        "p4_what_was_acknowledged_under_resets_is_there",
    ),
    (
        Flaw::DoesNotWait,
        "p4_32_writers_under_resets_have_one_winner_per_version",
    ),
    (Flaw::EndIsNothing, "reads_under_resets_are_whole_or_errors"),
    (Flaw::EndIsNothing, "scans_under_resets_are_whole_or_errors"),
];

const TIER: &[(Flaw, &str)] = &[
    (Flaw::NoDeadline, "silence_ends_every_call_and_it_recovers"),
    (
        Flaw::NoDeadline,
        "a_black_hole_ends_every_call_and_it_recovers",
    ),
    (
        Flaw::GivesUp,
        "refused_connections_are_errors_and_it_recovers",
    ),
    (Flaw::KeepsBroken, "a_half_closed_connection_is_left"),
    (Flaw::LeaksOnDrop, "calls_dropped_in_silence_cost_nothing"),
    (
        Flaw::EndIsNothing,
        "p1_a_body_that_breaks_off_is_no_whole_body",
    ),
    (
        Flaw::EndIsNothing,
        "p1_a_body_that_is_half_closed_is_no_whole_body",
    ),
    (Flaw::NoDeadline, "p1_a_body_that_falls_silent_ends"),
    (
        Flaw::LostAnswerIsRefusal,
        "p1_a_commit_whose_answer_is_lost_is_whole_or_nothing",
    ),
    (Flaw::DoesNotWait, "p5_a_fill_that_breaks_publishes_nothing"),
    (
        Flaw::DoesNotWait,
        "p3_a_purge_whose_answer_is_lost_is_not_acknowledged_in_vain",
    ),
    (
        Flaw::DoesNotWait,
        "p3_what_was_purged_under_resets_does_not_come_back",
    ),
];

const BLOB: &[(Flaw, &str)] = &[
    (Flaw::NoDeadline, "silence_ends_every_call_and_it_recovers"),
    (
        Flaw::NoDeadline,
        "a_black_hole_ends_every_call_and_it_recovers",
    ),
    (
        Flaw::GivesUp,
        "refused_connections_are_errors_and_it_recovers",
    ),
    (Flaw::LeaksOnDrop, "calls_dropped_in_silence_cost_nothing"),
    (
        Flaw::EndIsNothing,
        "p1_a_read_that_breaks_off_is_no_whole_body",
    ),
    (
        Flaw::EndIsNothing,
        "p1_a_read_that_is_half_closed_is_no_whole_body",
    ),
    (Flaw::NoDeadline, "p1_a_read_that_falls_silent_ends"),
    (
        Flaw::LostAnswerIsRefusal,
        "p5_a_blob_whose_answer_is_lost_is_whole_or_absent",
    ),
    (
        Flaw::DoesNotWait,
        "p5_a_blob_whose_upload_breaks_is_whole_or_absent",
    ),
    (Flaw::DoesNotWait, "a_delete_that_was_acknowledged_holds"),
    (Flaw::EndIsNothing, "lists_under_resets_are_whole_or_errors"),
];

/// Chances for a trial to meet a flaw: what the network does at random is the same, what tasks do is not.
const ATTEMPTS: usize = 10;

/// Runs one case on a client with `flaw`.
fn passes<T, S>(
    case: &Case<Behind<T>>,
    flaw: Flaw,
    model: fn() -> S,
    erase: fn(Arc<Remote<S>>) -> Arc<T>,
) -> Result<(), String>
where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
    Remote<S>: Send + Sync,
{
    let make = move || async move {
        let server = Server::start(model()).await;
        let address = server.address();
        let open = |proxy| async move {
            Fixture::new(Remote::new(proxy, Arc::clone(&server), flaw)).keeping(server)
        };
        behind(address, open, erase).await
    };
    let outcome = run_case(case.body, make, |behind| behind);
    outcome.map_err(|failed| failed.message().unwrap_or_default().to_owned())
}

/// Every trial passes on a sound client; the trial meant for a flaw fails because of it. All at a time: they mostly wait.
fn check<T, S>(
    cases: fn() -> Vec<Case<Behind<T>>>,
    caught: &[(Flaw, &str)],
    model: fn() -> S,
    erase: fn(Arc<Remote<S>>) -> Arc<T>,
) where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
    Remote<S>: Send + Sync,
{
    assert_all_can_fail(&cases(), caught);
    std::thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || {
                let outcome = passes(&case, Flaw::None, model, erase);
                assert_eq!(outcome, Ok(()), "{}", case.name);
            });
        }
        for (flaw, trial) in caught {
            scope.spawn(move || {
                let case = cases().into_iter().find(|case| case.name == *trial);
                let case = case.unwrap_or_else(|| panic!("there is no trial {trial}"));
                let is_missed = (0..ATTEMPTS).all(|_| passes(&case, *flaw, model, erase).is_ok());
                assert!(!is_missed, "{flaw:?} passes {trial}");
            });
        }
    });
}

#[test]
fn an_index_is_tried() {
    let model = || super::index::ModelIndex::new(super::index::Flaw::None);
    check(index::cases, INDEX, model, |store| store);
}

#[test]
fn a_tier_is_tried() {
    let model = || super::tier::ModelTier::new(super::tier::Flaw::None);
    check(tier::cases, TIER, model, |tier| tier);
}

#[test]
fn a_blob_store_is_tried() {
    let model = || super::blob::ModelBlobs::new(super::blob::Flaw::None);
    check(blob::cases, BLOB, model, |store| store);
}
