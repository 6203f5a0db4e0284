use std::time::Duration;

use object_store::path::Path;
use terrace_core::{Error, ErrorKind, Result};

use crate::layout::Layout;

pub(crate) const MIB: usize = 1024 * 1024;
/// The most parts of one body that are under way at the same time.
const MAX_PARALLEL: usize = 256;

/// How bodies are laid out in a store, and how they are uploaded.
#[derive(Debug, Clone)]
pub struct ObjectBlobConfig {
    /// Where in the store the bodies are, for example `"terrace/bodies"`; empty for its root. Nothing
    /// outside is read, written or listed.
    pub prefix: String,
    /// How names become paths.
    pub layout: Layout,
    /// Bytes per part, at least 1. A body of at most this size is written by one request. Most object stores
    /// want at least 5 MiB, and take at most 10,000 parts: 8 MiB allow bodies of 78 GiB.
    pub part_size: usize,
    /// Parts of one body that are uploaded at the same time, 1 to 256. A write holds at most
    /// `part_size * (parallel_parts + 1)` bytes of memory.
    pub parallel_parts: usize,
}

impl Default for ObjectBlobConfig {
    /// The root of the store, parts of 8 MiB, four at a time.
    fn default() -> Self {
        Self {
            prefix: String::new(),
            layout: Layout::Nested,
            part_size: 8 * MIB,
            parallel_parts: 4,
        }
    }
}

impl ObjectBlobConfig {
    /// The prefix as a path, if the whole configuration makes sense.
    pub(crate) fn check(&self) -> Result<Path> {
        let invalid = |message| Error::new(ErrorKind::Invalid, "object_store.config", message);
        if self.part_size == 0 {
            return Err(invalid("part_size is 0: give it bytes, say 8 MiB".into()));
        }
        if !(1..=MAX_PARALLEL).contains(&self.parallel_parts) {
            let got = self.parallel_parts;
            return Err(invalid(format!(
                "parallel_parts is {got}: choose 1 to {MAX_PARALLEL}"
            )));
        }
        Path::parse(&self.prefix).map_err(|error| {
            invalid(format!("prefix {:?} is not a path", self.prefix)).with_source(error)
        })
    }
}

/// How bodies are kept in a directory.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// Whether a finished body, and its place in the directory, are forced to the disk. On by default;
    /// without it the loss of power (not of the process) may leave manifests without bodies, which readers
    /// then find out.
    ///
    /// What it costs is the disk's to say. On one virtual disk a body of 16 KiB took 6.5 ms instead of 0.1 ms when
    /// written alone, and 0.2 ms each when sixteen were written at a time; a body of 64 MiB took as long
    /// either way.
    pub fsync: bool,
    /// Bytes that are written at once, at least 1. A body of at most this size is written by one call.
    pub part_size: usize,
    /// Parts of one body that may wait for the disk, 1 to 256.
    pub parallel_parts: usize,
    /// How old a leftover must be for a start to remove it while another process is alive; it might be that
    /// process's upload. Longer than any upload may stall.
    pub stale_after: Duration,
}

impl Default for LocalConfig {
    /// Forced to the disk, parts of 1 MiB, two at a time, leftovers stale after a day.
    fn default() -> Self {
        Self {
            fsync: true,
            part_size: MIB,
            parallel_parts: 2,
            stale_after: Duration::from_hours(24),
        }
    }
}

impl From<&LocalConfig> for ObjectBlobConfig {
    fn from(local: &LocalConfig) -> Self {
        Self {
            prefix: String::new(),
            layout: Layout::Sharded,
            part_size: local.part_size,
            parallel_parts: local.parallel_parts,
        }
    }
}
