use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// A file without a name for what slow readers have not read yet. The operating system removes it with its last
/// handle, also after a kill -9.
///
/// It is a ring: byte *n* of the body is at *n* modulo its size, so that a body of any length needs no more disk than its
/// slowest reader is behind. The window knows what was overwritten.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    size: u64,
}

/// The most that is read from a spool at once.
const READ_BYTES: u64 = 1024 * 1024;

impl Spool {
    /// Writes `chunks` to `spool`, or to a new one of `size` bytes in `dir`. Blocks.
    pub(crate) fn append(
        spool: Option<Arc<Self>>,
        dir: &Path,
        chunks: &[(u64, Bytes)],
        size: u64,
    ) -> io::Result<Arc<Self>> {
        let spool = match spool {
            Some(spool) => spool,
            None => Arc::new(Self {
                file: tempfile::tempfile_in(dir)?,
                size,
            }),
        };
        for (at, chunk) in chunks {
            spool.write(*at, chunk)?;
        }
        Ok(spool)
    }

    fn write(&self, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let place = at % self.size;
            let room = usize::try_from(self.size - place).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.file.write_all_at(now, place)?;
            at += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// The first bytes of `range`, which must have been written. Blocks.
    pub(crate) fn read(&self, range: &Range<u64>) -> io::Result<Bytes> {
        let place = range.start % self.size;
        let len = (range.end - range.start)
            .min(READ_BYTES)
            .min(self.size - place);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes.into())
    }
}
