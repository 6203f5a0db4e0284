use std::sync::atomic::{AtomicU64, Ordering};

use futures::executor::block_on;

use super::*;

#[derive(Debug, Default)]
struct ManualClock(AtomicU64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn record(version: u64, retain_until: u64) -> Record {
    Record {
        version: Version::from_u64(version).unwrap(),
        retain_until: Timestamp::from_millis(retain_until),
        manifest: Bytes::from_static(b"manifest"),
    }
}

#[test]
fn a_record_counts_as_absent_in_every_method_from_retain_until_on() {
    let clock = Arc::new(ManualClock::default());
    let store = InMemoryIndexStore::new(clock.clone());
    let key = Key::named("a");
    let old = record(1, 10);
    block_on(async {
        assert_eq!(store.put_new(&key, &old).await.unwrap(), Cas::Applied);
        clock.0.store(9, Ordering::SeqCst);
        assert_eq!(store.get(&key).await.unwrap().as_ref(), Some(&old));
        clock.0.store(10, Ordering::SeqCst);

        assert_eq!(store.get(&key).await.unwrap(), None);
        assert!(store.scan(None, 10).await.unwrap().records.is_empty());
        let update = store.cas_update(&key, old.version, &record(2, 99)).await;
        assert_eq!(update.unwrap(), Cas::Conflict);
        let touch = store.touch_ttl(&key, old.version, Timestamp::MAX).await;
        assert_eq!(touch.unwrap(), Cas::Conflict);
        let delete = store.delete(&key, old.version).await;
        assert_eq!(delete.unwrap(), Cas::Conflict);
        let new = store.put_new(&key, &record(3, 99)).await;
        assert_eq!(new.unwrap(), Cas::Applied);
    });
}

#[test]
fn bounds_are_kept_and_expired_records_make_room() {
    let clock = Arc::new(ManualClock::default());
    let store = InMemoryIndexStore::new(clock.clone())
        .with_max_records(1)
        .with_max_record_bytes(8);
    block_on(async {
        let put = store.put_new(&Key::named("a"), &record(1, 10)).await;
        assert_eq!(put.unwrap(), Cas::Applied);
        let put = store.put_new(&Key::named("b"), &record(1, 20)).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Exhausted);
        clock.0.store(10, Ordering::SeqCst);
        let put = store.put_new(&Key::named("b"), &record(1, 20)).await;
        assert_eq!(put.unwrap(), Cas::Applied);

        let mut large = record(2, 20);
        large.manifest = Bytes::from_static(b"nine byte");
        let key = Key::named("b");
        let update = store.cas_update(&key, record(1, 0).version, &large).await;
        assert_eq!(update.unwrap_err().kind(), ErrorKind::Exhausted);
    });
}

#[test]
fn a_scan_survives_the_loss_of_the_record_its_cursor_names() {
    let store = InMemoryIndexStore::new(Arc::new(ManualClock::default()));
    block_on(async {
        for name in ["a", "b", "c"] {
            let put = store.put_new(&Key::named(name), &record(1, 10)).await;
            assert_eq!(put.unwrap(), Cas::Applied);
        }
        let first = store.scan(None, 2).await.unwrap();
        let (last, found) = first.records.last().unwrap();
        let delete = store.delete(last, found.version).await;
        assert_eq!(delete.unwrap(), Cas::Applied);

        let second = store.scan(first.next.as_ref(), 2).await.unwrap();
        assert_eq!((first.records.len(), second.records.len()), (2, 1));
        assert_eq!(second.next, None);
        let foreign = store.scan(Some(&Cursor::new("../")), 2).await;
        assert_eq!(foreign.unwrap_err().kind(), ErrorKind::Invalid);
    });
}
