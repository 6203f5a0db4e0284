//! How a backend that is not of this repository is held to the text of its trait: an index store, and what would be its
//! `tests/conformance.rs`. In its `Cargo.toml`, the `[[test]]` of that name has `harness = false`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use terrace_core::{
    Cas, Clock, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key, Record,
    Result, SystemClock, Timestamp, Version,
};
use terrace_testkit::{Fixture, index_conformance, run};

fn main() -> ExitCode {
    run(index_conformance("shelf", || async {
        // A fresh, empty store for each trial. What must live as long as it, such as a temporary folder: `.keeping(folder)`.
        Fixture::new(ShelfIndex::new(Arc::new(SystemClock)))
    }))
}

const MAX_RECORD_BYTES: usize = 1 << 20;

/// Somebody's index store: a map behind a lock.
struct ShelfIndex {
    records: Mutex<BTreeMap<Key, Record>>,
    clock: Arc<dyn Clock>,
}

impl ShelfIndex {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            records: Mutex::default(),
            clock,
        }
    }

    /// The records, without those that are past their retention: they count as absent in every method.
    fn records(&self) -> MutexGuard<'_, BTreeMap<Key, Record>> {
        let now = self.clock.now();
        let mut records = self.records.lock().unwrap();
        records.retain(|_, record| record.retain_until > now);
        records
    }

    /// Lets `change` have the slot of `key` if it holds `expected`. One lock from the comparison to the change is what makes it
    /// a compare-and-swap.
    fn swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        change: impl FnOnce(Option<Record>) -> Option<Record>,
    ) -> Cas {
        let mut records = self.records();
        let present = records.get(key);
        if present.map(|record| record.version) != expected {
            return Cas::Conflict;
        }
        let present = present.cloned();
        match change(present) {
            Some(record) => records.insert(*key, record),
            None => records.remove(key),
        };
        Cas::Applied
    }

    fn write(&self, key: &Key, expected: Option<Version>, record: &Record) -> Result<Cas> {
        if record.manifest.len() > MAX_RECORD_BYTES {
            let message = "the record does not fit: at most 1 MiB";
            return Err(Error::new(ErrorKind::Exhausted, "shelf.write", message));
        }
        Ok(self.swap(key, expected, |_| Some(record.clone())))
    }
}

#[async_trait]
impl IndexStore for ShelfIndex {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        Ok(self.records().get(key).cloned())
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        self.write(key, None, record)
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        self.write(key, Some(expected), record)
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        Ok(self.swap(key, Some(expected), |_| None))
    }

    async fn touch_ttl(&self, key: &Key, expected: Version, until: Timestamp) -> Result<Cas> {
        Ok(self.swap(key, Some(expected), |present| {
            present.map(|record| Record {
                retain_until: until,
                ..record
            })
        }))
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        let after = after.map(parse).transpose()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records();
        let page: Vec<_> = records
            .range((from, Bound::Unbounded))
            .take(limit.max(1))
            .map(|(key, record)| (*key, record.clone()))
            .collect();
        let next = page.last().map(|(key, _)| Cursor::new(key.to_string()));
        Ok(IndexPage {
            records: page,
            next,
        })
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            // A confession: it is gone with its process.
            durable: false,
            max_record_bytes: MAX_RECORD_BYTES,
        }
    }
}

/// The key a cursor points at, whether or not it is still there.
fn parse(cursor: &Cursor) -> Result<Key> {
    let text = std::str::from_utf8(cursor.as_bytes()).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let message = "the cursor is another store's";
        Error::new(ErrorKind::Invalid, "shelf.scan", message)
    })
}
