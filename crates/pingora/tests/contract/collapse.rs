//! Many ask for what is not stored yet; the origin is asked once.

use std::time::Duration;

use pingora_cache::CacheKey;
use pingora_cache::lock::{CacheKeyLock, LockStatus, Locked, WritePermit};
use pingora_cache::storage::Storage;
use terrace_pingora::{CollapseLock, RequestSlot};

use crate::rig::{Rig, page, span, url};

fn request() -> CacheKey {
    let mut key = url("page");
    key.extensions.insert(RequestSlot::new());
    key
}

fn lock(rig: &Rig) -> CollapseLock {
    CollapseLock::new(rig.storage, Duration::from_mins(1))
}

fn write(locked: Locked) -> WritePermit {
    match locked {
        Locked::Write(permit) => permit,
        Locked::Read(_) => panic!("somebody else has the lock"),
    }
}

/// The status of a lock that has to be waited for.
fn awaited(locked: &Locked) -> Option<LockStatus> {
    match locked {
        Locked::Write(_) => None,
        Locked::Read(read) => Some(read.lock_status()),
    }
}

#[tokio::test]
async fn one_of_those_that_found_nothing_asks_and_the_others_wait() {
    let (rig, first, second) = (Rig::new(), request(), request());
    let lock = lock(&rig);
    assert!(rig.lookup(&first).await.is_none());
    assert!(rig.lookup(&second).await.is_none());
    let permit = write(lock.lock(&first, false));
    assert_eq!(
        awaited(&lock.lock(&second, false)),
        Some(LockStatus::Waiting)
    );
    lock.release(&first, permit, LockStatus::Done);
}

#[tokio::test]
async fn one_that_locks_when_the_answer_has_just_come_looks_again() {
    let (rig, early, late) = (Rig::new(), request(), request());
    let lock = lock(&rig);
    assert!(rig.lookup(&late).await.is_none());

    // Before it goes on to lock, all of this happens.
    assert!(rig.lookup(&early).await.is_none());
    let permit = write(lock.lock(&early, false));
    let mut fill = rig.begin(&early, &page(Some(4))).await;
    lock.release(&early, permit, LockStatus::Done);

    assert_eq!(awaited(&lock.lock(&late, false)), Some(LockStatus::Done));
    assert!(rig.lookup(&late).await.is_some());
    fill.write_body("body".into(), true).await.unwrap();
    fill.finish().await.unwrap();
}

#[tokio::test]
async fn so_does_one_that_would_confirm_what_was_just_confirmed() {
    let (rig, early, late) = (Rig::new(), request(), request());
    let lock = lock(&rig);
    rig.store(&early, b"body").await;
    let soft = rig.storage.purge_all_variants(&early, true).await;
    assert!(soft.unwrap());
    rig.hit(&late).await;
    let permit = write(lock.lock(&late, true));
    lock.release(&late, permit, LockStatus::TransientError);

    let (old, _) = rig.hit(&early).await;
    let mut new = page(Some(4));
    *new.extensions_mut() = old.extensions().clone();
    let updated = rig.storage.update_meta(&early, &new, &span()).await;
    assert!(updated.unwrap());
    assert_eq!(awaited(&lock.lock(&late, true)), Some(LockStatus::Done));
}
