use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use futures::stream::BoxStream;
use terrace_core::{BlobInfo, Result};

use crate::blocking::blocking;
use crate::config::LocalConfig;
use crate::error::from_io;
use crate::layout::shards;

mod lock;
mod sweep;
mod walk;

const OPEN: &str = "object_store.open";

/// A directory of bodies that this process has open.
pub(crate) struct LocalDir {
    root: PathBuf,
    /// Held, shared, as long as anything of this process may write here.
    _lock: File,
    swept: u64,
}

impl LocalDir {
    /// Makes the directory if need be, checks that it can be used, and sweeps it. Blocks.
    pub(crate) fn open(dir: &Path, config: &LocalConfig) -> Result<Self> {
        let dir = std::path::absolute(dir).map_err(|e| failed("cannot name", dir, e))?;
        let existed = first_existing(&dir);
        fs::create_dir_all(&dir).map_err(|e| failed("cannot create the directory", &dir, e))?;
        let root = fs::canonicalize(&dir).map_err(|e| failed("cannot resolve", &dir, e))?;
        probe(&root).map_err(|e| failed("cannot create files in", &root, e))?;
        make_shards(&root)?;
        if config.fsync {
            for changed in dir.ancestors() {
                sync_dir(changed).map_err(|e| failed("cannot sync", changed, e))?;
                if changed == existed {
                    break;
                }
            }
        }
        let (lock, swept) = lock::open(&root.join(".lock"), |alone| {
            sweep::sweep(&root, (!alone).then_some(config.stale_after))
        })?;
        Ok(Self {
            root,
            _lock: lock,
            swept,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn swept(&self) -> u64 {
        self.swept
    }

    /// Every body in the directory.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<BlobInfo>> {
        walk::list(&self.root)
    }

    /// Removes what an upload to `path` may have left.
    pub(crate) async fn remove_staging(&self, path: &object_store::path::Path) {
        // The first staging file of a path, and the only one: each is written once, by one writer.
        let staging = self.root.join(format!("{path}#1"));
        let removed = blocking("object_store.abort", move || {
            match fs::remove_file(&staging) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    Err(failed("cannot remove", &staging, e))
                }
                _ => Ok(()),
            }
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "a half-written file stays until the next start");
        }
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> terrace_core::Error {
    from_io(OPEN, &format!("{what} {}", path.display()), error)
}

/// The deepest directory of `dir`'s path that is there already.
fn first_existing(dir: &Path) -> PathBuf {
    let existing = dir.ancestors().find(|dir| dir.exists());
    existing.unwrap_or(dir).to_path_buf()
}

fn probe(root: &Path) -> io::Result<()> {
    let probe = root.join(".probe");
    File::create(&probe)?;
    match fs::remove_file(&probe) {
        // Another process that starts removed it.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes every directory there will ever be. Once they are on the disk, a body needs no more than its own directory
/// to be synced.
fn make_shards(root: &Path) -> Result<()> {
    for shard in shards() {
        let shard = root.join(shard);
        match fs::create_dir(&shard) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && shard.is_dir() => {}
            made => made.map_err(|e| failed("cannot create the directory", &shard, e))?,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere directories cannot be synced.
#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
