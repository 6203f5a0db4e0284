use std::collections::BTreeMap;
use std::future::pending;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Cas, Clock, Cursor, Error, ErrorKind,
    IndexCapabilities, IndexPage, IndexStore, Key, Record, Result, Timestamp, Version,
};
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore};
use terrace_testkit::{Explorer, ManualClock};

/// The stores of all nodes.
pub(crate) struct Stores {
    pub(crate) blobs: InMemoryBlobStore,
    pub(crate) index: InMemoryIndexStore,
    pub(crate) script: Script,
    clock: Arc<ManualClock>,
    /// When each upload began: what some stores say a blob was modified at.
    begun: Mutex<BTreeMap<BlobName, Timestamp>>,
    /// Bytes that came out of [`BlobStore::get`].
    pub(crate) bytes_read: Arc<Mutex<u64>>,
    /// Writes that are still on their way.
    late: Mutex<Vec<(Key, Option<Version>, Record)>>,
}

/// What is to happen to the calls of one node.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    calls: Vec<&'static str>,
    faults: Vec<(usize, Fault)>,
    before_each: Option<Box<dyn FnMut(&'static str) + Send>>,
    explorer: Option<Explorer>,
    lag: Lag,
}

/// Which of a variant's two reads arrives later, where that is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lag {
    #[default]
    Neither,
    Variant,
    Primary,
}

/// What happens to a call.
pub(crate) enum Fault {
    /// It fails, certainly without effect.
    Refused,
    /// It fails without effect, but nobody knows that.
    LostCall,
    /// It takes effect, and fails.
    LostAnswer,
    /// It fails, and takes effect at [`Stores::deliver`]. Writes of the index only.
    Late,
    /// It takes effect, its answer is lost, and the store's client repeats it. Writes of the index only.
    Repeated,
    /// It hangs, without effect.
    HangsBefore,
    /// It takes effect, and hangs.
    HangsAfter,
    /// Something else happens first.
    Overtaken(Box<dyn FnOnce() + Send>),
    /// It takes effect, and something else happens before the answer is there.
    Followed(Box<dyn FnOnce() + Send>),
}

impl Script {
    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.0.lock().calls.clone()
    }

    /// Lets `fault` happen to the call that has number `n` from now on.
    pub(crate) fn at(&self, n: usize, fault: Fault) {
        let mut plan = self.0.lock();
        plan.calls.clear();
        plan.faults = vec![(n, fault)];
    }

    /// Another one, counted from the same call.
    pub(crate) fn also_at(&self, n: usize, fault: Fault) {
        self.0.lock().faults.push((n, fault));
    }

    /// Whether all faults have happened.
    pub(crate) fn is_over(&self) -> bool {
        self.0.lock().faults.is_empty()
    }

    /// Runs `action` before every call.
    pub(crate) fn before_each(&self, action: impl FnMut(&'static str) + Send + 'static) {
        self.0.lock().before_each = Some(Box::new(action));
    }

    /// Lets other actors run before every call, and once more before reads that lag.
    pub(crate) fn explore(&self, explorer: &Explorer, lag: Lag) {
        let mut plan = self.0.lock();
        plan.explorer = Some(explorer.clone());
        plan.lag = lag;
    }

    async fn lag(&self, key: &Key) {
        let (explorer, lag) = {
            let plan = self.0.lock();
            (plan.explorer.clone(), plan.lag)
        };
        let lagging = match key.variance() {
            Some(_) => Lag::Variant,
            None => Lag::Primary,
        };
        if let Some(explorer) = explorer.filter(|_| lag == lagging) {
            explorer.step("index.get lags").await;
        }
    }

    /// Whether the next call meets a fault that `is` so.
    fn is_next(&self, is: fn(&Fault) -> bool) -> bool {
        let plan = self.0.lock();
        let next = plan.calls.len();
        plan.faults
            .iter()
            .any(|(at, fault)| *at == next && is(fault))
    }

    fn enter(&self, op: &'static str) -> Option<Fault> {
        let action = self.0.lock().before_each.take();
        if let Some(mut action) = action {
            action(op);
            self.0.lock().before_each = Some(action);
        }
        let mut plan = self.0.lock();
        let n = plan.calls.len();
        plan.calls.push(op);
        let due = plan.faults.iter().position(|(at, _)| *at == n)?;
        Some(plan.faults.swap_remove(due).1)
    }

    async fn call<T>(
        &self,
        op: &'static str,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let explorer = self.0.lock().explorer.clone();
        if let Some(explorer) = explorer {
            explorer.step(op).await;
        }
        match self.enter(op) {
            None | Some(Fault::Repeated) => effect.await,
            Some(Fault::Refused) => Err(injected(op)),
            Some(Fault::LostCall | Fault::Late) => Err(injected(op).maybe_applied()),
            Some(Fault::LostAnswer) => {
                effect.await?;
                Err(injected(op).maybe_applied())
            }
            Some(Fault::HangsBefore) => pending().await,
            Some(Fault::HangsAfter) => {
                effect.await?;
                pending().await
            }
            Some(Fault::Overtaken(act)) => {
                act();
                effect.await
            }
            Some(Fault::Followed(act)) => {
                let answer = effect.await;
                act();
                answer
            }
        }
    }
}

fn injected(op: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, op, "injected")
}

impl Stores {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            blobs: InMemoryBlobStore::new(Arc::clone(&clock) as _, 1 << 30),
            index: InMemoryIndexStore::new(Arc::clone(&clock) as _),
            script: Script::default(),
            clock,
            begun: Mutex::default(),
            bytes_read: Arc::default(),
            late: Mutex::default(),
        }
    }

    /// Lets writes take effect that were [late](Fault::Late).
    pub(crate) fn deliver(&self) {
        for (key, expected, record) in self.late.lock().drain(..) {
            let _ = super::now(swap(&self.index, &key, expected, &record)).unwrap();
        }
    }
}

async fn swap(
    index: &InMemoryIndexStore,
    key: &Key,
    expected: Option<Version>,
    record: &Record,
) -> Result<Cas> {
    match expected {
        Some(expected) => index.cas_update(key, expected, record).await,
        None => index.put_new(key, record).await,
    }
}

/// One node's handle of the blob store.
pub(crate) struct Blobs {
    stores: Arc<Stores>,
    script: Option<Script>,
}

/// One node's handle of the index.
pub(crate) struct Index {
    stores: Arc<Stores>,
    script: Option<Script>,
}

async fn play<T>(
    script: Option<&Script>,
    op: &'static str,
    effect: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match script {
        Some(script) => script.call(op, effect).await,
        None => effect.await,
    }
}

impl Blobs {
    pub(super) fn new(stores: &Arc<Stores>, script: Option<Script>) -> Self {
        let stores = Arc::clone(stores);
        Self { stores, script }
    }
}

impl Index {
    pub(super) fn new(stores: &Arc<Stores>, script: Option<Script>) -> Self {
        let stores = Arc::clone(stores);
        Self { stores, script }
    }

    async fn write(
        &self,
        op: &'static str,
        key: &Key,
        expected: Option<Version>,
        record: &Record,
    ) -> Result<Cas> {
        let script = self.script.as_ref();
        let next = |is: fn(&Fault) -> bool| script.is_some_and(|script| script.is_next(is));
        if next(|fault| matches!(fault, Fault::Late)) {
            let mut late = self.stores.late.lock();
            late.push((*key, expected, record.clone()));
        }
        let effect = swap(&self.stores.index, key, expected, record);
        if next(|fault| matches!(fault, Fault::Repeated)) {
            let _ = swap(&self.stores.index, key, expected, record).await?;
        }
        play(script, op, effect).await
    }
}

#[async_trait]
impl BlobStore for Blobs {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        let get = self.stores.blobs.get(name, range);
        let stream = play(self.script.as_ref(), "blob.get", get).await?;
        let counter = Arc::clone(&self.stores.bytes_read);
        let count = move |bytes: &Result<Bytes>| {
            *counter.lock() += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        };
        Ok(stream.inspect(count).boxed())
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        let head = self.stores.blobs.head(name);
        play(self.script.as_ref(), "blob.head", head).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        let put = self.stores.blobs.put(name);
        let inner = play(self.script.as_ref(), "blob.put", put).await?;
        self.stores
            .begun
            .lock()
            .insert(*name, self.stores.clock.now());
        let script = self.script.clone();
        Ok(Box::new(Writer { inner, script }))
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        let delete = self.stores.blobs.delete(name);
        play(self.script.as_ref(), "blob.delete", delete).await
    }

    /// Dates a blob by the beginning of its upload.
    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        let date = |blob: Result<BlobInfo>| {
            let mut blob = blob?;
            if let Some(begun) = self.stores.begun.lock().get(&blob.name) {
                blob.modified = *begun;
            }
            Ok(blob)
        };
        self.stores.blobs.list().map(date).boxed()
    }
}

struct Writer {
    inner: Box<dyn BlobWrite>,
    script: Option<Script>,
}

#[async_trait]
impl BlobWrite for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        play(self.script.as_ref(), "blob.write", self.inner.write(bytes)).await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        play(self.script.as_ref(), "blob.finish", self.inner.finish()).await
    }
}

#[async_trait]
impl IndexStore for Index {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        if let Some(script) = &self.script {
            script.lag(key).await;
        }
        play(
            self.script.as_ref(),
            "index.get",
            self.stores.index.get(key),
        )
        .await
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        self.write("index.put_new", key, None, record).await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        self.write("index.cas_update", key, Some(expected), record)
            .await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        let delete = self.stores.index.delete(key, expected);
        play(self.script.as_ref(), "index.delete", delete).await
    }

    async fn touch_ttl(&self, key: &Key, expected: Version, until: Timestamp) -> Result<Cas> {
        let touch = self.stores.index.touch_ttl(key, expected, until);
        play(self.script.as_ref(), "index.touch_ttl", touch).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        self.stores.index.scan(after, limit).await
    }

    fn capabilities(&self) -> IndexCapabilities {
        self.stores.index.capabilities()
    }
}
