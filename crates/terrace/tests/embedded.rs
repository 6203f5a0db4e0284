//! The embedded set through the facade alone, as a program that depends on nothing else would use it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use terrace::durable::{DurableTier, GcOptions};
use terrace::memory::MemoryTier;
use terrace::object_store::{LocalConfig, ObjectBlob};
use terrace::sqlite::{SqliteConfig, SqliteIndex};
use terrace::{
    Clock, Intent, Key, Level, Meta, MultiTier, NoTier, PurgeOutcome, Runtime, Source, SystemClock,
    Target, TokioRuntime,
};

type Tiers = MultiTier<MemoryTier, NoTier, NoTier, DurableTier<ObjectBlob, SqliteIndex>>;

const LONG: Duration = Duration::from_mins(1);

async fn open(data: &Path) -> Tiers {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::current());
    let bodies = ObjectBlob::local(data.join("bodies"), runtime.clone(), LocalConfig::default());
    let clock = Arc::new(SystemClock);
    let path = data.join("index.db");
    let index = SqliteIndex::open(path, runtime.clone(), clock, SqliteConfig::default());
    let durable = DurableTier::builder(bodies.await.unwrap(), index.await.unwrap());
    let tiers = MultiTier::builder(durable.build().unwrap()).l0(MemoryTier::new(16 << 20));
    tiers.runtime(runtime).build().unwrap()
}

async fn fill(tiers: &Tiers, key: &Key, body: &Bytes) {
    let now = SystemClock.now();
    let looked = tiers.stack().lookup(key, Intent::Serve).await;
    assert!(looked.hit.is_none());
    let meta = Meta::new(now, now.after(LONG));
    let len = Some(body.len() as u64);
    let mut filling = tiers
        .stack()
        .fill(key, meta, len, Some(looked.ticket))
        .await;
    filling.write(body.clone()).await;
    assert_eq!(filling.finish().await, body.len() as u64);
    assert!(tiers.stack().drain(LONG).await);
}

async fn read(tiers: &Tiers, key: &Key) -> Option<(Source, Bytes)> {
    let mut hit = tiers.stack().lookup(key, Intent::Serve).await.hit?;
    let mut body = Vec::new();
    while let Some(piece) = hit.body.read().await.unwrap() {
        body.extend_from_slice(&piece);
    }
    Some((hit.source, body.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_outlives_the_process_and_what_is_purged_does_not_come_back() {
    let data = tempfile::tempdir().unwrap();
    let (small, large) = (Key::named("small"), Key::named("large"));
    // One that lives in the index, one that is a file.
    let bodies = [
        (small, Bytes::from_static(b"a few bytes")),
        (large, Bytes::from(vec![7; 3 << 20])),
    ];

    let tiers = open(data.path()).await;
    for (key, body) in &bodies {
        fill(&tiers, key, body).await;
    }
    assert_eq!(
        read(&tiers, &small).await.unwrap().0,
        Source::Tier(Level::L0)
    );
    drop(tiers);

    let tiers = open(data.path()).await;
    for (key, body) in &bodies {
        let (source, read) = read(&tiers, key).await.unwrap();
        assert_eq!(source, Source::Tier(Level::L3));
        assert_eq!(
            read, body,
            "the body of another generation, or a part of it"
        );
    }
    for (key, _) in &bodies {
        let purged = tiers.stack().purge(&Target::Key(*key)).await.unwrap();
        assert!(matches!(purged, PurgeOutcome::Purged(_)));
        assert!(read(&tiers, key).await.is_none());
    }
    drop(tiers);

    let tiers = open(data.path()).await;
    for (key, _) in &bodies {
        assert!(
            read(&tiers, key).await.is_none(),
            "it came back by a restart"
        );
    }
    // The large body's file is there until it is collected, and too young for that.
    let report = tiers.l3().collect(&GcOptions::default()).await.unwrap();
    assert_eq!((report.scanned, report.orphans), (1, 0));
}
