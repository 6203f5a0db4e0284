use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{BlockChecksums, Body, Error, ErrorKind, Generation, Key, ReadBody, Result};

use crate::guard::Guard;
use crate::progress::Follower;
use crate::promotion::Promotions;
use crate::pump::Pump;
use crate::rescue::Rescue;
use crate::stack::Shared;

use recovery::{Recovered, Recovery, Whence};

mod recovery;

/// The body of a hit.
///
/// Reading it promotes it. When its tier fails halfway, it goes on from another tier that has the same
/// generation, then from its [`Rescue`]; only when nobody has the bytes does the reader get an error. It never
/// ends before its length (P1), and dropping it unread costs nothing.
pub struct HitBody {
    source: Source,
    /// What to fall back on; a body in progress has nothing.
    whence: Option<Whence>,
    position: u64,
    /// Where it ends; `None` while that is not known.
    end: Option<u64>,
    len: Option<u64>,
    promotions: Promotions,
    rescue: Option<Arc<dyn Rescue>>,
}

enum Source {
    Whole(Body),
    Pump(Pump),
    Follow(Follower),
    /// The last one failed, and another one is being looked for.
    Sought(Recovery),
    /// There is none.
    Lost,
}

/// Which body a tier holds.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) generation: Generation,
    /// Where the tier knows them.
    pub(crate) checksums: Option<Arc<BlockChecksums>>,
}

impl HitBody {
    pub(crate) fn following(follower: Follower, len: Option<u64>) -> Self {
        Self {
            source: Source::Follow(follower),
            whence: None,
            position: 0,
            end: len,
            len,
            promotions: Promotions::default(),
            rescue: None,
        }
    }

    pub(crate) fn stored(
        shared: &Arc<Shared>,
        guard: &Arc<Guard>,
        what: Stored,
        body: Body,
        promotions: Promotions,
    ) -> Self {
        // The checksums first: bytes that are fewer are a body cut short (P1).
        let len = match (&what.checksums, &body) {
            (Some(checksums), _) => Some(checksums.len()),
            (None, Body::Bytes { bytes, .. }) => Some(bytes.len() as u64),
            (None, Body::Stream(_)) => None,
        };
        Self {
            source: Source::new(shared, guard, body),
            whence: Some(Whence::new(shared, guard, what)),
            position: 0,
            end: len,
            len,
            promotions,
            rescue: None,
        }
    }

    /// The length of the whole body, where it is known.
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Whether the whole body is known to be empty.
    pub fn is_empty(&self) -> bool {
        self.len == Some(0)
    }

    /// Whether all of it is in memory, so that reading it neither waits nor fails.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.source, Source::Whole(Body::Bytes { .. }))
    }

    /// Length and checksums of the whole body, where its tier knows them.
    pub(crate) fn checksums(&self) -> Option<&Arc<BlockChecksums>> {
        self.whence.as_ref()?.what.checksums.as_ref()
    }

    /// Names another source for the case that every tier fails in the middle.
    pub fn set_rescue(&mut self, rescue: Arc<dyn Rescue>) {
        self.rescue = Some(rescue);
    }

    /// The next piece, never empty; `None` at the end of the body or of the range sought.
    ///
    /// - Cancellation: a dropped future loses nothing, and what it was waiting for goes on with the next one: read again.
    /// - Errors: every source failed. What was read so far is right, and it is not the whole.
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.end == Some(self.position) {
                if self.len == Some(0) {
                    // An empty body has no piece whose passing would promote it.
                    self.promotions.feed(&Bytes::new()).await;
                }
                return Ok(None);
            }
            if let Source::Sought(recovery) = &mut self.source {
                let recovered = recovery.await;
                self.go_on(recovered)?;
                continue;
            }
            let failure = match self.source.read().await {
                Ok(Some(piece)) if self.fits(&piece) => return Ok(Some(self.take(piece).await)),
                Ok(Some(_)) => self.broken("the body is longer than its metadata says"),
                Ok(None) if self.end.is_none() => return Ok(None),
                Ok(None) => self.broken("the body ended early"),
                Err(error) => error,
            };
            self.fail_over(failure)?;
        }
    }

    /// Continues with the bytes of `range` (end exclusive), forwards or backwards. A body that was sought is not
    /// promoted: promotion wants the whole.
    ///
    /// Errors with `Invalid` if the range leaves the body, `Unsupported` if it [cannot seek](Self::can_seek).
    pub fn seek(&mut self, range: Range<u64>) -> Result<()> {
        let Some(len) = self.len.filter(|_| self.can_seek()) else {
            let message = "the body is in progress, or of unknown length";
            return Err(Error::new(ErrorKind::Unsupported, "body.seek", message));
        };
        Body::check_range(&range, len)?;
        self.promotions.poison();
        (self.position, self.end) = (range.start, Some(range.end));
        match &mut self.source {
            Source::Whole(body) => body.seek(range),
            Source::Pump(pump) => {
                // A pump that is gone is replaced by the next read.
                let _ = pump.seek(range);
                Ok(())
            }
            Source::Follow(_) => Ok(()),
            // The one that is being looked for would begin elsewhere.
            Source::Sought(_) | Source::Lost => {
                self.source = Source::Lost;
                Ok(())
            }
        }
    }

    /// Whether [`seek`](Self::seek) works: not for a body in progress.
    pub fn can_seek(&self) -> bool {
        self.whence.is_some() && self.len.is_some()
    }

    fn fits(&self, piece: &Bytes) -> bool {
        self.end
            .is_none_or(|end| self.position + piece.len() as u64 <= end)
    }

    async fn take(&mut self, piece: Bytes) -> Bytes {
        self.position += piece.len() as u64;
        if let Some(whence) = &self.whence {
            whence
                .guard
                .stats
                .served_bytes
                .increment(piece.len() as u64);
        }
        self.promotions.feed(&piece).await;
        piece
    }

    fn broken(&self, what: &str) -> Error {
        let message = format!("{what} (at byte {} of {:?})", self.position, self.end);
        Error::new(ErrorKind::Corrupt, "body.read", message)
    }

    /// Begins to look for another source for what is left; answers `failure` where there cannot be one.
    fn fail_over(&mut self, failure: Error) -> Result<()> {
        let (Some(whence), Some(end)) = (&mut self.whence, self.end) else {
            return Err(failure);
        };
        let left = self.position..end;
        let recovery = whence.recover(left, self.rescue.clone(), failure);
        self.source = Source::Sought(recovery);
        Ok(())
    }

    /// Goes on from the source that was found.
    fn go_on(&mut self, recovered: Result<Recovered>) -> Result<()> {
        self.source = Source::Lost;
        let recovered = recovered.inspect_err(|_| self.rescue = None)?;
        match (recovered.guard, &mut self.whence) {
            (Some(guard), Some(whence)) => whence.guard = guard,
            // One rescue: an origin that dies as well is the end.
            _ => self.rescue = None,
        }
        self.source = recovered.source;
        Ok(())
    }
}

impl Source {
    fn new(shared: &Shared, guard: &Arc<Guard>, body: Body) -> Self {
        match body {
            Body::Stream(_) if !guard.is_memory() => Self::Pump(Pump::new(
                Arc::clone(guard),
                shared.limits.read_deadline,
                body,
            )),
            body => Self::Whole(body),
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Whole(body) => body.read().await,
            Self::Pump(pump) => pump.read().await,
            Self::Follow(follower) => follower.read().await,
            Self::Sought(_) | Self::Lost => {
                let message = "nobody has the rest of the body";
                Err(Error::new(ErrorKind::Unavailable, "body.read", message))
            }
        }
    }
}

#[async_trait]
impl ReadBody for HitBody {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        Self::read(self).await
    }

    fn seek(&mut self, range: Range<u64>) -> Result<()> {
        Self::seek(self, range)
    }
}

impl From<HitBody> for Body {
    fn from(body: HitBody) -> Self {
        Self::Stream(Box::new(body))
    }
}

impl std::fmt::Debug for HitBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = match (&self.source, &self.whence) {
            (Source::Follow(_), _) => "filling",
            (_, Some(whence)) => whence.guard.level.as_str(),
            (_, None) => "nowhere",
        };
        write!(f, "HitBody({source}, {}..{:?})", self.position, self.end)
    }
}
