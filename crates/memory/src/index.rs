use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use terrace_core::{
    Cas, Clock, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key,
    MAX_MANIFEST_BYTES, Record, Result, Timestamp, Version,
};

/// An index store that is one locked map: the reference model of [`IndexStore`], for tests and
/// development.
///
/// Every operation is one critical section, so each is linearizable and takes effect the moment its future is
/// first polled, or not at all. Nothing survives the process.
///
/// It is bounded by a number of records and the size of each; at the bound, expired records are
/// swept out, and then a new key is refused with `Exhausted`.
#[derive(Debug)]
pub struct InMemoryIndexStore {
    records: Mutex<BTreeMap<Key, Record>>,
    clock: Arc<dyn Clock>,
    max_records: usize,
    max_record_bytes: usize,
}

impl InMemoryIndexStore {
    /// The default bound on the number of records.
    pub const DEFAULT_MAX_RECORDS: usize = 1 << 20;

    /// An empty store that judges [`Record::retain_until`] by `clock`.
    ///
    /// It takes up to [`DEFAULT_MAX_RECORDS`](Self::DEFAULT_MAX_RECORDS) records of up to
    /// [`MAX_MANIFEST_BYTES`] each.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            records: Mutex::default(),
            clock,
            max_records: Self::DEFAULT_MAX_RECORDS,
            max_record_bytes: MAX_MANIFEST_BYTES,
        }
    }

    /// Refuses new keys beyond `records` records.
    #[must_use]
    pub fn with_max_records(mut self, records: usize) -> Self {
        self.max_records = records;
        self
    }

    /// Refuses records of more than `bytes` bytes.
    #[must_use]
    pub fn with_max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    fn check_size(&self, op: &'static str, record: &Record) -> Result<()> {
        let (len, max) = (record.manifest.len(), self.max_record_bytes);
        if len <= max {
            return Ok(());
        }
        let message = format!("a record of {len} bytes; this store takes at most {max}");
        Err(Error::new(ErrorKind::Exhausted, op, message))
    }

    /// Runs `change` on the record of `key` if it is there with version `expected`.
    fn change_if(
        &self,
        key: &Key,
        expected: Version,
        change: impl FnOnce(&mut BTreeMap<Key, Record>),
    ) -> Cas {
        let mut records = self.records.lock();
        match records.get(key) {
            Some(found) if found.version == expected && is_live(found, self.clock.now()) => {
                change(&mut records);
                Cas::Applied
            }
            _ => Cas::Conflict,
        }
    }
}

fn is_live(record: &Record, now: Timestamp) -> bool {
    now < record.retain_until
}

#[async_trait]
impl IndexStore for InMemoryIndexStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let records = self.records.lock();
        let now = self.clock.now();
        Ok(records
            .get(key)
            .filter(|record| is_live(record, now))
            .cloned())
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        const OP: &str = "memory_index.put_new";
        self.check_size(OP, record)?;
        let mut records = self.records.lock();
        let now = self.clock.now();
        if records.get(key).is_some_and(|found| is_live(found, now)) {
            return Ok(Cas::Conflict);
        }
        if records.len() >= self.max_records && !records.contains_key(key) {
            records.retain(|_, found| is_live(found, now));
            if records.len() >= self.max_records {
                let message = format!("all {} records are in use", self.max_records);
                return Err(Error::new(ErrorKind::Exhausted, OP, message));
            }
        }
        records.insert(*key, record.clone());
        Ok(Cas::Applied)
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        self.check_size("memory_index.cas_update", record)?;
        Ok(self.change_if(key, expected, |records| {
            records.insert(*key, record.clone());
        }))
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        Ok(self.change_if(key, expected, |records| {
            records.remove(key);
        }))
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        Ok(self.change_if(key, expected, |records| {
            if let Some(record) = records.get_mut(key) {
                record.retain_until = retain_until;
            }
        }))
    }

    /// In the order of the keys. The cursor names the last key visited, so it stays good whatever
    /// comes and goes.
    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        let start = after.map_or(Ok(Bound::Unbounded), start_after)?;
        let records = self.records.lock();
        let now = self.clock.now();
        let mut live = records
            .range((start, Bound::Unbounded))
            .filter(|(_, record)| is_live(record, now))
            .peekable();
        let page: Vec<_> = live
            .by_ref()
            .take(limit)
            .map(|(key, record)| (*key, record.clone()))
            .collect();
        let next = match (live.peek(), page.last()) {
            (None, _) => None,
            (Some(_), Some((last, _))) => Some(Cursor::new(last.to_string())),
            // A limit of zero makes no progress.
            (Some(_), None) => Some(after.cloned().unwrap_or_else(|| Cursor::new(Bytes::new()))),
        };
        Ok(IndexPage {
            records: page,
            next,
        })
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: false,
            max_record_bytes: self.max_record_bytes,
        }
    }
}

/// Reads a cursor; an empty one stands for the beginning.
fn start_after(cursor: &Cursor) -> Result<Bound<Key>> {
    if cursor.as_bytes().is_empty() {
        return Ok(Bound::Unbounded);
    }
    let text = std::str::from_utf8(cursor.as_bytes()).ok();
    let key = text.and_then(|text| text.parse().ok());
    key.map(Bound::Excluded).ok_or_else(|| {
        let message = "the cursor is not one of this store's; begin the scan anew";
        Error::new(ErrorKind::Invalid, "memory_index.scan", message)
    })
}

#[cfg(test)]
mod tests;
