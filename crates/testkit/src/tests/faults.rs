use std::time::Duration;

use terrace_core::{
    Applied, BlobStore, Cas, Committed, ErrorKind, IndexStore, Lookup, Retry, Target, Tier,
};

use super::blob::ModelBlobs;
use super::index::ModelIndex;
use super::tier::ModelTier;
use super::{assert_sound, blob, index, tier};
use crate::sample::{Object, blob_name, body, key, record, version};
use crate::{Faults, Faulty, Op, drop_after};

fn faulty_tier() -> Faulty<ModelTier> {
    Faulty::new(ModelTier::new(tier::Flaw::None), Faults::new())
}

fn faulty_blobs() -> Faulty<ModelBlobs> {
    Faulty::new(ModelBlobs::new(blob::Flaw::None), Faults::new())
}

fn faulty_index() -> Faulty<ModelIndex> {
    Faulty::new(ModelIndex::new(index::Flaw::None), Faults::new())
}

async fn stored(tier: &dyn Tier, object: &Object) {
    let committed = object.store(tier, &key(1)).await.unwrap();
    assert_eq!(committed, Committed::Published);
}

#[test]
fn without_rules_nothing_changes() {
    assert_sound(crate::tier::cases(), faulty_tier, |tier| tier);
    assert_sound(crate::blob::cases(), faulty_blobs, |store| store);
    assert_sound(crate::index::cases(), faulty_index, |store| store);
}

#[tokio::test]
async fn a_failed_call_has_no_effect_and_says_so() {
    let store = faulty_index();
    store
        .faults()
        .on(Op::PutNew)
        .first(2)
        .fail(ErrorKind::Unavailable);
    for _ in 0..2 {
        let error = store.put_new(&key(1), &record(10, 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(
            (error.applied(), error.retry()),
            (Applied::No, Retry::Later)
        );
    }
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    let applied = store.put_new(&key(1), &record(10, 1)).await.unwrap();
    assert_eq!(applied, Cas::Applied);
    assert_eq!(store.faults().calls(Op::PutNew), 3);
    assert_eq!(store.faults().calls(Op::IndexGet), 1);
}

#[tokio::test]
async fn a_lost_request_and_a_lost_answer_look_alike() {
    let store = faulty_index();
    store
        .faults()
        .on(Op::PutNew)
        .nth(1)
        .lose_request(ErrorKind::Timeout);
    store
        .faults()
        .on(Op::PutNew)
        .nth(2)
        .lose_answer(ErrorKind::Timeout);
    for there in [None, Some(record(10, 1))] {
        let error = store.put_new(&key(1), &record(10, 1)).await.unwrap_err();
        assert_eq!(error.applied(), Applied::Unknown);
        assert_eq!(store.get(&key(1)).await.unwrap(), there);
    }
}

#[tokio::test]
async fn calls_are_counted_from_the_rule_on() {
    let tier = faulty_tier();
    tier.lookup(&key(1)).await.unwrap();
    tier.faults().on(Op::Lookup).nth(2).fail(ErrorKind::Timeout);
    tier.faults()
        .on(Op::Lookup)
        .after(3)
        .fail(ErrorKind::Denied);
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(tier.lookup(&key(1)).await.err().map(|e| e.kind()));
    }
    let denied = Some(ErrorKind::Denied);
    assert_eq!(
        kinds,
        [None, Some(ErrorKind::Timeout), None, denied, denied]
    );
    tier.faults().clear();
    assert!(tier.lookup(&key(1)).await.is_ok());
}

#[tokio::test]
async fn a_call_that_hangs_goes_on_when_it_is_released() {
    let tier = faulty_tier();
    let object = Object::new(100, 1);
    stored(&tier, &object).await;
    tier.faults().on(Op::Purge).hang();
    let target = Target::Key(key(1));
    let look = async {
        tier.faults().until_hanging(1).await;
        let before = tier.lookup(&key(1)).await.unwrap();
        assert!(matches!(before, Lookup::Hit(_)), "nothing is done yet");
        tier.faults().release();
    };
    let (purged, ()) = futures::join!(tier.purge(&target), look);
    assert_eq!(purged.unwrap().generation(), Some(object.generation()));
    assert_eq!(tier.faults().hanging(), 0);
}

#[tokio::test]
async fn a_call_may_hang_after_its_effect() {
    let tier = faulty_tier();
    tier.faults().on(Op::Commit).hang_after();
    let object = Object::new(100, 1);
    let look = async {
        tier.faults().until_hanging(1).await;
        let found = tier.lookup(&key(1)).await.unwrap();
        assert!(matches!(found, Lookup::Hit(_)), "it is done already");
        tier.faults().clear();
    };
    let key = key(1);
    let (committed, ()) = futures::join!(object.store(&tier, &key), look);
    assert_eq!(committed.unwrap(), Committed::Published);
}

#[tokio::test]
async fn a_hanging_call_that_is_dropped_hangs_no_more() {
    let tier = faulty_tier();
    tier.faults().on(Op::Lookup).hang();
    assert!(drop_after(1, tier.lookup(&key(1))).await.is_none());
    assert_eq!(tier.faults().hanging(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_of_tokios_time() {
    let tier = faulty_tier();
    tier.faults().on(Op::Lookup).delay(Duration::from_hours(1));
    let begun = tokio::time::Instant::now();
    tier.lookup(&key(1)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_hours(1));
}

#[tokio::test]
async fn reads_of_a_tier_are_spoilt() {
    let tier = faulty_tier();
    let object = Object::new(100_000, 1);
    stored(&tier, &object).await;
    let faults = tier.faults();
    faults.on(Op::Lookup).nth(1).flip_bit(70_000);
    faults.on(Op::Lookup).nth(2).end_early(70_000);
    faults
        .on(Op::Lookup)
        .nth(3)
        .die_at(70_000, ErrorKind::Unavailable);
    faults.on(Op::Lookup).nth(4).hang_at(70_000);
    let mut reads = Vec::new();
    for _ in 0..5 {
        let Lookup::Hit(mut hit) = tier.lookup(&key(1)).await.unwrap() else {
            panic!("it was stored");
        };
        let release = async {
            if faults.calls(Op::Lookup) == 4 {
                faults.until_hanging(1).await;
                faults.release();
            }
        };
        let (read, ()) = futures::join!(hit.body.read_all(), release);
        reads.push(read.map_err(|e| e.kind()));
    }
    let mut flipped = object.body.to_vec();
    flipped[70_000] ^= 1;
    assert_eq!(reads[0].as_deref(), Ok(&flipped[..]));
    assert_eq!(reads[1].as_deref(), Ok(&object.body[..70_000]));
    assert_eq!(reads[2].as_deref(), Err(&ErrorKind::Unavailable));
    assert_eq!(reads[3].as_deref(), Ok(&object.body[..]));
    assert_eq!(reads[4].as_deref(), Ok(&object.body[..]));
}

#[tokio::test]
async fn read_faults_stay_at_their_offset_when_a_body_is_sought() {
    let tier = faulty_tier();
    let object = Object::new(100_000, 1);
    stored(&tier, &object).await;
    tier.faults().on(Op::Lookup).flip_bit(70_000);
    let Lookup::Hit(mut hit) = tier.lookup(&key(1)).await.unwrap() else {
        panic!("it was stored");
    };
    for (range, spoilt) in [
        (60_000..70_000, false),
        (70_000..70_001, true),
        (70_001..100_000, false),
        (0..100_000, true),
    ] {
        hit.body.seek(range.clone()).unwrap();
        let read = hit.body.read_all().await.unwrap();
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert_eq!(read != object.body[range.clone()], spoilt, "{range:?}");
    }
}

#[tokio::test]
async fn reads_of_blobs_and_records_are_spoilt() {
    let blobs = faulty_blobs();
    let content = body(10, 1);
    let mut writer = blobs.put(&blob_name(1, 1)).await.unwrap();
    writer.write(content.clone()).await.unwrap();
    writer.finish().await.unwrap();
    blobs.faults().on(Op::BlobGet).end_early(8);
    let read = blobs.get(&blob_name(1, 1), 5..10).await.unwrap();
    let read: Vec<_> = futures::TryStreamExt::try_collect(read).await.unwrap();
    assert_eq!(read.concat(), content[5..8]);

    let index = faulty_index();
    let stored = record(100, 1);
    let applied = index.put_new(&key(1), &stored).await.unwrap();
    assert_eq!(applied, Cas::Applied);
    index.faults().on(Op::IndexGet).nth(1).flip_bit(50);
    index.faults().on(Op::IndexGet).nth(2).end_early(50);
    let flipped = index.get(&key(1)).await.unwrap().unwrap();
    assert_eq!(flipped.version, version(1));
    assert_eq!(flipped.manifest[50], stored.manifest[50] ^ 1);
    let cut = index.get(&key(1)).await.unwrap().unwrap();
    assert_eq!(cut.manifest, stored.manifest[..50]);
}

#[tokio::test]
async fn a_list_can_fail() {
    let blobs = faulty_blobs();
    blobs
        .faults()
        .on(Op::BlobList)
        .nth(1)
        .fail(ErrorKind::Unavailable);
    let listed: Vec<_> = futures::StreamExt::collect(blobs.list()).await;
    assert!(matches!(&listed[..], [Err(e)] if e.kind() == ErrorKind::Unavailable));
    let listed: Vec<_> = futures::StreamExt::collect(blobs.list()).await;
    assert!(listed.is_empty());
}
