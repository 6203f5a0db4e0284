use super::Flaw;

/// Each flaw, with a trial that fails because of it.
pub(super) const CAUGHT: &[(Flaw, &str)] = &[
    (Flaw::IgnoresFences, "p3_purge_voids_the_fence_of_a_miss"),
    (Flaw::IgnoresFences, "p3_purge_voids_the_fence_of_a_hit"),
    (
        Flaw::IgnoresFences,
        "p3_purge_voids_a_fence_taken_without_lookup",
    ),
    (
        Flaw::IgnoresFences,
        "p3_purge_of_the_current_generation_voids_fences",
    ),
    (Flaw::IgnoresFences, "p3_a_purge_racing_with_32_fills"),
    (Flaw::IgnoresFences, "p3_an_expire_racing_with_32_fills"),
    (
        Flaw::FencesAreCheckedAtAdmit,
        "p3_purge_voids_a_fill_that_is_under_way",
    ),
    (
        Flaw::FencesAreCheckedAtAdmit,
        "p3_purge_of_all_variants_voids_fills_that_are_under_way",
    ),
    (
        Flaw::FencesOfNothingSurvive,
        "p3_purge_voids_the_fence_of_a_miss",
    ),
    (
        Flaw::FencesOfNothingSurvive,
        "p3_a_repeated_purge_voids_fences_again",
    ),
    (
        Flaw::FencesAreOfKeys,
        "p3_purge_of_all_variants_voids_fences_of_variants_never_seen",
    ),
    (
        Flaw::FencesAreOfKeys,
        "p3_expire_of_all_variants_voids_fences_of_variants_never_seen",
    ),
    (
        Flaw::FencesAreOfKeys,
        "p3_a_purge_of_all_variants_racing_with_32_fills",
    ),
    (
        Flaw::FencesAreOfKeys,
        "a_purge_of_all_variants_dropped_at_each_poll_can_be_repeated",
    ),
    (
        Flaw::FencesSurviveBesideOthers,
        "p3_a_purge_of_one_variant_voids_its_fences_where_others_stay",
    ),
    (
        Flaw::FencesSurviveBesideOthers,
        "p3_a_purge_of_one_variant_voids_its_fill_where_others_stay",
    ),
    (
        Flaw::GroupIsThePrimarySlot,
        "purge_of_all_variants_removes_all",
    ),
    (
        Flaw::GroupIsThePrimarySlot,
        "purge_of_all_variants_where_the_primary_slot_is_empty",
    ),
    (
        Flaw::GroupIsThePrimarySlot,
        "p6_expire_of_all_variants_marks_all",
    ),
    (
        Flaw::GroupIsThePrimarySlot,
        "a_group_can_be_filled_and_purged_again_and_again",
    ),
    (
        Flaw::KeyPurgeTakesTheGroup,
        "purge_of_the_primary_slot_leaves_its_variants",
    ),
    (
        Flaw::KeyPurgeTakesTheGroup,
        "purge_of_a_variant_leaves_the_rest_of_its_group",
    ),
    (Flaw::KeyPurgeTakesTheGroup, "expire_leaves_other_keys"),
    (Flaw::PurgeAlwaysFinds, "purge_of_nothing_is_not_found"),
    (
        Flaw::PurgeAlwaysFinds,
        "purge_of_all_variants_of_nothing_is_not_found",
    ),
    (Flaw::PurgeAlwaysFinds, "expire_of_nothing_is_not_found"),
    (Flaw::PurgeNeverFinds, "purge_removes"),
    (Flaw::PurgeNeverFinds, "concurrent_purges_all_succeed"),
    (Flaw::PurgeNeverFinds, "purge_removes_what_was_expired"),
    (
        Flaw::PurgeIgnoresGeneration,
        "purge_of_another_generation_leaves_the_object",
    ),
    (
        Flaw::PurgeRemovesThenVoids,
        "p3_a_purge_racing_with_32_fills",
    ),
    (
        Flaw::CommitChecksThenWrites,
        "p3_a_purge_racing_with_32_fills",
    ),
    (
        Flaw::CommitChecksThenWrites,
        "p3_a_purge_of_all_variants_racing_with_32_fills",
    ),
    (
        Flaw::CommitReplacesInTwoSteps,
        "p1_readers_racing_with_replacements",
    ),
    (
        Flaw::CommitReplacesInTwoSteps,
        "p1_a_replacing_commit_dropped_at_each_poll_is_before_or_after",
    ),
    (
        Flaw::CommitReplacesInTwoSteps,
        "p1_a_commit_dropped_at_each_poll_is_whole_or_nothing",
    ),
    (
        Flaw::CommitLeavesAGap,
        "p1_readers_racing_with_replacements",
    ),
    (
        Flaw::CommitIgnoresChecksums,
        "p2_a_commit_of_other_bytes_is_invalid_and_invisible",
    ),
    (
        Flaw::CommitIgnoresChecksums,
        "p2_a_commit_of_another_length_is_invalid_and_invisible",
    ),
    (
        Flaw::CommitIgnoresChecksums,
        "p2_a_refused_commit_leaves_the_old_object",
    ),
    (
        Flaw::CommitChecksLengthOnly,
        "p2_a_commit_of_other_bytes_is_invalid_and_invisible",
    ),
    (
        Flaw::RefusedCommitRemoves,
        "p2_a_refused_commit_leaves_the_old_object",
    ),
    (Flaw::AdmitPublishes, "p5_invisible_before_commit"),
    (
        Flaw::AdmitPublishes,
        "p5_an_admit_dropped_at_each_poll_publishes_nothing",
    ),
    (
        Flaw::AdmitRemoves,
        "p5_a_dropped_fill_leaves_the_old_object",
    ),
    (Flaw::DropPublishes, "p5_a_dropped_fill_is_invisible"),
    (
        Flaw::DropPublishes,
        "p5_a_dropped_fill_leaves_the_old_object",
    ),
    (
        Flaw::DropPublishes,
        "p5_a_write_dropped_at_each_poll_publishes_nothing",
    ),
    (Flaw::FillsShareABuffer, "two_fills_interleaved_do_not_mix"),
    (Flaw::EmptyPieceEnds, "empty_pieces_are_nothing"),
    (Flaw::LengthMustBeAnnounced, "an_unannounced_length_is_fine"),
    (Flaw::LargeHeadersAreCut, "metadata_of_every_kind_survives"),
    (Flaw::TagsAreLost, "p1_a_hit_is_what_was_written"),
    (Flaw::StaleIsAMiss, "a_stale_object_is_a_hit"),
    (Flaw::VarianceIsIgnored, "keys_and_variants_are_distinct"),
    (
        Flaw::BodiesFollowTheKey,
        "p1_a_body_that_is_replaced_under_its_reader",
    ),
    (
        Flaw::BodiesFollowTheKey,
        "p1_a_range_of_a_body_that_is_replaced_under_its_reader",
    ),
    (
        Flaw::BodiesEndWithTheirObject,
        "p1_a_body_that_is_purged_under_its_reader",
    ),
    (Flaw::BodiesEndEarly, "p1_a_hit_is_what_was_written"),
    (Flaw::BodiesEndEarly, "p1_bodies_around_every_block_size"),
    (
        Flaw::BodiesEndEarly,
        "p1_concurrent_readers_see_the_same_bytes",
    ),
    (Flaw::SeekIgnoresTheEnd, "ranges_forwards"),
    (Flaw::SeekClamps, "ranges_of_an_empty_body"),
    (Flaw::SeekOnlyForwards, "ranges_backwards"),
    (Flaw::SeekOnlyForwards, "ranges_of_every_kind_on_one_body"),
    (Flaw::SeekOnlyForwards, "a_seek_in_the_middle_of_reading"),
    (
        Flaw::SeekClamps,
        "a_seek_that_leaves_the_body_is_invalid_and_changes_nothing",
    ),
    (
        Flaw::FailedSeekMoves,
        "a_seek_that_leaves_the_body_is_invalid_and_changes_nothing",
    ),
    (
        Flaw::ExpireRemoves,
        "p6_expire_marks_stale_and_keeps_the_body",
    ),
    (
        Flaw::ExpireRemoves,
        "an_expire_dropped_at_each_poll_is_before_or_after",
    ),
    (
        Flaw::ExpireForgets,
        "p6_expire_marks_stale_and_keeps_the_body",
    ),
    (
        Flaw::ExpireForgets,
        "expire_of_the_current_generation_marks_it",
    ),
    (Flaw::ExpireForgets, "an_expire_after_update_meta_counts"),
    (
        Flaw::ExpireKeepsTheLast,
        "p6_a_later_expire_does_not_undo_an_earlier_one",
    ),
    (
        Flaw::ExpireKeepsTheLast,
        "p6_a_later_expire_of_all_variants_does_not_undo_an_earlier_one",
    ),
    (
        Flaw::ExpireKeepsTheLast,
        "p6_an_expire_of_all_variants_after_that_of_a_key",
    ),
    (
        Flaw::ExpireKeepsTheLast,
        "p6_an_expire_of_a_key_after_that_of_all_variants",
    ),
    (Flaw::ExpireKeepsFences, "p3_expire_voids_fences"),
    (Flaw::ExpireKeepsFences, "p3_an_expire_racing_with_32_fills"),
    (
        Flaw::ExpireIgnoresGeneration,
        "expire_of_another_generation_changes_nothing",
    ),
    (
        Flaw::ExpiryOutlivesTheObject,
        "a_fill_after_an_expire_is_fresh",
    ),
    (
        Flaw::ExpiryOutlivesTheObject,
        "a_fill_after_an_expire_of_all_variants_is_fresh",
    ),
    (
        Flaw::UpdateMetaIgnoresGeneration,
        "update_meta_of_another_generation_is_refused",
    ),
    (
        Flaw::UpdateMetaKeepsExpiry,
        "update_meta_clears_a_soft_purge",
    ),
    (
        Flaw::UpdateMetaKeepsExpiry,
        "an_expire_after_update_meta_counts",
    ),
    (
        Flaw::UpdateMetaClearsTheGroup,
        "update_meta_clears_a_soft_purge_of_all_variants_for_its_key_only",
    ),
    (
        Flaw::UpdateMetaCallsBack,
        "p3_update_meta_does_not_call_back_what_was_purged",
    ),
    (
        Flaw::UpdateMetaWritesBack,
        "p3_a_purge_racing_with_update_meta",
    ),
    (
        Flaw::UpdateMetaRemovesFirst,
        "an_update_meta_dropped_at_each_poll_is_before_or_after",
    ),
    (
        Flaw::LeaksOnCancel,
        "many_dropped_calls_leave_the_tier_usable",
    ),
    (
        Flaw::OneConnection,
        "a_lookup_dropped_at_each_poll_does_no_harm",
    ),
    (
        Flaw::BodiesHoldConnections,
        "a_read_dropped_at_each_poll_does_no_harm",
    ),
    (
        Flaw::BodiesHoldConnections,
        "bodies_dropped_unread_do_no_harm",
    ),
    (Flaw::AbsentIsEmpty, "an_absent_key_is_a_miss"),
    (
        Flaw::CommitForgets,
        "a_commit_under_a_fence_without_lookup_is_visible",
    ),
    (
        Flaw::CommitForgets,
        "a_commit_under_the_fence_of_a_miss_is_visible",
    ),
    (
        Flaw::CommitForgets,
        "a_commit_under_the_fence_of_a_hit_replaces",
    ),
    (Flaw::CommitForgets, "a_fill_after_a_purge_is_visible"),
    (Flaw::CommitForgets, "pieces_of_one_byte"),
    (
        Flaw::CommitSaysFenced,
        "two_fills_at_once_leave_one_of_them_whole",
    ),
    (
        Flaw::CommitSaysFenced,
        "p1_32_concurrent_fills_leave_one_whole_object",
    ),
    (
        Flaw::PurgeTearsFirst,
        "a_purge_dropped_at_each_poll_is_before_or_after",
    ),
    (Flaw::PurgeRemovesTwo, "purge_leaves_other_keys"),
    (
        Flaw::PurgeOfGenerationForgets,
        "purge_of_the_current_generation_removes_it",
    ),
    (
        Flaw::ExpireCallsBack,
        "expire_does_not_call_back_what_was_purged",
    ),
    (
        Flaw::ExpireKeepsTheFirst,
        "p6_an_earlier_expire_counts_although_it_came_later",
    ),
    (
        Flaw::UpdateMetaForgets,
        "update_meta_replaces_metadata_and_keeps_the_body",
    ),
    (Flaw::UpdateMetaOnce, "update_meta_many_times"),
    (Flaw::UpdateMetaOfAll, "update_meta_leaves_other_keys"),
    (
        Flaw::UpdateMetaAlwaysAgrees,
        "update_meta_of_nothing_is_refused",
    ),
    (
        Flaw::OlderIsIgnored,
        "a_commit_counts_whatever_its_clock_says",
    ),
    (
        Flaw::OlderMetaIsIgnored,
        "update_meta_counts_whatever_its_clock_says",
    ),
    (
        Flaw::NewerIsNotPurged,
        "p3_purge_counts_whatever_the_clock_of_the_fill_said",
    ),
    (
        Flaw::ExpireIsAtOnce,
        "p6_an_expire_ahead_of_time_counts_from_then_on",
    ),
    (
        Flaw::SaysMemory,
        "a_tier_that_says_it_is_memory_neither_waits_nor_fails",
    ),
    (
        Flaw::CommitSaysFenced,
        "a_copy_replaces_what_its_lookup_saw",
    ),
    (
        Flaw::CopiesReplaceAnything,
        "a_copy_made_after_a_miss_gives_way_to_a_fill",
    ),
    (
        Flaw::CopiesReplaceAnything,
        "a_copy_made_after_a_hit_gives_way_to_a_fill",
    ),
    (
        Flaw::CommitChecksThenWrites,
        "copies_racing_with_fills_give_way_to_them",
    ),
];
