use std::sync::Arc;

use super::{assert_all_can_fail, assert_caught, assert_sound};
use crate::index::cases;

pub(super) use model::ModelIndex;

mod model;

/// A mistake an index store may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    CasIgnoresVersion,
    CasCreates,
    CasNotAtomic,
    PutNewOverwrites,
    PutNewNotAtomic,
    PutNewInTwoSteps,
    DeleteIgnoresVersion,
    DeleteNotAtomic,
    DeleteForgets,
    TouchChangesVersion,
    TouchIgnoresVersion,
    TouchWritesBack,
    PassedIsRead,
    PassedBlocksPutNew,
    PassedIsScanned,
    PassedIsChanged,
    ReadsLag,
    IgnoresVariance,
    SignedVersions,
    SignedRetention,
    TruncatesLargeRecords,
    AcceptsAnySize,
    EmptyIsAbsent,
    ScanIgnoresLimit,
    ScanByOffset,
    ScanRepeats,
    ScanEndsEarly,
    LeaksOnCancel,
    OneConnection,
    AbsentIsEmpty,
    LosesUpdates,
    TearsChanges,
    TouchCreates,
    TouchOnce,
    DeleteOfNothingApplies,
    DeleteLeavesATrace,
    DeleteRemovesTwo,
    NotBinary,
    ScanNeverEnds,
    ScanTruncates,
    ScanOverflows,
    SmallRecords,
}

const CAUGHT: &[(Flaw, &str)] = &[
    (
        Flaw::CasIgnoresVersion,
        "cas_update_under_a_wrong_version_conflicts",
    ),
    (
        Flaw::CasIgnoresVersion,
        "cas_update_under_an_older_version_conflicts",
    ),
    (Flaw::CasCreates, "cas_update_of_an_absent_key_conflicts"),
    (
        Flaw::CasNotAtomic,
        "p4_32_concurrent_cas_updates_have_one_winner_per_version",
    ),
    (
        Flaw::CasNotAtomic,
        "p4_concurrent_histories_are_linearizable",
    ),
    (
        Flaw::PutNewOverwrites,
        "put_new_on_an_existing_key_conflicts_and_changes_nothing",
    ),
    (
        Flaw::PutNewNotAtomic,
        "p4_32_concurrent_put_new_have_one_winner",
    ),
    (
        Flaw::PutNewNotAtomic,
        "p4_32_concurrent_put_new_past_retention_have_one_winner",
    ),
    (
        Flaw::PutNewInTwoSteps,
        "a_put_new_dropped_at_each_poll_is_before_or_after",
    ),
    (
        Flaw::DeleteIgnoresVersion,
        "delete_under_a_wrong_version_conflicts",
    ),
    (
        Flaw::DeleteNotAtomic,
        "p4_32_concurrent_deletes_have_one_winner",
    ),
    (
        Flaw::DeleteNotAtomic,
        "p4_deletes_and_cas_updates_of_one_version_have_one_winner",
    ),
    (Flaw::DeleteForgets, "delete_removes"),
    (
        Flaw::TouchChangesVersion,
        "touch_ttl_leaves_version_and_bytes",
    ),
    (
        Flaw::TouchIgnoresVersion,
        "touch_ttl_under_a_wrong_version_conflicts",
    ),
    (Flaw::TouchWritesBack, "p4_touch_ttl_never_undoes_an_update"),
    (Flaw::PassedIsRead, "past_retention_get_is_none"),
    (Flaw::PassedBlocksPutNew, "past_retention_put_new_applies"),
    (Flaw::PassedIsScanned, "past_retention_scan_skips_it"),
    (Flaw::PassedIsChanged, "past_retention_cas_update_conflicts"),
    (Flaw::PassedIsChanged, "past_retention_delete_conflicts"),
    (Flaw::PassedIsChanged, "past_retention_touch_ttl_conflicts"),
    (Flaw::ReadsLag, "put_new_then_get_is_identical"),
    (Flaw::ReadsLag, "a_write_acknowledged_to_one_is_seen_by_all"),
    (Flaw::ReadsLag, "p4_concurrent_histories_are_linearizable"),
    (
        Flaw::IgnoresVariance,
        "primary_and_variant_keys_are_distinct",
    ),
    (Flaw::IgnoresVariance, "scan_sees_variants"),
    (Flaw::SignedVersions, "versions_of_all_bit_patterns_survive"),
    (
        Flaw::SignedRetention,
        "retention_times_of_all_sizes_survive",
    ),
    (Flaw::TruncatesLargeRecords, "the_largest_record_survives"),
    (Flaw::AcceptsAnySize, "a_record_too_large_is_exhausted"),
    (Flaw::EmptyIsAbsent, "an_empty_manifest_survives"),
    (Flaw::ScanIgnoresLimit, "scan_one_by_one"),
    (
        Flaw::ScanByOffset,
        "scan_cursor_survives_the_record_it_points_at",
    ),
    (
        Flaw::ScanByOffset,
        "scan_between_changes_keeps_what_is_stable",
    ),
    (Flaw::ScanRepeats, "scan_one_by_one"),
    (Flaw::ScanEndsEarly, "scan_sees_thousands_each_once"),
    (
        Flaw::LeaksOnCancel,
        "many_dropped_calls_leave_the_store_usable",
    ),
    (
        Flaw::OneConnection,
        "a_get_dropped_at_each_poll_does_no_harm",
    ),
    (
        Flaw::OneConnection,
        "a_scan_dropped_at_each_poll_does_no_harm",
    ),
    (Flaw::AbsentIsEmpty, "get_of_an_absent_key_is_none"),
    (Flaw::LosesUpdates, "cas_update_replaces"),
    (
        Flaw::LosesUpdates,
        "a_touched_record_is_still_updated_by_its_version",
    ),
    (
        Flaw::LosesUpdates,
        "concurrent_writers_of_different_keys_do_not_meet",
    ),
    (
        Flaw::TearsChanges,
        "a_cas_update_dropped_at_each_poll_is_before_or_after",
    ),
    (
        Flaw::TearsChanges,
        "a_delete_dropped_at_each_poll_is_before_or_after",
    ),
    (
        Flaw::TearsChanges,
        "a_touch_ttl_dropped_at_each_poll_is_before_or_after",
    ),
    (Flaw::TouchCreates, "touch_ttl_of_an_absent_key_conflicts"),
    (Flaw::TouchOnce, "touch_ttl_is_idempotent"),
    (
        Flaw::DeleteOfNothingApplies,
        "delete_of_an_absent_key_conflicts",
    ),
    (Flaw::DeleteLeavesATrace, "delete_then_put_new"),
    (Flaw::DeleteRemovesTwo, "keys_are_independent"),
    (Flaw::NotBinary, "every_byte_value_survives"),
    (Flaw::ScanNeverEnds, "scan_of_an_empty_store_ends"),
    (Flaw::ScanTruncates, "scan_sees_whole_records"),
    (
        Flaw::ScanOverflows,
        "scan_with_a_limit_larger_than_the_store",
    ),
    (
        Flaw::ScanRepeats,
        "scan_during_changes_keeps_what_is_stable",
    ),
    (Flaw::SmallRecords, "capabilities_are_sensible"),
];

#[test]
fn a_sound_index_passes_every_trial() {
    assert_sound(cases(), || ModelIndex::new(Flaw::None), |store| store);
}

#[test]
fn every_flaw_is_caught() {
    assert_caught(cases, CAUGHT, ModelIndex::new, |store| store);
}

#[test]
fn every_trial_can_fail() {
    assert_all_can_fail(&cases(), CAUGHT);
}

#[test]
fn trials_run_under_the_names_of_their_suite() {
    let make = || async { crate::Fixture::shared(Arc::new(ModelIndex::new(Flaw::None))) };
    let trials = crate::index_conformance("model", make);
    assert!(
        trials
            .iter()
            .all(|trial| trial.name().starts_with("model::"))
    );
    assert_eq!(trials.len(), cases().len());
}
