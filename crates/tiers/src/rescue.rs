use std::collections::VecDeque;
use std::ops::Range;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use terrace_core::{Error, ErrorKind, ReadBody, Result, Verifier};

/// Another source for the rest of a body, asked when every tier failed in the middle of it. For a
/// proxy, the origin.
///
/// It need not be trusted: what it yields is verified against the stored checksums, block by block,
/// before a byte is passed on. An origin whose content changed since is found out, and the reader
/// gets an error instead of a body patched together from two.
#[async_trait]
pub trait Rescue: Send + Sync {
    /// The bytes `range` of the body of `len` bytes.
    async fn resume(&self, range: Range<u64>, len: u64) -> Result<Box<dyn ReadBody>>;
}

/// What a rescue yields, verified, and trimmed to what is still wanted.
pub(crate) struct Rescued {
    inner: Box<dyn ReadBody>,
    verifier: Verifier,
    verified: VecDeque<Bytes>,
    /// Verified bytes before the first one wanted.
    skip: u64,
    left: u64,
}

impl Rescued {
    /// `inner` begins at `verifier`'s position; `wanted` lies within what it yields.
    pub(crate) fn new(inner: Box<dyn ReadBody>, verifier: Verifier, wanted: &Range<u64>) -> Self {
        let skip = wanted.start - verifier.position();
        Self {
            inner,
            verifier,
            verified: VecDeque::new(),
            skip,
            left: wanted.end - wanted.start,
        }
    }
}

#[async_trait]
impl ReadBody for Rescued {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        while self.left > 0 {
            let Some(mut piece) = self.verified.pop_front() else {
                let piece = self.inner.read().await?.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Unavailable,
                        "rescue.read",
                        "the other source ended early",
                    )
                })?;
                self.verifier.push(piece, &mut self.verified)?;
                continue;
            };
            let skipped = self.skip.min(piece.len() as u64);
            self.skip -= skipped;
            piece.advance(usize::try_from(skipped).unwrap_or(usize::MAX));
            piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !piece.is_empty() {
                self.left -= piece.len() as u64;
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn seek(&mut self, _: Range<u64>) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "rescue.seek",
            "a rescued body cannot seek",
        ))
    }
}
