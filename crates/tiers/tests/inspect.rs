//! Looking at a key leaves no trace.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test code: a panic is a failure"
)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use support::{FAR, body, fill, get, memory, meta, two_tiers};
use terrace_core::{ErrorKind, Key, Level, Target, Tier};
use terrace_testkit::{Faults, Faulty, Op};
use terrace_tiers::{BreakerState, Inspection, Intent, Limits, Seen, Source};

/// `L0:held L3:nothing`.
fn told(inspection: &Inspection) -> String {
    let tiers = inspection.tiers.iter().map(|tier| {
        let found = match &tier.found {
            Seen::Held(_) => "held",
            Seen::Nothing => "nothing",
            Seen::NotAsked => "not asked",
            Seen::Failed(_) => "failed",
        };
        format!("{}:{found}", tier.level)
    });
    tiers.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_what_each_tier_holds_and_promotes_nothing() {
    let (l0, key, body) = (memory(), Key::named("k"), body(5000, 1));
    let tiers = two_tiers(Arc::clone(&l0), memory(), Limits::default());
    let stack = tiers.stack();
    assert_eq!(told(&stack.inspect(&key).await), "L0:nothing L3:nothing");
    fill(stack, &key, &body).await;
    let inspection = stack.inspect(&key).await;
    assert_eq!(told(&inspection), "L0:held L3:held");
    assert!(inspection.in_progress.is_none());
    for tier in &inspection.tiers {
        let Seen::Held(held) = &tier.found else {
            panic!("{tier:?}");
        };
        assert_eq!((held.len, held.meta.fresh_until), (Some(5000), FAR));
        assert_eq!(held.expired_at, None);
        assert_eq!(tier.breaker, BreakerState::Closed);
    }

    // A hit from L3 would be promoted; this is none.
    l0.purge(&Target::Key(key)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(told(&stack.inspect(&key).await), "L0:nothing L3:held");
    }
    assert!(l0.is_empty());
    assert_eq!(get(stack, &key).await.unwrap().0, Source::Tier(Level::L3));

    stack.expire(&Target::Key(key)).await.unwrap();
    let inspection = stack.inspect(&key).await;
    for tier in inspection.tiers {
        let is_expired = matches!(&tier.found, Seen::Held(held) if held.expired_at.is_some());
        assert!(is_expired, "{tier:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_on_its_way_is_told() {
    let key = Key::named("k");
    let tiers = two_tiers(memory(), memory(), Limits::default());
    let stack = tiers.stack();
    let ticket = stack.lookup(&key, Intent::Serve).await.ticket;
    let mut filling = stack.fill(&key, meta(), Some(20), Some(ticket)).await;
    filling.write(Bytes::from_static(b"0123456789")).await;
    let underway = stack.inspect(&key).await.in_progress.unwrap();
    assert_eq!(underway.generation, filling.generation());
    assert_eq!((underway.len, underway.received), (Some(20), 10));
    assert!(!underway.is_complete);
    drop(filling);
    assert!(stack.inspect(&key).await.in_progress.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_that_fails_is_told_and_looking_does_not_trip_its_breaker() {
    let (faults, key) = (Faults::new(), Key::named("k"));
    let failing = Faulty::new(memory(), faults.clone());
    let tiers = two_tiers(memory(), failing, Limits::default());
    let stack = tiers.stack();
    faults.on(Op::Lookup).fail(ErrorKind::Unavailable);
    for _ in 0..20 {
        assert_eq!(told(&stack.inspect(&key).await), "L0:nothing L3:failed");
    }
    assert_eq!(stack.health()[1].breaker, BreakerState::Closed);
    for _ in 0..5 {
        stack.lookup(&key, Intent::Serve).await;
    }
    let inspection = stack.inspect(&key).await;
    assert_eq!(told(&inspection), "L0:nothing L3:not asked");
    assert_eq!(inspection.tiers[1].breaker, BreakerState::Open);
}
