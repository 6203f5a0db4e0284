use super::{assert_all_can_fail, assert_caught, assert_sound};
use crate::tier::cases;

use caught::CAUGHT;

pub(super) use model::ModelTier;

mod body;
mod caught;
mod fill;
mod model;

/// A mistake a tier may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    IgnoresFences,
    FencesAreCheckedAtAdmit,
    FencesOfNothingSurvive,
    FencesAreOfKeys,
    FencesSurviveBesideOthers,
    GroupIsThePrimarySlot,
    KeyPurgeTakesTheGroup,
    PurgeAlwaysFinds,
    PurgeNeverFinds,
    PurgeIgnoresGeneration,
    PurgeRemovesThenVoids,
    CommitChecksThenWrites,
    CommitReplacesInTwoSteps,
    CommitLeavesAGap,
    CommitIgnoresChecksums,
    CommitChecksLengthOnly,
    RefusedCommitRemoves,
    AdmitPublishes,
    AdmitRemoves,
    DropPublishes,
    FillsShareABuffer,
    EmptyPieceEnds,
    LengthMustBeAnnounced,
    LargeHeadersAreCut,
    TagsAreLost,
    StaleIsAMiss,
    VarianceIsIgnored,
    BodiesFollowTheKey,
    BodiesEndWithTheirObject,
    BodiesEndEarly,
    SeekIgnoresTheEnd,
    SeekOnlyForwards,
    SeekClamps,
    FailedSeekMoves,
    ExpireRemoves,
    ExpireForgets,
    ExpireKeepsTheLast,
    ExpireKeepsFences,
    ExpireIgnoresGeneration,
    ExpiryOutlivesTheObject,
    UpdateMetaIgnoresGeneration,
    UpdateMetaKeepsExpiry,
    UpdateMetaClearsTheGroup,
    UpdateMetaCallsBack,
    UpdateMetaWritesBack,
    UpdateMetaRemovesFirst,
    LeaksOnCancel,
    OneConnection,
    BodiesHoldConnections,
    AbsentIsEmpty,
    CommitForgets,
    CommitSaysFenced,
    PurgeTearsFirst,
    PurgeRemovesTwo,
    PurgeOfGenerationForgets,
    ExpireCallsBack,
    ExpireKeepsTheFirst,
    UpdateMetaForgets,
    UpdateMetaOnce,
    UpdateMetaOfAll,
    UpdateMetaAlwaysAgrees,
    OlderIsIgnored,
    OlderMetaIsIgnored,
    NewerIsNotPurged,
    ExpireIsAtOnce,
    SaysMemory,
    CopiesReplaceAnything,
}

#[test]
fn a_sound_tier_passes_every_trial() {
    assert_sound(cases(), || ModelTier::new(Flaw::None), |tier| tier);
}

#[test]
fn every_flaw_is_caught() {
    assert_caught(cases, CAUGHT, ModelTier::new, |tier| tier);
}

#[test]
fn every_trial_can_fail() {
    assert_all_can_fail(&cases(), CAUGHT);
}
