use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use terrace_core::Level;

use super::*;
use crate::{AdmissionRule, Frequency, PolicyError, Refusal};

fn after(hits: u32) -> Promotion {
    Promotion::AfterHits(NonZeroU32::new(hits).unwrap())
}

fn candidate(len: Option<u64>, freshness: u64, requests: u32) -> Candidate {
    Candidate {
        len,
        freshness: Duration::from_secs(freshness),
        requests,
    }
}

#[test]
fn defaults_are_those_documented() {
    let policy = Policy::default();
    assert_eq!(
        Level::ALL.map(|level| policy.gate(level)),
        [2 << 20, 64 << 20, u64::MAX, u64::MAX]
    );
    assert!(!policy.durable_before_finish());
    assert!(!policy.counts_hits());
    assert!(!policy.counts_requests());
    assert!(policy.admits(&candidate(None, 0, 0)).is_admitted());
    assert_eq!(Policy::builder().build(), Ok(policy));
}

#[test]
fn there_are_six_edges_and_each_can_be_set_alone() {
    let edges = [
        (Level::L1, Level::L0),
        (Level::L2, Level::L0),
        (Level::L2, Level::L1),
        (Level::L3, Level::L0),
        (Level::L3, Level::L1),
        (Level::L3, Level::L2),
    ];
    for from in Level::ALL {
        for to in Level::ALL {
            let is_edge = edges.contains(&(from, to));
            assert_eq!(Policy::default().promotes(from, to, 1), is_edge);
            let built = Policy::builder()
                .promotion(from, to, Promotion::Never)
                .build();
            let Ok(policy) = built else {
                assert_eq!(built, Err(PolicyError::NotUpwards { from, to }));
                assert!(!is_edge);
                continue;
            };
            for edge in edges {
                assert_eq!(policy.promotes(edge.0, edge.1, 1), edge != (from, to));
            }
        }
    }
}

#[test]
fn a_promotion_waits_for_its_hits() {
    let policy = Policy::builder()
        .promotion(Level::L3, Level::L0, after(3))
        .build()
        .unwrap();
    assert!(policy.counts_hits());
    let promoted = [0, 1, 2, 3, 4].map(|hits| policy.promotes(Level::L3, Level::L0, hits));
    assert_eq!(promoted, [false, false, false, true, true]);
    assert!(policy.promotes(Level::L3, Level::L1, 0));
}

#[test]
fn after_one_hit_needs_no_counter() {
    let policy = Policy::builder().promotions(after(1)).build();
    assert_eq!(policy, Ok(Policy::default()));
}

#[test]
fn promotions_sets_all_and_single_edges_override_it() {
    let policy = Policy::builder()
        .promotions(Promotion::Never)
        .promotion(Level::L3, Level::L2, Promotion::OnStreamCommit)
        .build()
        .unwrap();
    let promoted: Vec<_> = Level::ALL
        .into_iter()
        .flat_map(|from| Level::ALL.map(|to| (from, to)))
        .filter(|&(from, to)| policy.promotes(from, to, u32::MAX))
        .collect();
    assert_eq!(promoted, [(Level::L3, Level::L2)]);
}

#[test]
fn all_admission_rules_must_hold() {
    let policy = Policy::builder()
        .l3_max(u64::MAX - 1)
        .l2_max(1 << 40)
        .admission(AdmissionRule::Always)
        .admission(AdmissionRule::MinFreshness(Duration::from_secs(10)))
        .admission(AdmissionRule::SecondRequest)
        .admission(AdmissionRule::MinFreshness(Duration::from_secs(5)))
        .build()
        .unwrap();
    assert!(policy.counts_requests());
    for (candidate, refusal) in [
        (candidate(Some(7), 10, 2), None),
        (candidate(None, 10, 2), None),
        (candidate(Some(7), 9, 2), Some(Refusal::ShortLived)),
        (candidate(Some(7), 10, 1), Some(Refusal::FirstRequest)),
        (candidate(Some(7), 0, 0), Some(Refusal::ShortLived)),
        (candidate(Some(u64::MAX), 10, 2), Some(Refusal::TooLarge)),
    ] {
        let expected = refusal.map_or(Admission::Admitted, Admission::Refused);
        assert_eq!(policy.admits(&candidate), expected, "{candidate:?}");
    }
}

#[test]
fn contradictions_are_refused_and_the_text_says_what_to_do() {
    let built = |builder: PolicyBuilder| builder.build().unwrap_err().to_string();
    for (text, advice) in [
        (
            built(Policy::builder().l0_max(65 << 20)),
            "raise L1's to at least 68157440",
        ),
        (
            built(Policy::builder().l2_max(1)),
            "lower L1's to at most 1",
        ),
        (built(Policy::builder().l3_max(1)), "raise L3's"),
        (
            built(Policy::builder().promotion(Level::L0, Level::L1, after(1))),
            "promotions lead upwards",
        ),
        (
            built(Policy::builder().promotions(after(Frequency::MAX_COUNT + 1))),
            "counted up to 255",
        ),
        (
            built(Policy::builder().admission(AdmissionRule::MinFreshness(Duration::ZERO))),
            "use AdmissionRule::Always",
        ),
    ] {
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
fn the_bounds_themselves_are_allowed() {
    let policy = Policy::builder()
        .l0_max(0)
        .l1_max(0)
        .promotions(after(Frequency::MAX_COUNT))
        .build()
        .unwrap();
    assert!(policy.fits(Level::L0, 0) && !policy.fits(Level::L0, 1));
    assert!(policy.promotes(Level::L1, Level::L0, Frequency::MAX_COUNT));
}

#[test]
fn the_first_contradiction_is_the_one_told() {
    let built = Policy::builder()
        .admission(AdmissionRule::MinFreshness(Duration::ZERO))
        .promotion(Level::L0, Level::L0, Promotion::Never)
        .l0_max(u64::MAX)
        .build();
    assert_eq!(built, Err(PolicyError::ZeroFreshness));
}

proptest! {
    #[test]
    fn a_built_policy_has_gates_that_do_not_shrink(gates: [u64; 4]) {
        let builder = Level::ALL
            .into_iter()
            .zip(gates)
            .fold(Policy::builder(), |builder, (level, gate)| builder.gate(level, gate));
        prop_assert_eq!(builder.build().is_ok(), gates.is_sorted());
    }

    /// What fits above fits below: a tier never holds what the tiers under it had to refuse.
    #[test]
    fn what_fits_a_tier_fits_those_below(mut gates: [u64; 4], len: u64) {
        gates.sort_unstable();
        let policy = Level::ALL
            .into_iter()
            .zip(gates)
            .fold(Policy::builder(), |builder, (level, gate)| builder.gate(level, gate))
            .build()
            .unwrap();
        let fits = Level::ALL.map(|level| policy.fits(level, len));
        prop_assert!(fits.is_sorted());
        prop_assert_eq!(
            policy.admits(&candidate(Some(len), 0, 0)).is_admitted(),
            policy.fits(Level::L3, len)
        );
    }

    #[test]
    fn more_hits_never_undo_a_promotion(n in 1_u32..=255, hits: u32, more: u32) {
        let policy = Policy::builder().promotions(after(n)).build().unwrap();
        let promoted = policy.promotes(Level::L2, Level::L1, hits);
        prop_assert_eq!(promoted, n == 1 || hits >= n);
        prop_assert!(!promoted || policy.promotes(Level::L2, Level::L1, hits.saturating_add(more)));
    }

    #[test]
    fn more_requests_and_freshness_never_undo_an_admission(
        least in 1_u64..100, freshness in 0_u64..200, requests: u32, more: u32,
    ) {
        let policy = Policy::builder()
            .admission(AdmissionRule::SecondRequest)
            .admission(AdmissionRule::MinFreshness(Duration::from_secs(least)))
            .build()
            .unwrap();
        let admitted = policy.admits(&candidate(None, freshness, requests)).is_admitted();
        prop_assert_eq!(admitted, freshness >= least && requests >= 2);
        let better = candidate(None, freshness + u64::from(more), requests.saturating_add(more));
        prop_assert!(!admitted || policy.admits(&better).is_admitted());
    }
}
