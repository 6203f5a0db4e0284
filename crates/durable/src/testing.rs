//! A world for tests: a tier whose every call of a store can fail, hang, or be overtaken, and a second node on the
//! same stores that works.
//!
//! The stores are in memory and never wait, so one poll runs a call to its end or to the fault that hangs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use terrace_core::{
    BlobName, BlobStore, Committed, Fence, Fill, Hit, IndexStore, Key, Location, Lookup, Manifest,
    Record, Result, Tier, Version,
};
use terrace_testkit::sample::Object;
use terrace_testkit::{ManualClock, SeededRandom};

use crate::{DurableConfig, DurableTier, GcOptions, GcReport};

pub(crate) use stores::{Blobs, Fault, Index, Lag, Script, Stores};

mod stores;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) type TestTier = DurableTier<Blobs, Index>;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stores: Arc<Stores>,
    /// The node whose calls the script plays with.
    pub(crate) tier: TestTier,
    /// Another node, whose calls always succeed.
    pub(crate) witness: TestTier,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&DurableConfig::default())
    }

    pub(crate) fn with(config: &DurableConfig) -> Self {
        let clock = Arc::new(ManualClock::default());
        let stores = Arc::new(Stores::new(Arc::clone(&clock)));
        let random = Arc::new(SeededRandom::new(1));
        let tier = |script: Option<Script>| {
            DurableTier::builder(
                Blobs::new(&stores, script.clone()),
                Index::new(&stores, script),
            )
            .clock(Arc::clone(&clock) as _)
            .random(Arc::clone(&random) as _)
            .config(config.clone())
            .build()
            .unwrap()
        };
        let (tier, witness) = (tier(Some(stores.script.clone())), tier(None));
        Self {
            clock,
            stores,
            tier,
            witness,
        }
    }

    pub(crate) fn script(&self) -> &Script {
        &self.stores.script
    }

    /// What the other node sees.
    pub(crate) fn lookup(&self, key: &Key) -> Lookup {
        now(self.witness.lookup(key)).unwrap()
    }

    pub(crate) fn hit(&self, key: &Key) -> Option<Hit> {
        match self.lookup(key) {
            Lookup::Hit(hit) => Some(hit),
            Lookup::Miss(_) => None,
        }
    }

    /// Fails unless `key` is `object`, whole.
    #[track_caller]
    pub(crate) fn assert_holds(&self, key: &Key, object: &Object) {
        let mut hit = self.hit(key).expect("a hit");
        assert_eq!(hit.generation, object.generation());
        assert_eq!(hit.meta, object.entry.meta);
        assert!(
            now(hit.body.read_all()).unwrap() == object.body,
            "another body"
        );
    }

    pub(crate) fn fence(&self, key: &Key) -> Fence {
        now(self.witness.fence(key)).unwrap()
    }

    /// Stores `object` by the other node.
    #[track_caller]
    pub(crate) fn store(&self, key: &Key, object: &Object) {
        let committed = now(object.store(&self.witness, key)).unwrap();
        assert_eq!(committed, Committed::Published);
    }

    pub(crate) fn record(&self, key: &Key) -> Option<Record> {
        now(self.stores.index.get(key)).unwrap()
    }

    pub(crate) fn manifest(&self, key: &Key) -> Option<Manifest> {
        let record = self.record(key)?;
        Some(Manifest::decode(key, &record.manifest).unwrap())
    }

    /// Replaces the bytes of a record, as a disk would.
    pub(crate) fn damage(&self, key: &Key, change: impl FnOnce(&mut Vec<u8>)) -> Version {
        let mut record = self.record(key).unwrap();
        let mut bytes = record.manifest.to_vec();
        change(&mut bytes);
        record.manifest = bytes.into();
        let _ = now(self.stores.index.cas_update(key, record.version, &record)).unwrap();
        record.version
    }

    /// Puts other bytes where a blob was.
    pub(crate) fn overwrite(&self, name: &BlobName, bytes: Bytes) {
        let mut blob = now(self.stores.blobs.put(name)).unwrap();
        now(blob.write(bytes)).unwrap();
        now(blob.finish()).unwrap();
    }

    /// Names of all blobs there are.
    pub(crate) fn blobs(&self) -> Vec<BlobName> {
        use futures::TryStreamExt;
        let all: Vec<_> = now(self.stores.blobs.list().try_collect()).unwrap();
        all.iter().map(|blob| blob.name).collect()
    }

    /// Fails if a manifest names a blob that is missing.
    #[track_caller]
    pub(crate) fn assert_named_blobs_are_there(&self) {
        for name in self.named_blobs() {
            let info = now(self.stores.blobs.head(&name)).unwrap();
            assert!(info.is_some(), "a manifest names a blob that is missing");
        }
    }

    fn named_blobs(&self) -> Vec<BlobName> {
        let page = now(self.stores.index.scan(None, 1000)).unwrap();
        assert_eq!(page.next, None);
        let named = |(key, record): (Key, Record)| {
            let manifest = Manifest::decode(&key, &record.manifest).ok()?;
            let object = manifest.object?;
            let generation = object.generation;
            (object.location == Location::Blob).then_some(BlobName { key, generation })
        };
        page.records.into_iter().filter_map(named).collect()
    }

    pub(crate) fn collect(&self) -> GcReport {
        let options = GcOptions {
            dry_run: false,
            ..GcOptions::default()
        };
        now(self.witness.collect(&options)).unwrap()
    }

    /// Fails unless, now that nobody writes, collection leaves what lookups find and nothing else.
    #[track_caller]
    pub(crate) fn assert_no_orphans_stay(&self) {
        self.clock.advance(3 * HOUR);
        self.collect();
        let mut reachable = self.named_blobs();
        reachable.retain(|name| {
            let found = self.hit(&name.key).map(|hit| hit.generation);
            found == Some(name.generation)
        });
        assert_eq!(self.blobs(), reachable);
        let used: usize = self.blobs().iter().map(|name| self.len_of(name)).sum();
        assert_eq!(
            self.stores.blobs.used(),
            used as u64,
            "half-written blobs stay"
        );
    }

    fn len_of(&self, name: &BlobName) -> usize {
        let info = now(self.stores.blobs.head(name)).unwrap().unwrap();
        usize::try_from(info.len).unwrap()
    }
}

/// The output of a future that does not wait.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("it waits for something")
}

/// Writes `object` in pieces under `fence`, the clock moving on by `pace` before each, and commits it. `None`
/// if it hangs somewhere; it is dropped there.
pub(crate) fn fill(
    world: &World,
    key: &Key,
    object: &Object,
    fence: Fence,
    pace: Duration,
) -> Option<Result<Committed>> {
    let filling = async {
        let mut fill: Box<dyn Fill> = world.tier.admit(key, object.entry.clone(), fence).await?;
        for piece in pieces(&object.body) {
            world.clock.advance(pace);
            fill.write(piece).await?;
        }
        world.clock.advance(pace);
        fill.commit(object.commit()).await
    };
    filling.now_or_never()
}

/// A body in three pieces.
pub(crate) fn pieces(body: &Bytes) -> impl Iterator<Item = Bytes> + use<> {
    let third = body.len() / 3;
    let cuts = [0..third, third..2 * third, 2 * third..body.len()];
    cuts.map(|cut| body.slice(cut)).into_iter()
}
