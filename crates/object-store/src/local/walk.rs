use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use terrace_core::{BlobInfo, Result};

use crate::blocking::blocking;
use crate::error::from_io;
use crate::layout::{parse_file_name, shard_of, shards};

const OP: &str = "object_store.list";
/// Bodies per trip to the blocking pool.
const BATCH: usize = 1024;

/// Everything in the shards of a directory, one after the other. Blocks.
///
/// Only the shards: a file system's root may hold what cannot be read, such as `lost+found`.
pub(super) struct Walk {
    shards: Box<dyn Iterator<Item = PathBuf> + Send>,
    open: Option<(PathBuf, ReadDir)>,
}

impl Walk {
    pub(super) fn new(root: &Path) -> Self {
        let root = root.to_path_buf();
        Self {
            shards: Box::new(shards().map(move |shard| root.join(shard))),
            open: None,
        }
    }
}

impl Iterator for Walk {
    type Item = Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((shard, entries)) = &mut self.open {
                match entries.next() {
                    Some(Ok(entry)) => return Some(Ok(entry)),
                    Some(Err(error)) => return Some(Err(failed(shard, error))),
                    None => self.open = None,
                }
            }
            let shard = self.shards.next()?;
            match fs::read_dir(&shard) {
                Ok(entries) => self.open = Some((shard, entries)),
                // Somebody removed it; the next body in it brings it back.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Some(Err(failed(&shard, error))),
            }
        }
    }
}

/// Every body in the shards of `root`.
///
/// `LocalFileSystem` has a listing of its own, which ends with an error at the first name that is not valid
/// Unicode: one stray file, and garbage collection would never run again.
pub(super) fn list(root: &Path) -> BoxStream<'static, Result<BlobInfo>> {
    stream::try_unfold(Walk::new(root), |mut walk| {
        blocking(OP, move || {
            let batch: Vec<_> = walk
                .by_ref()
                .filter_map(|entry| entry.and_then(|entry| info(&entry)).transpose())
                .take(BATCH)
                .collect();
            Ok((!batch.is_empty()).then(|| (stream::iter(batch), walk)))
        })
    })
    .try_flatten()
    .boxed()
}

/// What is to be said of `entry`; `None` if it is not a body, or is no more.
fn info(entry: &DirEntry) -> Result<Option<BlobInfo>> {
    let (file, path) = (entry.file_name(), entry.path());
    let Some(name) = file.to_str().and_then(parse_file_name) else {
        return Ok(None);
    };
    if !path
        .parent()
        .is_some_and(|shard| shard.ends_with(shard_of(&name)))
    {
        // In the wrong shard: nothing finds it under its name.
        return Ok(None);
    }
    let metadata = match entry.metadata() {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&path, error)),
    };
    let modified = metadata.modified().map_err(|e| failed(&path, e))?;
    Ok(Some(BlobInfo {
        name,
        len: metadata.len(),
        modified: modified.into(),
    }))
}

fn failed(path: &Path, error: io::Error) -> terrace_core::Error {
    from_io(OP, &format!("cannot list {}", path.display()), error)
}
