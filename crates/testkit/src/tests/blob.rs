use super::{assert_all_can_fail, assert_caught, assert_sound};
use crate::blob::cases;

pub(super) use model::ModelBlobs;

mod model;

/// A mistake a blob store may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    VisibleFromTheStart,
    VisibleWhileWritten,
    DropPublishes,
    FinishInTwoSteps,
    PutCreates,
    RangesAreInclusive,
    RangesAreClamped,
    RangesStartAtZero,
    EmptyRangesAreInvalid,
    ReadsEndEarly,
    ReadsOfAbsentAreEmpty,
    ReadsFollowTheName,
    EmptyIsAbsent,
    EmptyPieceEnds,
    LosesPartsAfterTheFirst,
    LosesTheLastPart,
    WritersShareABuffer,
    GenerationsShareAName,
    VariantsShareAName,
    DeleteOfAbsentFails,
    DeleteRemovesTheKey,
    DeleteForgets,
    ListSeesTwice,
    ListSkipsEmpty,
    ListEndsAt250,
    ListLiesOnLength,
    HeadLiesOnLength,
    ListSeesGhosts,
    ReadersAreLeaked,
    ListByOffset,
    ListsAreLeaked,
    ListsShareACursor,
    TimesRunBackwards,
    OneConnection,
    WritersAreLeaked,
    SmallPiecesAreLost,
}

const CAUGHT: &[(Flaw, &str)] = &[
    (Flaw::VisibleFromTheStart, "p5_invisible_until_finish"),
    (Flaw::VisibleWhileWritten, "p5_invisible_until_finish"),
    (Flaw::DropPublishes, "p5_a_dropped_writer_leaves_nothing"),
    (
        Flaw::DropPublishes,
        "p5_a_writer_dropped_after_megabytes_leaves_nothing",
    ),
    (
        Flaw::DropPublishes,
        "a_write_dropped_at_each_poll_leaves_nothing",
    ),
    (
        Flaw::FinishInTwoSteps,
        "p1_a_finish_dropped_at_each_poll_is_whole_or_nothing",
    ),
    (
        Flaw::PutCreates,
        "a_put_dropped_at_each_poll_leaves_nothing",
    ),
    (Flaw::RangesAreInclusive, "ranges_at_every_place"),
    (
        Flaw::RangesAreInclusive,
        "ranges_of_one_byte_around_every_power_of_two",
    ),
    (
        Flaw::RangesAreClamped,
        "a_range_that_leaves_the_blob_is_invalid",
    ),
    (Flaw::RangesAreClamped, "ranges_of_an_empty_blob"),
    (Flaw::RangesAreClamped, "a_reversed_range_is_invalid"),
    (Flaw::RangesStartAtZero, "ranges_at_every_place"),
    (
        Flaw::RangesStartAtZero,
        "p1_concurrent_readers_see_the_same_bytes",
    ),
    (Flaw::EmptyRangesAreInvalid, "empty_ranges_are_empty"),
    (Flaw::ReadsEndEarly, "put_then_get_is_identical"),
    (Flaw::ReadsEndEarly, "a_blob_of_one_byte"),
    (Flaw::ReadsOfAbsentAreEmpty, "an_absent_blob_is_not_found"),
    (
        Flaw::ReadsFollowTheName,
        "p1_a_reader_of_a_deleted_blob_never_gets_other_bytes",
    ),
    (Flaw::EmptyIsAbsent, "an_empty_blob"),
    (Flaw::EmptyPieceEnds, "empty_pieces_are_nothing"),
    (
        Flaw::LosesPartsAfterTheFirst,
        "several_mib_in_pieces_of_odd_sizes",
    ),
    (Flaw::LosesTheLastPart, "one_large_piece"),
    (Flaw::WritersShareABuffer, "concurrent_writers_do_not_mix"),
    (
        Flaw::GenerationsShareAName,
        "delete_leaves_other_generations",
    ),
    (Flaw::VariantsShareAName, "list_sees_every_blob_once"),
    (
        Flaw::DeleteOfAbsentFails,
        "delete_of_an_absent_blob_succeeds",
    ),
    (Flaw::DeleteRemovesTheKey, "delete_leaves_other_generations"),
    (Flaw::DeleteForgets, "delete_removes"),
    (
        Flaw::DeleteForgets,
        "a_delete_dropped_at_each_poll_is_whole_or_nothing",
    ),
    (Flaw::ListSeesTwice, "list_sees_every_blob_once"),
    (Flaw::ListSkipsEmpty, "list_sees_every_blob_once"),
    (Flaw::ListEndsAt250, "list_sees_every_blob_once"),
    (Flaw::ListLiesOnLength, "list_sees_every_blob_once"),
    (Flaw::HeadLiesOnLength, "put_then_get_is_identical"),
    (Flaw::ListSeesGhosts, "list_of_an_empty_store_is_empty"),
    (
        Flaw::ReadersAreLeaked,
        "a_reader_dropped_early_does_no_harm",
    ),
    (Flaw::ListSeesGhosts, "list_follows_puts_and_deletes"),
    (
        Flaw::ListByOffset,
        "list_between_changes_keeps_what_is_stable",
    ),
    (Flaw::ListsAreLeaked, "a_list_dropped_early_does_no_harm"),
    (
        Flaw::ListsShareACursor,
        "lists_at_the_same_time_do_not_meet",
    ),
    (Flaw::TimesRunBackwards, "times_do_not_run_backwards"),
    (Flaw::RangesStartAtZero, "ranges_read_in_turns"),
    (
        Flaw::VariantsShareAName,
        "blobs_of_one_generation_are_distinct",
    ),
    (
        Flaw::OneConnection,
        "a_get_dropped_at_each_poll_does_no_harm",
    ),
    (
        Flaw::OneConnection,
        "a_read_dropped_at_each_poll_does_no_harm",
    ),
    (
        Flaw::OneConnection,
        "a_head_dropped_at_each_poll_does_no_harm",
    ),
    (
        Flaw::WritersAreLeaked,
        "p5_many_dropped_writers_leave_the_store_usable",
    ),
    (Flaw::SmallPiecesAreLost, "pieces_of_one_byte"),
    (
        Flaw::DeleteOfAbsentFails,
        "concurrent_deletes_of_one_blob_succeed",
    ),
];

#[test]
fn a_sound_blob_store_passes_every_trial() {
    assert_sound(cases(), || ModelBlobs::new(Flaw::None), |store| store);
}

#[test]
fn every_flaw_is_caught() {
    assert_caught(cases, CAUGHT, ModelBlobs::new, |store| store);
}

#[test]
fn every_trial_can_fail() {
    assert_all_can_fail(&cases(), CAUGHT);
}
