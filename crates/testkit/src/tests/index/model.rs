use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;
use terrace_core::{
    Cas, Clock, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key, Record,
    Result, Timestamp, Version,
};
use tokio::task::yield_now;

use super::Flaw;
use crate::ManualClock;

/// A map that is an index store, and makes one mistake.
pub(crate) struct ModelIndex {
    flaw: Flaw,
    clock: ManualClock,
    records: Mutex<BTreeMap<Key, Record>>,
    /// The records before the last change of each, for reads that lag.
    before: Mutex<BTreeMap<Key, Option<Record>>>,
    free: Mutex<usize>,
}

impl ModelIndex {
    const MAX_RECORD_BYTES: usize = 1 << 20;

    pub(crate) fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            clock: ManualClock::default(),
            records: Mutex::default(),
            before: Mutex::default(),
            free: Mutex::new(match flaw {
                Flaw::OneConnection => 1,
                _ => 50,
            }),
        }
    }

    fn slot(&self, key: &Key) -> Key {
        match self.flaw {
            Flaw::IgnoresVariance => key.group(),
            _ => *key,
        }
    }

    fn is_live(&self, record: &Record, unless: Flaw) -> bool {
        record.retain_until > self.clock.now() || self.flaw == unless
    }

    fn leaks(&self) -> bool {
        matches!(self.flaw, Flaw::LeaksOnCancel | Flaw::OneConnection)
    }

    fn check_size(&self, record: &Record) -> Result<()> {
        let len = record.manifest.len();
        if len <= Self::MAX_RECORD_BYTES || self.flaw == Flaw::AcceptsAnySize {
            return Ok(());
        }
        let message = format!("a record of {len} bytes");
        Err(Error::new(ErrorKind::Exhausted, "model.put", message))
    }

    /// What is written when `record` is to be.
    fn spoil(&self, mut record: Record) -> Option<Record> {
        let positive = |n: u64| n & (u64::MAX >> 1);
        match self.flaw {
            Flaw::TruncatesLargeRecords => record.manifest.truncate(65_535),
            Flaw::SignedVersions => {
                record.version = Version::from_u64(positive(record.version.to_u64()))?;
            }
            Flaw::SignedRetention => {
                let millis = positive(record.retain_until.as_millis());
                record.retain_until = Timestamp::from_millis(millis);
            }
            Flaw::NotBinary => {
                let text = String::from_utf8_lossy(&record.manifest).into_owned();
                record.manifest = text.into();
            }
            Flaw::EmptyIsAbsent if record.manifest.is_empty() => return None,
            _ => {}
        }
        Some(record)
    }

    /// Changes the record of `key` to what `change` makes of the present one; `None` is a conflict. Not in one step
    /// if the flaw is `torn`.
    async fn change(
        &self,
        key: &Key,
        torn: Flaw,
        change: impl Fn(Option<&Record>) -> Option<Option<Record>> + Send,
    ) -> Cas {
        let slot = self.slot(key);
        let passed_counts = if torn == Flaw::PutNewNotAtomic {
            Flaw::PassedBlocksPutNew
        } else {
            Flaw::PassedIsChanged
        };
        let decide = |records: &BTreeMap<Key, Record>| {
            let old = records.get(&slot);
            change(old.filter(|old| self.is_live(old, passed_counts)))
        };
        let tears = self.flaw == Flaw::TearsChanges;
        let decided = (tears || self.flaw == torn).then(|| decide(&self.records.lock()));
        if tears && let Some(old) = self.records.lock().get_mut(&slot) {
            old.manifest.truncate(1);
        }
        if decided.is_some() {
            yield_now().await;
        }
        let mut records = self.records.lock();
        let Some(new) = decided.unwrap_or_else(|| decide(&records)) else {
            return Cas::Conflict;
        };
        let old = match new.and_then(|new| self.spoil(new)) {
            Some(new) => records.insert(slot, new),
            None => records.remove(&slot),
        };
        self.before.lock().insert(slot, old);
        Cas::Applied
    }

    /// One of fifty connections, which the flaw loses with every dropped call.
    fn connection(&self) -> Result<Connection<'_>> {
        let mut free = self.free.lock();
        if *free == 0 {
            let message = "no connection is left";
            return Err(Error::new(ErrorKind::Exhausted, "model", message));
        }
        if self.leaks() {
            *free -= 1;
        }
        Ok(Connection(self))
    }
}

struct Connection<'a>(&'a ModelIndex);

impl Connection<'_> {
    fn close(self) {
        if self.0.leaks() {
            *self.0.free.lock() += 1;
        }
    }
}

#[async_trait]
impl IndexStore for ModelIndex {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let connection = self.connection()?;
        yield_now().await;
        let slot = self.slot(key);
        let mut found = self.records.lock().get(&slot).cloned();
        if self.flaw == Flaw::AbsentIsEmpty {
            found.get_or_insert_with(|| crate::sample::record(0, 0));
        }
        if self.flaw == Flaw::ReadsLag {
            // The replica catches up when it is asked once.
            found = self.before.lock().remove(&slot).unwrap_or(found);
        }
        yield_now().await;
        connection.close();
        Ok(found.filter(|record| self.is_live(record, Flaw::PassedIsRead)))
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        self.check_size(record)?;
        let connection = self.connection()?;
        yield_now().await;
        if self.flaw == Flaw::PutNewInTwoSteps && !self.records.lock().contains_key(key) {
            let mut half = record.clone();
            half.manifest.truncate(record.manifest.len() / 2);
            self.records.lock().insert(*key, half);
            yield_now().await;
            self.records.lock().insert(*key, record.clone());
            return Ok(Cas::Applied);
        }
        let answer = self
            .change(key, Flaw::PutNewNotAtomic, |old| {
                let trace = self.flaw == Flaw::DeleteLeavesATrace
                    && self.before.lock().get(key).is_some_and(Option::is_some);
                let allowed = old.is_none() && !trace || self.flaw == Flaw::PutNewOverwrites;
                allowed.then(|| Some(record.clone()))
            })
            .await;
        yield_now().await;
        connection.close();
        Ok(answer)
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        self.check_size(record)?;
        yield_now().await;
        let answer = self
            .change(key, Flaw::CasNotAtomic, |old| {
                let allowed = match old {
                    Some(old) => old.version == expected || self.flaw == Flaw::CasIgnoresVersion,
                    None => self.flaw == Flaw::CasCreates,
                };
                let new = match old {
                    Some(old) if self.flaw == Flaw::LosesUpdates => old,
                    _ => record,
                };
                allowed.then(|| Some(new.clone()))
            })
            .await;
        yield_now().await;
        Ok(answer)
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        yield_now().await;
        let answer = self
            .change(key, Flaw::DeleteNotAtomic, |old| {
                if old.is_none() && self.flaw == Flaw::DeleteOfNothingApplies {
                    return Some(None);
                }
                let old = old?;
                let allowed = old.version == expected || self.flaw == Flaw::DeleteIgnoresVersion;
                let left = (self.flaw == Flaw::DeleteForgets).then(|| old.clone());
                allowed.then_some(left)
            })
            .await;
        if self.flaw == Flaw::DeleteRemovesTwo {
            self.records.lock().pop_first();
        }
        yield_now().await;
        Ok(answer)
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        yield_now().await;
        let answer = self
            .change(key, Flaw::TouchWritesBack, |old| {
                let created =
                    (self.flaw == Flaw::TouchCreates).then(|| crate::sample::record(0, 0));
                let old = old.or(created.as_ref())?;
                let allowed = match self.flaw {
                    Flaw::TouchIgnoresVersion | Flaw::TouchCreates => true,
                    Flaw::TouchOnce if old.retain_until == retain_until => false,
                    _ => old.version == expected,
                };
                let mut new = Record {
                    retain_until,
                    ..old.clone()
                };
                if self.flaw == Flaw::TouchChangesVersion {
                    new.version = crate::sample::version(retain_until.as_millis());
                }
                allowed.then_some(Some(new))
            })
            .await;
        yield_now().await;
        Ok(answer)
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        let connection = self.connection()?;
        yield_now().await;
        let text = after.map(|cursor| String::from_utf8_lossy(cursor.as_bytes()).into_owned());
        let (offset, last) = match &text {
            None => (0, None),
            Some(text) if self.flaw == Flaw::ScanByOffset => (text.parse().unwrap_or(0), None),
            Some(text) => (0, text.parse::<Key>().ok()),
        };
        let limit = match self.flaw {
            Flaw::ScanIgnoresLimit => 1000,
            Flaw::ScanOverflows if limit > 1 << 62 => 0,
            _ => limit,
        };
        let records: Vec<_> = {
            let all = self.records.lock();
            all.iter()
                .filter(|(_, record)| self.is_live(record, Flaw::PassedIsScanned))
                .filter(|(key, _)| match last {
                    Some(last) if self.flaw == Flaw::ScanRepeats => **key >= last,
                    Some(last) => **key > last,
                    None => true,
                })
                .skip(offset)
                .take(limit)
                .map(|(key, record)| (*key, record.clone()))
                .map(|(key, mut record)| {
                    if self.flaw == Flaw::ScanTruncates {
                        record.manifest.truncate(100);
                    }
                    (key, record)
                })
                .collect()
        };
        let next = records.last().map(|(key, _)| match self.flaw {
            Flaw::ScanByOffset => (offset + records.len()).to_string(),
            _ => key.to_string(),
        });
        let next = match self.flaw {
            Flaw::ScanNeverEnds => next.or(Some(String::new())),
            _ => next,
        };
        let next = next.filter(|_| self.flaw != Flaw::ScanEndsEarly || records.len() < 1000);
        connection.close();
        let next = next.map(Cursor::new);
        Ok(IndexPage { records, next })
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: false,
            max_record_bytes: match self.flaw {
                Flaw::SmallRecords => 8192,
                _ => Self::MAX_RECORD_BYTES,
            },
        }
    }
}
