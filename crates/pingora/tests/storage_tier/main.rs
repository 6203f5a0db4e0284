//! What a storage may do to the tier on top of it.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use pingora_cache::{CacheKey, CacheMeta};
use terrace_core::{
    Applied, Committed, ErrorKind, Hit, Key, Lookup, NoTier, OsRandom, PurgeOutcome, Target, Tier,
    Timestamp,
};
use terrace_memory::MemoryTier;
use terrace_pingora::{MAX_RECORD_BYTES, StorageTier};
use terrace_testkit::sample::{Object, body, key};
use terrace_tiers::{Intent, MultiTier, TokioRuntime};

use odd::{OPEN, odd};

mod odd;

fn tier_over<S: Storage + Sync + ?Sized>(storage: &'static S) -> StorageTier<S> {
    StorageTier::new(storage, &OsRandom)
}

async fn hit(tier: &dyn Tier, key: &Key) -> Option<Hit> {
    match tier.lookup(key).await.unwrap() {
        Lookup::Hit(hit) => Some(hit),
        Lookup::Miss(_) => None,
    }
}

async fn store(tier: &dyn Tier, key: &Key, object: &Object) {
    assert_eq!(object.store(tier, key).await.unwrap(), Committed::Published);
}

#[tokio::test]
async fn what_another_tier_value_wrote_is_a_miss_until_it_is_replaced() {
    let storage = odd(0, true, OPEN);
    let before = tier_over(storage);
    store(&before, &key(1), &Object::new(100, 1)).await;
    // As after a restart: nobody remembers what was purged.
    let after = tier_over(storage);
    assert!(hit(&after, &key(1)).await.is_none());
    store(&after, &key(1), &Object::new(100, 2)).await;
    assert!(hit(&after, &key(1)).await.is_some());
    assert!(hit(&before, &key(1)).await.is_none());
}

#[tokio::test]
async fn what_pingora_itself_stored_is_a_miss() {
    let storage = odd(0, true, OPEN);
    let mut theirs = CacheKey::new("", "");
    theirs.set_primary_bin_override(*key(1).primary().as_bytes());
    let header = pingora_http::ResponseHeader::build(200, None).unwrap();
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let meta = CacheMeta::new(epoch, epoch, 0, 0, header);
    let span = Span::inactive().handle();
    let fill = storage
        .get_miss_handler(&theirs, &meta, &span)
        .await
        .unwrap();
    fill.finish().await.unwrap();
    let tier = tier_over(storage);
    assert!(hit(&tier, &key(1)).await.is_none());
    let outcome = tier.purge(&Target::Key(key(1))).await.unwrap();
    assert_eq!(outcome, PurgeOutcome::NotFound);
    let gone = storage.lookup(&theirs, &span).await.unwrap();
    assert!(gone.is_none(), "a purge leaves nothing behind");
}

#[tokio::test]
async fn p10_an_object_of_another_key_is_a_miss() {
    let storage = odd(0, true, OPEN);
    let tier = tier_over(storage);
    store(&tier, &key(1), &Object::new(100, 1)).await;
    let mut first = CacheKey::new("", "");
    first.set_primary_bin_override(*key(1).primary().as_bytes());
    storage.mixes_up.set(first).unwrap();
    assert!(hit(&tier, &key(1)).await.is_some());
    assert!(hit(&tier, &key(2)).await.is_none());
}

#[tokio::test]
async fn a_failing_storage_is_a_failing_tier_with_the_cause_kept() {
    let storage = odd(0, true, OPEN);
    let tier = tier_over(storage);
    store(&tier, &key(1), &Object::new(100, 1)).await;
    let mut found = hit(&tier, &key(1)).await.unwrap();
    storage.fails.store(true, Ordering::Relaxed);

    let object = Object::new(100, 2);
    let target = Target::Key(key(1));
    let errors = [
        tier.lookup(&key(1)).await.err(),
        tier.purge(&target).await.err(),
        tier.expire(&target, Timestamp::EPOCH).await.err(),
        tier.update_meta(&key(1), object.generation(), object.entry.meta.clone())
            .await
            .err(),
        object.store(&tier, &key(1)).await.err(),
        found.body.read().await.err(),
    ];
    for error in errors {
        let error = error.expect("the storage fails");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.source().unwrap().to_string().contains("on fire"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_purge_that_failed_voids_fences_all_the_same() {
    let storage = odd(0, true, OPEN);
    let tier = tier_over(storage);
    let fence = tier.fence(&key(1)).await.unwrap();
    storage.fails.store(true, Ordering::Relaxed);
    tier.purge(&Target::Key(key(1))).await.unwrap_err();
    storage.fails.store(false, Ordering::Relaxed);
    let late = Object::new(100, 1).store_under(&tier, &key(1), fence).await;
    assert_eq!(late.unwrap(), Committed::Fenced);
}

#[tokio::test]
async fn a_lost_answer_may_have_been_a_success() {
    let storage = odd(0, true, OPEN);
    let tier = tier_over(storage);
    storage.loses_its_answer.store(true, Ordering::Relaxed);
    let error = Object::new(100, 1).store(&tier, &key(1)).await.unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown);
    assert!(
        hit(&tier, &key(1)).await.is_some(),
        "whole, as the trait allows"
    );
}

#[tokio::test]
async fn a_body_of_another_length_is_corrupt() {
    for length in [-3, 7] {
        let tier = tier_over(odd(length, true, OPEN));
        let object = Object::new(1000, 1);
        store(&tier, &key(1), &object).await;
        let mut found = hit(&tier, &key(1)).await.unwrap();
        if length > 0 {
            // Nobody asks for more than was stored.
            assert_eq!(found.body.read_all().await.unwrap(), object.body);
            continue;
        }
        let error = found.body.read_all().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(
            found.body.read().await.is_err(),
            "never a clean end after it"
        );
    }
}

#[tokio::test]
async fn a_storage_that_cannot_seek_says_so_and_reads_on() {
    let tier = tier_over(odd(0, false, OPEN));
    let object = Object::new(1000, 1);
    store(&tier, &key(1), &object).await;
    let mut found = hit(&tier, &key(1)).await.unwrap();
    let error = found.body.seek(10..20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(found.body.read_all().await.unwrap(), object.body);
}

#[tokio::test]
async fn too_large_is_refused_when_announced_and_when_written() {
    let tier = tier_over(odd(0, true, OPEN)).with_max_object_bytes(1000);
    store(&tier, &key(1), &Object::new(1000, 1)).await;
    let mut object = Object::new(1001, 2);
    let announced = object.store(&tier, &key(1)).await.unwrap_err();
    assert_eq!(announced.kind(), ErrorKind::Exhausted);
    object.entry.len = None;
    let written = object.store(&tier, &key(1)).await.unwrap_err();
    assert_eq!(written.kind(), ErrorKind::Exhausted);
    assert!(
        hit(&tier, &key(1)).await.is_some(),
        "the old object is untouched"
    );
}

#[tokio::test]
async fn all_fills_together_are_bounded_and_give_back_what_they_held() {
    let tier = tier_over(odd(0, true, OPEN)).with_filling_bytes(1000);
    let object = Object::new(600, 1);
    for _ in 0..3 {
        let fence = tier.fence(&key(1)).await.unwrap();
        let entry = object.entry.clone();
        let mut first = tier.admit(&key(1), entry, fence).await.unwrap();
        first.write(object.body.clone()).await.unwrap();
        let error = Object::new(600, 2).store(&tier, &key(2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        drop(first);
        store(&tier, &key(2), &Object::new(600, 2)).await;
    }
}

#[tokio::test]
async fn metadata_a_storage_could_not_read_back_is_refused() {
    let tier = tier_over(odd(0, true, OPEN));
    let mut object = Object::new(10, 1);
    object.entry.meta.header = body(MAX_RECORD_BYTES - 2000, 1);
    store(&tier, &key(1), &object).await;
    assert_eq!(hit(&tier, &key(1)).await.unwrap().meta, object.entry.meta);

    let mut larger = Object::new(10, 2);
    larger.entry.meta.header = body(MAX_RECORD_BYTES, 1);
    let error = larger.store(&tier, &key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    let meta = larger.entry.meta;
    let error = tier
        .update_meta(&key(1), object.generation(), meta)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert_eq!(hit(&tier, &key(1)).await.unwrap().meta, object.entry.meta);
}

#[tokio::test]
async fn nobody_sees_or_purges_half_a_commit() {
    let key = key(1);
    let storage = odd(0, true, OPEN);
    let tier = tier_over(storage);
    store(&tier, &key, &Object::new(100, 1)).await;
    storage.gate.forget_permits(OPEN);

    let new = Object::new(100, 2);
    let mut commit = Box::pin(new.store(&tier, &key));
    assert!(
        matches!(futures::poll!(&mut commit), Poll::Pending),
        "it waits in the storage"
    );
    // The storage would answer with its partial write now.
    let mut looked = Box::pin(tier.lookup(&key));
    assert!(matches!(futures::poll!(&mut looked), Poll::Pending));
    let target = Target::Key(key);
    let mut purged = Box::pin(tier.purge(&target));
    assert!(matches!(futures::poll!(&mut purged), Poll::Pending));

    storage.gate.add_permits(1);
    assert_eq!(commit.await.unwrap(), Committed::Published);
    let Lookup::Hit(mut found) = looked.await.unwrap() else {
        panic!("the commit came first");
    };
    assert_eq!(found.body.read_all().await.unwrap(), new.body);
    let outcome = purged.await.unwrap();
    assert_eq!(outcome, PurgeOutcome::Purged(new.generation()));
    assert!(hit(&tier, &key).await.is_none());
}

#[tokio::test]
async fn a_commit_that_is_dropped_in_the_storage_leaves_the_old_object() {
    let key = key(1);
    let storage = odd(0, true, OPEN);
    let tier = tier_over(storage);
    let old = Object::new(100, 1);
    store(&tier, &key, &old).await;
    storage.gate.forget_permits(OPEN);
    let new = Object::new(100, 2);
    let mut commit = Box::pin(new.store(&tier, &key));
    assert!(matches!(futures::poll!(&mut commit), Poll::Pending));
    drop(commit);
    let mut found = hit(&tier, &key).await.unwrap();
    assert_eq!(found.body.read_all().await.unwrap(), old.body);
}

#[tokio::test]
async fn any_storage_serves_as_the_last_tier_of_a_stack() {
    let storage: &'static (dyn Storage + Sync) = odd(0, true, OPEN);
    let multi: MultiTier<MemoryTier, NoTier, NoTier, StorageTier> =
        MultiTier::builder(tier_over(storage))
            .l0(MemoryTier::new(1 << 20))
            .runtime(Arc::new(TokioRuntime::current()))
            .build()
            .unwrap();
    let stack = multi.stack();
    let object = Object::new(50_000, 1);
    let mut filling = stack
        .fill(&key(1), object.entry.meta.clone(), None, None)
        .await;
    filling.write(object.body.clone()).await;
    filling.finish().await;
    assert!(stack.drain(std::time::Duration::from_mins(1)).await);
    for expected in ["L0", "L3", "L0"] {
        let mut found = stack
            .lookup(&key(1), Intent::Serve)
            .await
            .hit
            .expect(expected);
        assert_eq!(found.source.as_str(), expected);
        let mut read = Vec::new();
        while let Some(piece) = found.body.read().await.unwrap() {
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, object.body);
        drop(found);
        assert!(stack.drain(std::time::Duration::from_mins(1)).await);
        if expected == "L0" {
            stack.evict(&Target::Key(key(1))).await;
        }
    }
}
