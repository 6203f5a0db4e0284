use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use futures::{FutureExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMultipartOptions,
};
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Error, ErrorKind, Result, Runtime,
    Timestamp,
};
use tokio::sync::Semaphore;

use crate::blocking::blocking;
use crate::config::{LocalConfig, ObjectBlobConfig};
use crate::error::{from_store, is_opaque, of_a_change};
use crate::layout::Layout;
use crate::local::LocalDir;
use crate::read;
use crate::upload::MAX_LINGERING;
use crate::write::Writer;

const OPEN: &str = "object_store.open";

/// Bodies in an object store, a directory, or memory.
///
/// Small bodies are written by one request, larger ones in parts of bounded memory, and either becomes visible as a
/// whole. What a dropped writer had uploaded is removed in the background, with some patience if the store is in trouble; what a
/// killed process had uploaded, by the next start (of [`local`](Self::local), and of the adapters for S3) or by the
/// store's lifecycle rule for incomplete uploads, which you should set.
///
/// Some stores, S3 among them, date a body back to the beginning of its upload: a garbage collection must
/// leave alone what is younger than the longest fill.
pub struct ObjectBlob {
    shared: Arc<Shared>,
}

/// What outlives the store while writers and their uploads do.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) part_size: usize,
    pub(crate) parallel_parts: usize,
    pub(crate) local: Option<LocalDir>,
    /// A permit per upload whose abort failed and is tried again.
    pub(crate) lingering: Semaphore,
    prefix: Path,
    layout: Layout,
}

impl ObjectBlob {
    /// Bodies in `store`. Uploads in parts run on `runtime`, which must be one `store` can be used on.
    ///
    /// Does no I/O. Errors with `Invalid` if the configuration makes no sense.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        runtime: Arc<dyn Runtime>,
        config: &ObjectBlobConfig,
    ) -> Result<Self> {
        Self::build(store, runtime, config, None)
    }

    /// Bodies in the directory `dir`, which is created if it is missing.
    ///
    /// Removes what killed processes left half-written: everything if no other process has the directory open,
    /// otherwise what is older than [`LocalConfig::stale_after`]. That reads all file names (0.4 s
    /// per million bodies if the directories are cached), and a second start waits for it.
    ///
    /// Errors: `Denied` if files cannot be made there, `Unsupported` if the file system has no locks,
    /// `Invalid` if the configuration makes no sense or the path leads through a file.
    pub async fn local(
        dir: impl Into<PathBuf>,
        runtime: Arc<dyn Runtime>,
        config: LocalConfig,
    ) -> Result<Self> {
        let dir = dir.into();
        let object_config = ObjectBlobConfig::from(&config);
        let fsync = config.fsync;
        let (local, store) = blocking(OPEN, move || {
            let local = LocalDir::open(&dir, &config)?;
            let store = LocalFileSystem::new_with_prefix(local.root())
                .map_err(|error| from_store(OPEN, &Path::default(), error))?;
            Ok((local, store.with_fsync(fsync)))
        })
        .await?;
        Self::build(Arc::new(store), runtime, &object_config, Some(local))
    }

    fn build(
        store: Arc<dyn ObjectStore>,
        runtime: Arc<dyn Runtime>,
        config: &ObjectBlobConfig,
        local: Option<LocalDir>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            prefix: config.check()?,
            layout: config.layout,
            part_size: config.part_size,
            parallel_parts: config.parallel_parts,
            store,
            runtime,
            local,
            lingering: Semaphore::new(MAX_LINGERING),
        });
        Ok(Self { shared })
    }

    /// How many half-written files of killed processes the start removed; 0 for stores that have no such
    /// thing.
    pub fn swept(&self) -> u64 {
        self.shared.local.as_ref().map_or(0, LocalDir::swept)
    }
}

impl Shared {
    fn path(&self, name: &BlobName) -> Path {
        self.layout.path(&self.prefix, name)
    }

    pub(crate) async fn begin(&self, path: &Path) -> Result<Box<dyn MultipartUpload>> {
        const OP: &str = "object_store.write";
        let wrong = |path: &Path, error| from_store(OP, path, error);
        if self.local.is_none() {
            let begun = self.store.put_multipart(path).await;
            return begun.map_err(|error| wrong(path, error));
        }
        // `LocalFileSystem` opens its staging file on the caller's thread, without awaiting anything.
        let (store, path) = (Arc::clone(&self.store), path.clone());
        blocking(OP, move || {
            let begun = store.put_multipart_opts(&path, PutMultipartOptions::default());
            match begun.now_or_never() {
                Some(begun) => begun.map_err(|error| wrong(&path, error)),
                None => Err(Error::new(ErrorKind::Internal, OP, "the store awaits")),
            }
        })
        .await
    }

    async fn head(&self, path: &Path) -> Result<Option<ObjectMeta>> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(from_store("object_store.head", path, error)),
        }
    }

    /// What an error of a read means. Stores do not tell a wrong range from other failures: ask for the length.
    async fn read_failed(
        &self,
        path: &Path,
        range: &Range<u64>,
        error: object_store::Error,
    ) -> Error {
        if is_opaque(&error)
            && let Ok(Some(meta)) = self.head(path).await
            && let Err(invalid) = check_range(path, range, meta.size)
        {
            return invalid.with_source(error);
        }
        from_store("object_store.get", path, error)
    }
}

/// Errors with `Invalid` unless `range` lies within `len` bytes.
fn check_range(path: &Path, range: &Range<u64>, len: u64) -> Result<()> {
    if range.start <= range.end && range.end <= len {
        return Ok(());
    }
    let message = format!("{path}: bytes {range:?} of a blob of {len}");
    Err(Error::new(ErrorKind::Invalid, "object_store.get", message))
}

fn info(name: BlobName, meta: &ObjectMeta) -> BlobInfo {
    let millis = meta.last_modified.timestamp_millis();
    BlobInfo {
        name,
        len: meta.size,
        // Before 1970 only if a clock was wrong; then it is as old as can be.
        modified: Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)),
    }
}

#[async_trait]
impl BlobStore for ObjectBlob {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        let shared = &*self.shared;
        let path = shared.path(name);
        if range.is_empty() {
            // Stores refuse empty ranges.
            let meta = shared.head(&path).await?.ok_or_else(|| missing(&path))?;
            check_range(&path, &range, meta.size)?;
            return Ok(stream::empty().boxed());
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let result = match shared.store.get_opts(&path, options).await {
            Ok(result) => result,
            Err(error) => return Err(shared.read_failed(&path, &range, error).await),
        };
        check_range(&path, &range, result.meta.size)?;
        if result.range != range {
            let message = format!("{path}: asked for bytes {range:?}, got {:?}", result.range);
            return Err(Error::new(ErrorKind::Corrupt, "object_store.get", message));
        }
        Ok(read::exactly(result, path))
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        let meta = self.shared.head(&self.shared.path(name)).await?;
        Ok(meta.map(|meta| info(*name, &meta)))
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        let path = self.shared.path(name);
        Ok(Box::new(Writer::new(Arc::clone(&self.shared), path)))
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        let path = self.shared.path(name);
        match self.shared.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(of_a_change(from_store("object_store.delete", &path, error))),
        }
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        let shared = &*self.shared;
        if let Some(local) = &shared.local {
            return local.list();
        }
        let failed = |error| from_store("object_store.list", &shared.prefix, error);
        let all = shared.store.list(Some(&shared.prefix));
        all.map_err(failed)
            .try_filter_map(move |meta| async move {
                let name = shared.layout.parse(&shared.prefix, &meta.location);
                Ok(name.map(|name| info(name, &meta)))
            })
            .boxed()
    }
}

fn missing(path: &Path) -> Error {
    let message = format!("{path}: there is no such blob");
    Error::new(ErrorKind::NotFound, "object_store.get", message)
}

impl fmt::Debug for ObjectBlob {
    /// Names the store, which keeps its credentials to itself (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBlob")
            .field("store", &self.shared.store.to_string())
            .field("prefix", &self.shared.prefix.as_ref())
            .finish_non_exhaustive()
    }
}
