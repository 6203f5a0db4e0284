use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_cache::storage::HitHandler;
use terrace_core::{Body, Error, ErrorKind, ReadBody, Result};

use super::storage_error;

/// The body of a Pingora storage's hit, held to the length it was stored with.
pub(super) struct StorageBody {
    handler: HitHandler,
    len: u64,
    /// Bytes still to come of the range asked for.
    left: u64,
    failed: bool,
}

impl StorageBody {
    pub(super) fn new(handler: HitHandler, len: u64) -> Self {
        Self {
            handler,
            len,
            left: len,
            failed: false,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.left > 0 {
            let read = self.handler.read_body().await;
            let Some(piece) = read.map_err(|error| storage_error("read_body", error))? else {
                return Err(corrupt("ends early"));
            };
            let came = piece.len() as u64;
            self.left = self
                .left
                .checked_sub(came)
                .ok_or_else(|| corrupt("is too long"))?;
            if came > 0 {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

fn corrupt(what: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "storage_tier.read",
        format!("the stored body {what}"),
    )
}

#[async_trait]
impl ReadBody for StorageBody {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        if self.failed {
            return Err(corrupt("failed before"));
        }
        let piece = self.next().await;
        self.failed = piece.is_err();
        piece
    }

    fn seek(&mut self, range: Range<u64>) -> Result<()> {
        Body::check_range(&range, self.len)?;
        let unsupported = || {
            let message = "the pingora storage cannot seek in this body";
            Error::new(ErrorKind::Unsupported, "storage_tier.seek", message)
        };
        if !self.handler.can_seek() {
            return Err(unsupported());
        }
        // Pingora's storages refuse a start at the end, where there is nothing to read.
        if range.start < range.end {
            let start = usize::try_from(range.start).map_err(|_| unsupported())?;
            let end = usize::try_from(range.end).map_err(|_| unsupported())?;
            self.handler
                .seek(start, Some(end))
                .map_err(|error| storage_error("seek", error))?;
        }
        self.left = range.end - range.start;
        Ok(())
    }
}
