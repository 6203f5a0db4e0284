use std::sync::Arc;

use async_trait::async_trait;
use terrace_core::{
    Applied, Cas, Cursor, IndexCapabilities, IndexPage, IndexStore, Key, Record, Result, Retry,
    Timestamp, Version,
};

use super::Index;

/// `store`, its calls repeated while they fail for sure and say that they may be: under contention a store may
/// refuse, as long as it gets there in the end.
pub(super) fn patient(store: Index) -> Index {
    Arc::new(Patient(store))
}

struct Patient(Index);

/// The most attempts at one call.
const MAX_ATTEMPTS: usize = 100;

macro_rules! patiently {
    ($call:expr) => {{
        let mut attempts = 1;
        loop {
            match $call.await {
                Err(e)
                    if attempts < MAX_ATTEMPTS
                        && e.retry() == Retry::Later
                        && e.applied() == Applied::No =>
                {
                    attempts += 1;
                    tokio::task::yield_now().await;
                }
                answer => break answer,
            }
        }
    }};
}

#[async_trait]
impl IndexStore for Patient {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        patiently!(self.0.get(key))
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        patiently!(self.0.put_new(key, record))
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        patiently!(self.0.cas_update(key, expected, record))
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        patiently!(self.0.delete(key, expected))
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        patiently!(self.0.touch_ttl(key, expected, retain_until))
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        patiently!(self.0.scan(after, limit))
    }

    fn capabilities(&self) -> IndexCapabilities {
        self.0.capabilities()
    }
}
