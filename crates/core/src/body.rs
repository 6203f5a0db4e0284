use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};

/// The body of a hit, read piece by piece.
///
/// Nothing is opened until the first [`read`](Self::read), and dropping it is cheap: a hit is often
/// dropped unread (a `HEAD`, a 304, a lookup that is repeated).
pub enum Body {
    /// The whole body, in memory. Reading clones a reference, not the bytes.
    Bytes {
        /// The whole body.
        bytes: Bytes,
        /// What is left to be read of it.
        unread: Range<usize>,
    },
    /// A body that is fetched while it is read.
    Stream(Box<dyn ReadBody>),
}

/// A body that is fetched while it is read.
#[async_trait]
pub trait ReadBody: Send {
    /// The next piece, never empty; `None` at the end of the body or of the range asked for.
    ///
    /// - Effect: advances.
    /// - Cancellation: a dropped future may lose a piece; drop the body, too.
    /// - Errors: after one, the body is finished. It is never ended early by a `None`
    ///   (promise P1): `Corrupt` when the bytes are not those stored, `NotFound` when the
    ///   body vanished under its metadata.
    async fn read(&mut self) -> Result<Option<Bytes>>;

    /// Continues with the bytes of `range` (end exclusive), forwards or backwards.
    ///
    /// - Effect: only this reader's position; fetches nothing yet.
    /// - Errors: `Invalid` if the range starts after its end or leaves the body, `Unsupported` if this
    ///   body cannot seek. The position is then unchanged.
    fn seek(&mut self, range: Range<u64>) -> Result<()>;
}

impl Body {
    /// A body that is in memory as a whole.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let unread = 0..bytes.len();
        Self::Bytes { bytes, unread }
    }

    /// The next piece; see [`ReadBody::read`].
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Bytes { bytes, unread } if unread.start < unread.end => {
                let piece = bytes.slice(unread.clone());
                unread.start = unread.end;
                Ok(Some(piece))
            }
            Self::Bytes { .. } => Ok(None),
            Self::Stream(body) => body.read().await,
        }
    }

    /// Continues with `range`; see [`ReadBody::seek`].
    pub fn seek(&mut self, range: Range<u64>) -> Result<()> {
        match self {
            Self::Bytes { bytes, unread } => {
                check_range(&range, bytes.len() as u64)?;
                #[expect(clippy::cast_possible_truncation, reason = "checked against a usize")]
                let range = range.start as usize..range.end as usize;
                *unread = range;
                Ok(())
            }
            Self::Stream(body) => body.seek(range),
        }
    }

    /// Reads what is left into one buffer: for small bodies and tests.
    pub async fn read_all(&mut self) -> Result<Bytes> {
        let Some(first) = self.read().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.read().await? else {
            return Ok(first);
        };
        let mut all = Vec::from(first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.read().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    /// Checks a range against a body of `len` bytes: `Invalid` if it is reversed or leaves it.
    pub fn check_range(range: &Range<u64>, len: u64) -> Result<()> {
        check_range(range, len)
    }
}

fn check_range(range: &Range<u64>, len: u64) -> Result<()> {
    if range.start <= range.end && range.end <= len {
        return Ok(());
    }
    let message = format!("bytes {}..{} of a body of {len}", range.start, range.end);
    Err(Error::new(ErrorKind::Invalid, "body.seek", message))
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { bytes, unread } => write!(f, "Bytes({unread:?} of {})", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
