use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::generation::Version;
use crate::key::Key;
use crate::time::Timestamp;

/// One record: a manifest's bytes under a compare-and-swap token.
///
/// The bytes are opaque to the store. A store that tried to understand them could not replace
/// a record that was damaged, because it would fail to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Changes with every write; chosen by the writer.
    pub version: Version,
    /// From then on the record is as good as absent, and the store may drop it.
    /// [`Timestamp::MAX`] for never.
    pub retain_until: Timestamp,
    /// An encoded [`Manifest`](crate::Manifest).
    pub manifest: Bytes,
}

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Cas {
    /// The condition held, and the write took effect.
    Applied,
    /// The condition did not hold; nothing changed.
    Conflict,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Bytes);

impl Cursor {
    /// A cursor that only its store can read.
    pub fn new(opaque: impl Into<Bytes>) -> Self {
        Self(opaque.into())
    }

    /// What the store put into it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A part of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPage {
    /// Keys and their records, as many as the store likes and at most the limit asked for.
    pub records: Vec<(Key, Record)>,
    /// `None` at the end. A page may be empty and still have a successor.
    pub next: Option<Cursor>,
}

/// What an index store can promise beyond the trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexCapabilities {
    /// A write it acknowledged survives the loss of the process and a failover. Where this is false, a
    /// purge may be forgotten: then promise P3 holds only until the next failover.
    pub durable: bool,
    /// The largest record, in bytes.
    pub max_record_bytes: usize,
}

/// A map from keys to records, changed by compare-and-swap only.
///
/// **Every operation on one key is linearizable** (Herlihy and Wing, 1990): a read that begins after a
/// write was acknowledged sees it. Replicas that lag must not be asked. Operations on several keys
/// are independent.
///
/// A record whose [`retain_until`](Record::retain_until) has passed by the store's own
/// clock counts as absent in every method.
#[async_trait]
pub trait IndexStore: Send + Sync + 'static {
    /// The record of `key`; `None` if absent.
    async fn get(&self, key: &Key) -> Result<Option<Record>>;

    /// Writes `record` if the key has none.
    ///
    /// - Atomicity: of any number of concurrent calls for an absent key, exactly one is `Applied` (P4).
    /// - Cancellation: a dropped future may have written.
    /// - Errors: with [`Applied::Unknown`](crate::Applied), read back and compare the version. `Exhausted`
    ///   if the record exceeds [`max_record_bytes`](IndexCapabilities::max_record_bytes).
    /// - Idempotence: none; a repeat of an applied call is a `Conflict`.
    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas>;

    /// Replaces the record of `key` by `record` if its version is `expected`. Otherwise as
    /// [`put_new`](Self::put_new).
    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas>;

    /// Removes the record of `key` if its version is `expected`. Otherwise as
    /// [`put_new`](Self::put_new).
    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas>;

    /// Sets [`retain_until`](Record::retain_until), leaving the version as it is, if that is `expected`.
    ///
    /// Idempotent. Otherwise as [`put_new`](Self::put_new).
    async fn touch_ttl(&self, key: &Key, expected: Version, retain_until: Timestamp)
    -> Result<Cas>;

    /// At most `limit` records from `after` on, the first ones without it.
    ///
    /// Following the cursors visits every record that exists during the whole walk exactly once; those
    /// that come, go or change meanwhile may be missing or seen in either state.
    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage>;

    /// What it promises beyond this trait.
    fn capabilities(&self) -> IndexCapabilities;
}

#[async_trait]
impl<T: IndexStore + ?Sized> IndexStore for Arc<T> {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        (**self).get(key).await
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        (**self).put_new(key, record).await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        (**self).cas_update(key, expected, record).await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        (**self).delete(key, expected).await
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        (**self).touch_ttl(key, expected, retain_until).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        (**self).scan(after, limit).await
    }

    fn capabilities(&self) -> IndexCapabilities {
        (**self).capabilities()
    }
}
