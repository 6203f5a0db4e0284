use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::generation::Generation;
use crate::key::Key;
use crate::time::Timestamp;

/// The name of a body: whose it is, and which of its generations.
///
/// As text `<key>/<generation>`, hexadecimal digits only (promise P10), and it parses back: from the
/// name alone, garbage collection knows which manifest to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName {
    /// The key the body belongs to.
    pub key: Key,
    /// The generation whose body it is.
    pub generation: Generation,
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.key, self.generation)
    }
}

impl FromStr for BlobName {
    type Err = InvalidBlobName;

    fn from_str(text: &str) -> Result<Self, InvalidBlobName> {
        let (key, generation) = text.split_once('/').ok_or(InvalidBlobName)?;
        Ok(Self {
            key: key.parse().map_err(|_| InvalidBlobName)?,
            generation: generation.parse().map_err(|_| InvalidBlobName)?,
        })
    }
}

/// The text is not a blob name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a blob name: expected '<key>/<generation>' in lower-case hexadecimal digits")]
pub struct InvalidBlobName;

/// What a store knows of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub name: BlobName,
    /// Its length in bytes.
    pub len: u64,
    /// When it became visible, by the store's clock.
    pub modified: Timestamp,
}

/// The bytes of a blob, in order.
///
/// It yields exactly the bytes asked for and ends, or yields one error and ends (promise P1): a
/// connection that closes early is an error, not an end. Dropping it stops the transfer.
pub type BlobRead = BoxStream<'static, Result<Bytes>>;

/// A place for immutable bodies: an object store, or a directory.
///
/// **No observer ever sees a part of a blob.** A name is written at most once, because every fill
/// attempt has a generation of its own; so nothing here needs a condition, and every store that calls
/// itself S3-compatible can do it.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// The bytes `range` (end exclusive) of a blob.
    ///
    /// - Effect: none.
    /// - Cancellation: nothing is left behind.
    /// - Errors: `NotFound`; `Invalid` for a range that leaves the blob. In the stream: `Corrupt` or
    ///   `Unavailable` if it ends early.
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead>;

    /// What the store knows of a blob; `None` if there is none.
    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>>;

    /// Begins to write a blob.
    ///
    /// - Effect: none that [`get`](Self::get), [`head`](Self::head) or [`list`](Self::list) could see.
    /// - Cancellation: nothing is left behind that the store's start-up sweep does not remove.
    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>>;

    /// Removes a blob.
    ///
    /// - Atomicity: readers that have begun may get an error, never other bytes.
    /// - Idempotence: removing what is not there succeeds.
    async fn delete(&self, name: &BlobName) -> Result<()>;

    /// Every blob that is visible during the whole call, each once, in no particular order; those
    /// that come or go meanwhile may be missing. Foreign names are skipped. Memory is bounded.
    fn list(&self) -> BoxStream<'_, Result<BlobInfo>>;
}

#[async_trait]
impl<T: BlobStore + ?Sized> BlobStore for Arc<T> {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        (**self).get(name, range).await
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        (**self).head(name).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        (**self).put(name).await
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        (**self).delete(name).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        (**self).list()
    }
}

/// A blob that is being written. Dropping it before [`finish`](Self::finish) aborts: nothing
/// becomes visible (promise P5).
#[async_trait]
pub trait BlobWrite: Send {
    /// Appends `bytes`.
    ///
    /// - Effect: buffers or uploads; memory is bounded by the store's part size times its parallelism,
    ///   and this waits when they are used up.
    /// - Cancellation: a dropped future leaves an unknown part written; drop the writer, too.
    /// - Errors: the write is lost; later calls fail as well.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Makes the blob visible as a whole, and durable if the store promises that.
    ///
    /// - Atomicity: all or nothing.
    /// - Cancellation and errors: it may have become visible when the error says
    ///   [`Applied::Unknown`](crate::Applied) or the future is dropped; garbage collection
    ///   removes a blob no manifest names.
    async fn finish(self: Box<Self>) -> Result<()>;
}
