use std::collections::VecDeque;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::{AdmissionRule, Promotion};

/// First in, first out, by number of objects: small enough to be followed by hand.
struct Fifo {
    capacity: usize,
    ids: VecDeque<u64>,
}

impl L0 for Fifo {
    fn get(&mut self, request: &Request) -> bool {
        self.ids.contains(&request.id)
    }

    fn insert(&mut self, request: &Request) {
        self.ids.push_back(request.id);
        if self.ids.len() > self.capacity {
            self.ids.pop_front();
        }
    }
}

fn fifo(capacity: usize) -> Fifo {
    Fifo {
        capacity,
        ids: VecDeque::new(),
    }
}

/// Requests for `ids`, one after the other; object n has 10 n bytes.
fn trace(ids: &[u64]) -> Vec<Request> {
    (0..)
        .zip(ids)
        .map(|(time, &id)| Request {
            time,
            id,
            size: 10 * id,
        })
        .collect()
}

/// Object 1 four times, 2 twice, 3 and 4 once.
const IDS: [u64; 8] = [1, 2, 1, 3, 1, 2, 4, 1];

fn tier(hits: u64, hit_bytes: u64, writes: u64, written_bytes: u64) -> TierReport {
    TierReport {
        hits,
        hit_bytes,
        writes,
        written_bytes,
    }
}

#[test]
fn always_writes_every_object_once_and_hits_ever_after() {
    let report = replay(trace(&IDS), &Policy::default(), &mut NoL0, Counting::Exact);
    // Writes 1, 2, 3, 4; hits 1 1 2 1.
    assert_eq!(report.durable, tier(4, 50, 4, 100));
    assert_eq!((report.requests, report.bytes, report.l0.hits), (8, 150, 0));
    assert!((report.hit_ratio() - 0.5).abs() < 1e-9);
    assert!((report.byte_hit_ratio() - 1.0 / 3.0).abs() < 1e-9);
}

#[test]
fn second_request_writes_on_the_second_and_hits_from_the_third() {
    let policy = Policy::builder()
        .admission(AdmissionRule::SecondRequest)
        .build()
        .unwrap();
    let report = replay(trace(&IDS), &policy, &mut NoL0, Counting::Exact);
    // Writes 1 (third request), 2 (sixth); hits 1 1.
    assert_eq!(report.durable, tier(2, 20, 2, 30));
}

#[test]
fn l0_answers_before_the_durable_tier_is_asked() {
    let report = replay(
        trace(&IDS),
        &Policy::default(),
        &mut fifo(2),
        Counting::Exact,
    );
    // L0 after each: 1 | 1 2 | hit | 2 3 | durable hit, 3 1 | durable hit, 1 2 | 2 4 | durable hit, 4 1.
    assert_eq!(report.l0, tier(1, 10, 7, 140));
    assert_eq!(report.durable, tier(3, 40, 4, 100));
}

#[test]
fn l0_is_told_of_no_hit_that_the_policy_does_not_promote() {
    let never = Policy::builder()
        .promotion(Level::L3, Level::L0, Promotion::Never)
        .build()
        .unwrap();
    let report = replay(trace(&IDS), &never, &mut fifo(2), Counting::Exact);
    // 1 | 1 2 | hit | 2 3 | durable hit | hit | 3 4 | durable hit.
    assert_eq!(report.l0, tier(2, 30, 4, 100));
    assert_eq!(report.durable, tier(2, 20, 4, 100));

    let after_two = Policy::builder()
        .promotion(
            Level::L3,
            Level::L0,
            Promotion::AfterHits(NonZeroU32::new(2).unwrap()),
        )
        .build()
        .unwrap();
    let report = replay(trace(&IDS), &after_two, &mut fifo(2), Counting::Exact);
    // As above, but the last hit is the object's second in the durable tier.
    assert_eq!(report.l0, tier(2, 30, 5, 110));
}

#[test]
fn gates_hold_for_fills_and_promotions() {
    let policy = Policy::builder().l0_max(10).build().unwrap();
    let report = replay(trace(&IDS), &policy, &mut fifo(2), Counting::Exact);
    // Only object 1 passes: it stays.
    assert_eq!(report.l0, tier(3, 30, 1, 10));
    assert_eq!(report.durable, tier(1, 20, 4, 100));
}

#[test]
fn an_empty_trace_has_ratios_of_zero() {
    let report = replay([], &Policy::default(), &mut NoL0, Counting::Exact);
    assert_eq!(report, Report::default());
    assert!(report.hit_ratio() < 1e-9 && report.byte_hit_ratio() < 1e-9);
}

proptest! {
    /// An unbounded tier under write-through turns L0 into a matter of speed, not of hits.
    #[test]
    fn the_hits_do_not_depend_on_l0_when_everything_is_written(
        ids in proptest::collection::vec(1_u64..20, 0..200),
        capacity in 1_usize..10,
    ) {
        let policy = Policy::default();
        let alone = replay(trace(&ids), &policy, &mut NoL0, Counting::Exact);
        let both = replay(trace(&ids), &policy, &mut fifo(capacity), Counting::Exact);
        prop_assert_eq!(alone.durable.hits, both.l0.hits + both.durable.hits);
        prop_assert_eq!(alone.durable.hit_bytes, both.l0.hit_bytes + both.durable.hit_bytes);
        prop_assert_eq!(alone.durable.writes, both.durable.writes);
    }

    #[test]
    fn waiting_for_a_second_request_trades_one_hit_per_write(
        ids in proptest::collection::vec(1_u64..20, 0..200),
    ) {
        let second = Policy::builder().admission(AdmissionRule::SecondRequest).build().unwrap();
        let always = replay(trace(&ids), &Policy::default(), &mut NoL0, Counting::Exact);
        let second = replay(trace(&ids), &second, &mut NoL0, Counting::Exact);
        prop_assert!(second.durable.writes <= always.durable.writes);
        prop_assert_eq!(always.durable.hits - second.durable.hits, second.durable.writes);
    }

    /// The sketch may over- or under-count, but never makes a write of nothing.
    #[test]
    fn a_sketch_changes_counts_within_what_the_trace_allows(
        ids in proptest::collection::vec(1_u64..20, 0..200),
        window in 1_usize..64,
    ) {
        let second = Policy::builder().admission(AdmissionRule::SecondRequest).build().unwrap();
        let counting = Counting::Sketch { window };
        let report = replay(trace(&ids), &second, &mut NoL0, counting);
        let always = replay(trace(&ids), &Policy::default(), &mut NoL0, Counting::Exact);
        prop_assert!(report.durable.writes <= always.durable.writes);
        prop_assert!(report.durable.hits + report.durable.writes <= report.requests);
    }
}
