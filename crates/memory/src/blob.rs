use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Body, Clock, Error, ErrorKind, Result,
    Timestamp,
};

/// The longest piece a read yields, so that readers meet bodies of several pieces here, too.
const PIECE: usize = 64 * 1024;

/// A blob store that is one locked map: the reference model of [`BlobStore`], for tests and
/// development.
///
/// Every operation is one critical section. The bytes of visible blobs and of blobs being written count against
/// one capacity; a write that would exceed it fails with `Exhausted`. A reader that has begun keeps
/// its blob's bytes alive after a delete. Nothing survives the process.
#[derive(Debug)]
pub struct InMemoryBlobStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    capacity: u64,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<BlobName, Blob>,
    /// Bytes of all blobs, visible or being written.
    used: u64,
}

#[derive(Debug)]
struct Blob {
    bytes: Bytes,
    modified: Timestamp,
}

impl InMemoryBlobStore {
    /// An empty store of at most `capacity` bytes that dates blobs by `clock`.
    pub fn new(clock: Arc<dyn Clock>, capacity: u64) -> Self {
        let state = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                state,
                clock,
                capacity,
            }),
        }
    }

    /// Bytes in use, of visible blobs and of blobs being written.
    pub fn used(&self) -> u64 {
        self.shared.state.lock().used
    }
}

#[async_trait]
impl BlobStore for InMemoryBlobStore {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        let bytes = {
            let state = self.shared.state.lock();
            let blob = state.blobs.get(name).ok_or_else(|| {
                let message = format!("there is no blob {name}");
                Error::new(ErrorKind::NotFound, "memory_blob.get", message)
            })?;
            Body::check_range(&range, blob.bytes.len() as u64)?;
            #[expect(clippy::cast_possible_truncation, reason = "checked against a usize")]
            blob.bytes.slice(range.start as usize..range.end as usize)
        };
        Ok(stream::iter(pieces(bytes)).map(Ok).boxed())
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        let state = self.shared.state.lock();
        Ok(state.blobs.get(name).map(|blob| info(*name, blob)))
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        Ok(Box::new(Writer {
            shared: Arc::clone(&self.shared),
            name: *name,
            written: Some(Vec::new()),
            reserved: 0,
        }))
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        let mut state = self.shared.state.lock();
        if let Some(blob) = state.blobs.remove(name) {
            state.used -= blob.bytes.len() as u64;
        }
        Ok(())
    }

    /// In the order of the names, holding no lock between two items.
    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        stream::unfold(Bound::Unbounded, move |after| async move {
            let state = self.shared.state.lock();
            let (name, blob) = state.blobs.range((after, Bound::Unbounded)).next()?;
            Some((Ok(info(*name, blob)), Bound::Excluded(*name)))
        })
        .boxed()
    }
}

fn info(name: BlobName, blob: &Blob) -> BlobInfo {
    BlobInfo {
        name,
        len: blob.bytes.len() as u64,
        modified: blob.modified,
    }
}

fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> + Send {
    std::iter::from_fn(move || (!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(PIECE))))
}

/// A blob being written. What it has reserved of the capacity goes back when it is dropped, unless
/// `finish` has passed it on to the visible blob.
struct Writer {
    shared: Arc<Shared>,
    name: BlobName,
    /// `None` once a write has failed.
    written: Option<Vec<u8>>,
    reserved: u64,
}

#[async_trait]
impl BlobWrite for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        const OP: &str = "memory_blob.write";
        let written = self.written.as_mut().ok_or_else(|| lost(OP))?;
        let more = bytes.len() as u64;
        let mut state = self.shared.state.lock();
        if state.used.saturating_add(more) > self.shared.capacity {
            self.written = None;
            let capacity = self.shared.capacity;
            let message =
                format!("no room for {more} more bytes in {capacity}; raise the capacity");
            return Err(Error::new(ErrorKind::Exhausted, OP, message));
        }
        state.used += more;
        self.reserved += more;
        drop(state);
        written.extend_from_slice(&bytes);
        Ok(())
    }

    /// A second blob of one name, which no caller should write, replaces the first.
    async fn finish(mut self: Box<Self>) -> Result<()> {
        let written = self
            .written
            .take()
            .ok_or_else(|| lost("memory_blob.finish"))?;
        let blob = Blob {
            // Boxed first: a vector's spare capacity would not be counted.
            bytes: Bytes::from(written.into_boxed_slice()),
            modified: self.shared.clock.now(),
        };
        let mut state = self.shared.state.lock();
        self.reserved = 0;
        if let Some(replaced) = state.blobs.insert(self.name, blob) {
            state.used -= replaced.bytes.len() as u64;
        }
        drop(state);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.state.lock().used -= self.reserved;
    }
}

fn lost(op: &'static str) -> Error {
    let message = "an earlier write of this blob failed; begin anew under a new generation";
    Error::new(ErrorKind::Invalid, op, message)
}

#[cfg(test)]
mod tests;
