use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use parking_lot::Mutex;
use pingora_cache::storage::{HandleHit, HitHandler, Storage};
use pingora_cache::trace::SpanHandle;
use pingora_cache::{CacheEntryId, CacheKey};
use pingora_error::Result;
use terrace_core::{Error, ErrorKind, Generation};
use terrace_tiers::{HitBody, Rescue, Source, TierHit};

use crate::error::Op;
use crate::purge::entry_id;

/// The body of a hit, as Pingora reads it: what is in the [`HitHandler`] of every hit of a
/// [`TerraceStorage`](crate::TerraceStorage). It never ends before its length (P1), and a read that Pingora drops, as its
/// select loops do, loses nothing.
///
/// ```
/// # use std::sync::Arc;
/// # use pingora_cache::storage::HitHandler;
/// # use terrace_pingora::HitReader;
/// # use terrace_tiers::Rescue;
/// // In `cache_hit_filter`:
/// # fn filter(handler: &mut HitHandler, rescue: impl FnOnce() -> Arc<dyn Rescue>) {
/// if let Some(reader) = HitReader::of(handler).filter(|reader| reader.can_fail()) {
///     reader.set_rescue(rescue());
/// }
/// # }
/// ```
pub struct HitReader {
    /// Never locked: Pingora wants a `Sync` handler, and calls it by `&mut` only. `None` once all that is wanted was
    /// read: the reader of a body in progress must not be waited for any longer.
    body: Mutex<Option<HitBody>>,
    /// Of a body in progress, the part that is wanted.
    part: Option<Part>,
    generation: Generation,
    filling: bool,
    seekable: bool,
    in_memory: bool,
    /// Bytes of the whole body, where known.
    len: Option<u64>,
}

impl HitReader {
    /// The reader in `handler`; `None` if another storage made it.
    pub fn of(handler: &mut HitHandler) -> Option<&mut Self> {
        handler.as_any_mut().downcast_mut()
    }

    /// Whether reading it may fail: not if all of it is in memory.
    pub fn can_fail(&self) -> bool {
        !self.in_memory
    }

    /// Gives it another source for the rest of a body that every tier fails to deliver. A body that is still on its way
    /// from the origin has no use for it.
    pub fn set_rescue(&mut self, rescue: Arc<dyn Rescue>) {
        if let Some(body) = self.body.get_mut() {
            body.set_rescue(rescue);
        }
    }

    pub(crate) fn new(hit: TierHit) -> Self {
        let filling = matches!(hit.source, Source::Filling);
        Self {
            seekable: hit.len.is_some() && (filling || hit.body.can_seek()),
            in_memory: hit.body.is_in_memory(),
            body: Mutex::new(Some(hit.body)),
            part: None,
            generation: hit.generation,
            filling,
            len: hit.len,
        }
    }

    /// A range of Pingora's as one of Terrace's: an end past the body is the body's end.
    fn range(&self, start: usize, end: Option<usize>) -> terrace_core::Result<Range<u64>> {
        let (Some(len), true) = (self.len, self.seekable) else {
            return Err(bad_seek(
                ErrorKind::Unsupported,
                "this body cannot seek".to_owned(),
            ));
        };
        let start = start as u64;
        let end = end.map_or(len, |end| len.min(end as u64));
        if start >= len || end < start {
            let message = format!("bytes {start}..{end} of a body of {len}");
            return Err(bad_seek(ErrorKind::Invalid, message));
        }
        Ok(start..end)
    }

    /// A body in progress cannot seek, but it can be read past: up to the range, which comes when the origin has sent
    /// it. Once, and before the first read.
    fn wait_for(&mut self, range: &Range<u64>) -> terrace_core::Result<()> {
        if self.part.is_some() {
            let message = "a body in progress seeks once, before it is read".to_owned();
            return Err(bad_seek(ErrorKind::Unsupported, message));
        }
        self.part = Some(Part {
            skip: range.start,
            left: range.end - range.start,
        });
        Ok(())
    }
}

/// What is wanted of a body that is read from its first byte on.
struct Part {
    /// Bytes before it that are still to come.
    skip: u64,
    /// Bytes of it that are still to come.
    left: u64,
}

impl Part {
    const WHOLE: Self = Self {
        skip: 0,
        left: u64::MAX,
    };

    /// What is wanted of the body's next piece.
    fn take(&mut self, mut piece: Bytes) -> Bytes {
        let skipped = self.skip.min(piece.len() as u64);
        self.skip -= skipped;
        // Both are at most the piece's length, which is a `usize`.
        piece.advance(usize::try_from(skipped).unwrap_or(usize::MAX));
        piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= piece.len() as u64;
        piece
    }
}

fn bad_seek(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, "hit.seek", message)
}

#[async_trait]
impl HandleHit for HitReader {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let body = self.body.get_mut();
        loop {
            let Some(reader) = body.as_mut() else {
                return Ok(None);
            };
            let piece = reader.read().await;
            let Some(piece) = piece.map_err(|error| Op::ReadBody.error(error))? else {
                return Ok(None);
            };
            if !self.filling {
                return Ok(Some(piece));
            }
            // No await from here on: a read that is dropped loses nothing.
            let part = self.part.get_or_insert(Part::WHOLE);
            let piece = part.take(piece);
            if part.left == 0 {
                *body = None;
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// Nothing is left to do: what a hit promotes, it promotes while it is read.
    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &CacheKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        self.seekable
    }

    /// One range of a body in progress can be waited for; of several, Pingora takes the parts out of the whole.
    fn can_seek_multipart(&self) -> bool {
        self.seekable && !self.filling
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        let range = self.range(start, end);
        let sought = range.and_then(|range| {
            if self.filling {
                return self.wait_for(&range);
            }
            let body = self.body.get_mut().as_mut();
            body.map_or(Ok(()), |body| body.seek(range))
        });
        sought.map_err(|error| Op::Seek.error(error))
    }

    fn should_count_access(&self) -> bool {
        !self.filling
    }

    fn get_eviction_weight(&self) -> usize {
        self.len
            .map_or(0, |len| usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn entry_id(&self) -> Option<CacheEntryId> {
        Some(entry_id(self.generation))
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}
