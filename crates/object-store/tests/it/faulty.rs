//! An in-memory object store that can be told to stall, fail and lie.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use tokio::sync::Semaphore;

/// What the store does wrong, and what was asked of it.
#[derive(Debug)]
pub(crate) struct Faults {
    /// A part completes when it gets a permit.
    pub(crate) part_permits: Semaphore,
    /// This part fails, counted from 0.
    pub(crate) failing_part: AtomicUsize,
    pub(crate) fail_complete: AtomicBool,
    /// So many aborts fail before one does not.
    pub(crate) failing_aborts: AtomicUsize,
    /// Answers to reads are this many bytes too short.
    pub(crate) cut_short: AtomicUsize,
    /// Reads fail without saying why.
    pub(crate) fail_reads: AtomicBool,
    pub(crate) parts_begun: AtomicUsize,
    pub(crate) aborted: AtomicUsize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            part_permits: Semaphore::new(Semaphore::MAX_PERMITS),
            failing_part: AtomicUsize::new(usize::MAX),
            fail_complete: AtomicBool::new(false),
            failing_aborts: AtomicUsize::new(0),
            cut_short: AtomicUsize::new(0),
            fail_reads: AtomicBool::new(false),
            parts_begun: AtomicUsize::new(0),
            aborted: AtomicUsize::new(0),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct FaultyStore {
    inner: InMemory,
    pub(crate) faults: Arc<Faults>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

fn fault() -> Error {
    Error::Generic {
        store: "faulty",
        source: "as it was told".into(),
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    faults: Arc<Faults>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let number = self.faults.parts_begun.fetch_add(1, Ordering::SeqCst);
        let (faults, part) = (Arc::clone(&self.faults), self.inner.put_part(data));
        async move {
            faults.part_permits.acquire().await.unwrap().forget();
            if number == faults.failing_part.load(Ordering::SeqCst) {
                return Err(fault());
            }
            part.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.faults.fail_complete.load(Ordering::SeqCst) {
            return Err(fault());
        }
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        let failing = &self.faults.failing_aborts;
        if failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            return Err(fault());
        }
        self.faults.aborted.fetch_add(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, payload, o).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(FaultyUpload {
            inner: self.inner.put_multipart_opts(at, options).await?,
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if self.faults.fail_reads.load(Ordering::SeqCst) && !options.head {
            return Err(fault());
        }
        let mut result = self.inner.get_opts(at, options).await?;
        let cut = self.faults.cut_short.load(Ordering::SeqCst);
        if cut > 0 {
            let (meta, range) = (result.meta.clone(), result.range.clone());
            let bytes = result.bytes().await?;
            let kept = Ok(bytes.slice(..bytes.len() - cut));
            result = GetResult {
                payload: GetResultPayload::Stream(stream::iter([kept]).boxed()),
                meta,
                range,
                attributes: object_store::Attributes::default(),
                extensions: object_store::Extensions::default(),
            };
        }
        Ok(result)
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(
        &self,
        all: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(all)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
