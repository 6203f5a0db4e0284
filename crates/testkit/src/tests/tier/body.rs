use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{Body, Key, ReadBody, Result};
use tokio::task::yield_now;

use super::Flaw;
use super::model::Shared;

/// A body that is read in pieces, and waits before each.
pub(super) struct ModelBody {
    pub(super) flaw: Flaw,
    pub(super) key: Key,
    pub(super) bytes: Bytes,
    pub(super) unread: Range<usize>,
    pub(super) ended: bool,
    pub(super) state: Shared,
}

#[async_trait]
impl ReadBody for ModelBody {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        const PIECE: usize = 30_000;
        yield_now().await;
        let now = self.state.lock().objects.get(&self.key).cloned();
        let source = match (self.flaw, now) {
            (Flaw::BodiesFollowTheKey, Some(now)) => now.body,
            (Flaw::BodiesEndWithTheirObject, None) => return Ok(None),
            _ => self.bytes.clone(),
        };
        let end = match self.flaw {
            Flaw::BodiesEndEarly => self.unread.end.saturating_sub(1),
            _ => self.unread.end,
        };
        let start = self.unread.start;
        let end = end.min(start + PIECE).min(source.len());
        if start >= end {
            if self.flaw == Flaw::BodiesHoldConnections && !self.ended {
                self.state.lock().used -= 1;
                self.ended = true;
            }
            return Ok(None);
        }
        self.unread.start = end;
        Ok(Some(source.slice(start..end)))
    }

    fn seek(&mut self, mut range: Range<u64>) -> Result<()> {
        let len = self.bytes.len() as u64;
        if self.flaw == Flaw::SeekClamps {
            range = range.start.min(len)..range.end.min(len);
        } else if let Err(refused) = Body::check_range(&range, len) {
            if self.flaw == Flaw::FailedSeekMoves {
                self.unread = 0..self.bytes.len();
            }
            return Err(refused);
        }
        let at = |n: u64| usize::try_from(n).unwrap();
        let (start, end) = (at(range.start), at(range.end));
        self.unread = match self.flaw {
            Flaw::SeekIgnoresTheEnd => start..self.bytes.len(),
            Flaw::SeekOnlyForwards => self.unread.start.max(start)..end,
            _ => start..end,
        };
        Ok(())
    }
}
