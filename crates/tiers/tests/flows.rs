//! The ways of an object through a stack of two tiers.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    clippy::disallowed_methods,
    reason = "test code: a panic is a failure, bodies are small, the runtime is the test's own"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use support::{FAR, body, fill, get, memory, meta, two_tiers};
use terrace_core::{Key, Level, Meta, PurgeOutcome, Target, Tier, Timestamp};
use terrace_testkit::{Faults, Faulty, Op};
use terrace_tiers::{Intent, Limits, Source};

const L0: Source = Source::Tier(Level::L0);
const L3: Source = Source::Tier(Level::L3);

#[tokio::test(flavor = "multi_thread")]
async fn a_filled_object_is_a_hit_above_and_after_a_restart_below_then_above_again() {
    for len in [0, 1, 100, 64 << 10, (2 << 20) - 1] {
        let (key, body, durable) = (Key::named("k"), body(len, 1), memory());
        let first = two_tiers(memory(), Arc::clone(&durable), Limits::default());
        fill(first.stack(), &key, &body).await;
        assert_eq!(
            get(first.stack(), &key).await,
            Some((L0, body.clone())),
            "{len} bytes"
        );

        let restarted = two_tiers(memory(), durable, Limits::default());
        assert_eq!(
            get(restarted.stack(), &key).await,
            Some((L3, body.clone())),
            "{len} bytes"
        );
        assert_eq!(
            get(restarted.stack(), &key).await,
            Some((L0, body)),
            "{len} bytes"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_gate_stays_below() {
    let (key, body) = (Key::named("k"), body(3 << 20, 2));
    let tiers = two_tiers(memory(), memory(), Limits::default());
    fill(tiers.stack(), &key, &body).await;
    for _ in 0..2 {
        assert_eq!(get(tiers.stack(), &key).await, Some((L3, body.clone())));
    }
    assert_eq!(tiers.l0().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_readers_follow_one_fill_from_its_first_byte() {
    let (key, body) = (Key::named("k"), body(20 << 20, 3));
    let tiers = two_tiers(memory(), memory(), Limits::default());
    let stack = tiers.stack();
    let ticket = stack.lookup(&key, Intent::Serve).await.ticket;
    let mut filling = stack.fill(&key, meta(), None, Some(ticket)).await;
    let own = stack.filling(filling.id()).unwrap();
    let mut hits = vec![own];
    for _ in 0..63 {
        hits.push(stack.lookup(&key, Intent::Serve).await.hit.unwrap());
    }
    let mut chunks = body.chunks(64 << 10).map(Bytes::copy_from_slice);
    filling.write(chunks.next().unwrap()).await;
    for hit in &mut hits {
        assert_eq!(hit.source, Source::Filling);
        let first = hit.body.read().await.unwrap().unwrap();
        assert_eq!(
            first,
            body[..64 << 10],
            "the first bytes come before the fill ends"
        );
    }
    let leaver = hits.pop();
    let readers = hits.into_iter().map(|mut hit| {
        tokio::task::spawn(async move {
            let mut read = vec![];
            while let Some(piece) = hit.body.read().await.unwrap() {
                read.extend_from_slice(&piece);
            }
            read
        })
    });
    let readers: Vec<_> = readers.collect();
    drop(leaver);
    for chunk in chunks {
        filling.write(chunk).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(filling.finish().await, body.len() as u64);
    for read in join_all(readers).await {
        assert_eq!(read.unwrap(), body[64 << 10..]);
    }
}

/// The lock that collapses requests is free once a fill has begun: whoever was still looking then must find it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_that_a_fill_overtakes_finds_it_all_the_same() {
    for (is_over, source) in [(false, Source::Filling), (true, L0)] {
        let (key, faults) = (Key::named("k"), Faults::new());
        let lower = Faulty::new(memory(), faults.clone());
        let tiers = two_tiers(memory(), lower, Limits::default());
        let stack = tiers.stack();
        let ticket = stack.lookup(&key, Intent::Serve).await.ticket;

        faults.on(Op::Lookup).first(1).hang_after();
        let looking = {
            let stack = stack.clone();
            tokio::task::spawn(async move { stack.lookup(&key, Intent::Serve).await })
        };
        faults.until_hanging(1).await;
        let mut filling = stack.fill(&key, meta(), None, Some(ticket)).await;
        filling.write(Bytes::from_static(b"body")).await;
        let filling = if is_over {
            filling.finish().await;
            None
        } else {
            Some(filling)
        };
        faults.release();
        let hit = looking.await.unwrap().hit.unwrap();
        assert_eq!(hit.source, source);
        drop(filling);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_p5_a_fill_that_breaks_off_gives_its_readers_an_error_and_leaves_nothing() {
    let key = Key::named("k");
    let tiers = two_tiers(memory(), memory(), Limits::default());
    let stack = tiers.stack();
    for announced in [None, Some(10)] {
        let mut filling = stack.fill(&key, meta(), announced, None).await;
        let mut reader = stack.lookup(&key, Intent::Serve).await.hit.unwrap().body;
        filling.write(Bytes::from_static(b"half")).await;
        assert_eq!(reader.read().await.unwrap().unwrap(), "half");
        match announced {
            None => drop(filling),
            // Fewer bytes than announced: the origin broke off although it said "end".
            Some(_) => assert_eq!(filling.finish().await, 4),
        }
        assert!(
            reader.read().await.is_err(),
            "a broken body must not end like a whole one"
        );
        assert!(stack.drain(Duration::from_mins(1)).await);
        assert!(stack.lookup(&key, Intent::Serve).await.hit.is_none());
        assert_eq!((tiers.l0().len(), tiers.l3().0.len()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seek_serves_ranges_and_is_never_promoted() {
    let (key, body, durable) = (Key::named("k"), body(1 << 20, 4), memory());
    fill(
        two_tiers(memory(), Arc::clone(&durable), Limits::default()).stack(),
        &key,
        &body,
    )
    .await;
    let tiers = two_tiers(memory(), durable, Limits::default());
    let mut hit = tiers.stack().lookup(&key, Intent::Serve).await.hit.unwrap();
    for range in [0..1, 500_000..600_000, 100..200, 1_048_575..1_048_576, 7..7] {
        hit.body.seek(range.clone()).unwrap();
        let mut read = vec![];
        while let Some(piece) = hit.body.read().await.unwrap() {
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, body[range.start as usize..range.end as usize]);
    }
    assert!(hit.body.seek(0..(1 << 20) + 1).is_err());
    assert_eq!(
        tiers.l0().len(),
        0,
        "a partial body must not be promoted as the whole"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_halfway_promotes_nothing() {
    let (key, body, durable) = (Key::named("k"), body(100, 5), memory());
    fill(
        two_tiers(memory(), Arc::clone(&durable), Limits::default()).stack(),
        &key,
        &body,
    )
    .await;
    let tiers = two_tiers(memory(), durable, Limits::default());
    drop(tiers.stack().lookup(&key, Intent::Serve).await);
    assert_eq!(tiers.l0().len(), 0);
    assert_eq!(
        get(tiers.stack(), &key).await,
        Some((L3, body)),
        "the claim was given back"
    );
    assert_eq!(tiers.l0().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_reaches_every_tier_and_every_body_in_progress() {
    let (key, body) = (Key::named("k"), body(1000, 6));
    let tiers = two_tiers(memory(), memory(), Limits::default());
    let stack = tiers.stack();
    fill(stack, &key, &body).await;
    assert!(matches!(
        stack.purge(&Target::Key(key)).await,
        Ok(PurgeOutcome::Purged(_))
    ));
    assert_eq!(
        stack.purge(&Target::Key(key)).await.unwrap(),
        PurgeOutcome::NotFound
    );
    assert_eq!(get(stack, &key).await, None);

    let ticket = stack.lookup(&key, Intent::Serve).await.ticket;
    let mut filling = stack.fill(&key, meta(), None, Some(ticket)).await;
    let mut reading = stack.lookup(&key, Intent::Serve).await.hit.unwrap().body;
    filling.write(body.clone()).await;
    stack
        .purge(&Target::AllVariants(key.primary()))
        .await
        .unwrap();
    assert!(
        stack.lookup(&key, Intent::Serve).await.hit.is_none(),
        "nobody joins a purged body"
    );
    filling.finish().await;
    assert_eq!(
        reading.read().await.unwrap().unwrap(),
        body,
        "who was reading reads on"
    );
    assert!(stack.drain(Duration::from_mins(1)).await);
    assert_eq!(get(stack, &key).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_fill_asked_for_before_a_purge_shares_and_stores_nothing_after_it() {
    let key = Key::named("k");
    let tiers = two_tiers(memory(), memory(), Limits::default());
    let stack = tiers.stack();
    let ticket = stack.lookup(&key, Intent::Serve).await.ticket;
    stack.purge(&Target::Key(key)).await.unwrap();
    // The origin's answer arrives only now, and was made before the purge.
    let mut filling = stack.fill(&key, meta(), None, Some(ticket)).await;
    assert!(stack.lookup(&key, Intent::Serve).await.hit.is_none());
    let mut own = stack.filling(filling.id()).unwrap();
    filling.write(body(10, 7)).await;
    filling.finish().await;
    assert_eq!(
        own.body.read().await.unwrap().unwrap(),
        body(10, 7),
        "its own client is served"
    );
    assert_eq!(own.body.read().await.unwrap(), None);
    assert!(stack.drain(Duration::from_mins(1)).await);
    assert_eq!(get(stack, &key).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_fill_after_a_hit_above_leaves_out_the_tiers_it_never_saw() {
    let (key, durable) = (Key::named("k"), memory());
    let ours = two_tiers(memory(), Arc::clone(&durable), Limits::default());
    let theirs = two_tiers(memory(), durable, Limits::default());
    fill(ours.stack(), &key, &body(10, 12)).await;
    // A fresh hit in memory ends the walk, but the client wants the origin to be asked all the same.
    let looked = ours.stack().lookup(&key, Intent::Serve).await;
    theirs.stack().purge(&Target::Key(key)).await.unwrap();
    let mut filling = ours
        .stack()
        .fill(&key, meta(), None, Some(looked.ticket))
        .await;
    filling.write(body(10, 13)).await;
    filling.finish().await;
    assert!(ours.stack().drain(Duration::from_mins(1)).await);
    assert_eq!(
        get(theirs.stack(), &key).await,
        None,
        "asked for before the purge"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_copy_above_gives_way_to_a_fresh_one_below() {
    let (key, durable) = (Key::named("k"), memory());
    let ours = two_tiers(memory(), Arc::clone(&durable), Limits::default());
    let theirs = two_tiers(memory(), durable, Limits::default());
    fill(ours.stack(), &key, &body(10, 8)).await;
    let hit = theirs
        .stack()
        .lookup(&key, Intent::Serve)
        .await
        .hit
        .unwrap();
    // Our node alone is told that it is stale; another node has revalidated it meanwhile.
    ours.l0()
        .expire(&Target::Key(key), Timestamp::EPOCH)
        .await
        .unwrap();
    let confirmed = Meta::new(Timestamp::from_millis(5), FAR);
    assert!(
        theirs
            .stack()
            .update_meta(&key, hit.generation, confirmed, None)
            .await
    );
    assert_eq!(get(ours.stack(), &key).await.unwrap().0, L3);
    assert_eq!(
        get(ours.stack(), &key).await.unwrap().0,
        L0,
        "promoted anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_soft_purge_marks_every_tier_stale_and_a_fill_replaces_it() {
    let key = Key::named("k");
    let tiers = two_tiers(memory(), memory(), Limits::default());
    let stack = tiers.stack();
    fill(stack, &key, &body(10, 9)).await;
    assert!(matches!(
        stack.expire(&Target::Key(key)).await,
        Ok(PurgeOutcome::Expired(_))
    ));
    let stale = stack.lookup(&key, Intent::Serve).await;
    assert!(stale.hit.unwrap().expired_at.is_some());
    fill(stack, &key, &body(10, 10)).await;
    assert_eq!(get(stack, &key).await, Some((L0, body(10, 10))));
}
