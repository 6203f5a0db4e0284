use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pingora_cache::CacheMeta;
use pingora_http::ResponseHeader;
use serde::{Deserialize, Serialize};
use terrace_core::{
    BlockChecksums, Body, Error, ErrorKind, Fence, Generation, Hit, Key, Meta, Result, Timestamp,
};

use super::body::StorageBody;

/// The largest record, in bytes, that a storage is given: metadata, response header and checksums together.
/// Pingora does not read back a header of more than 128 KiB, and base64 takes a third on top.
pub const MAX_RECORD_BYTES: usize = 90 * 1024;

/// The field of the storage's response header that holds the record.
const FIELD: &str = "terrace-record";

/// Everything Terrace knows of an object in a storage.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Checked when it is read: bytes of one key never appear under another (P10).
    pub(super) key: Key,
    pub(super) incarnation: u64,
    /// The epoch of its group's slot when it was committed or last confirmed.
    pub(super) born: u64,
    pub(super) generation: Generation,
    pub(super) meta: Meta,
    pub(super) expired_at: Option<Timestamp>,
    pub(super) checksums: Arc<BlockChecksums>,
}

impl Record {
    /// The record in `meta`; `None` if it has none of ours.
    pub(super) fn read(meta: &CacheMeta) -> Option<Self> {
        let field = meta.headers().get(FIELD)?;
        let bytes = STANDARD_NO_PAD.decode(field.as_bytes()).ok()?;
        let record: Self = postcard::from_bytes(&bytes).ok()?;
        record.checksums.is_consistent().then_some(record)
    }

    /// A `CacheMeta` that holds the record, and lives in the storage for as long as the object is of use.
    ///
    /// Errors with `Exhausted` above [`MAX_RECORD_BYTES`].
    pub(super) fn write(&self) -> Result<CacheMeta> {
        let bytes = postcard::to_stdvec(self).map_err(|error| unwritable().with_source(error))?;
        if bytes.len() > MAX_RECORD_BYTES {
            let message = format!(
                "a record of {} bytes; at most {MAX_RECORD_BYTES} fit",
                bytes.len()
            );
            return Err(Error::new(
                ErrorKind::Exhausted,
                "storage_tier.record",
                message,
            ));
        }
        let mut header = ResponseHeader::build_no_case(200, Some(1))
            .map_err(|error| unwritable().with_source(error))?;
        header
            .insert_header(FIELD, STANDARD_NO_PAD.encode(bytes))
            .map_err(|error| unwritable().with_source(error))?;
        let stale = self.meta.stale_until.since(self.meta.fresh_until);
        let stale = u32::try_from(stale.as_secs()).unwrap_or(u32::MAX);
        Ok(CacheMeta::new(
            self.meta.fresh_until.into(),
            self.meta.updated.into(),
            stale,
            stale,
            header,
        ))
    }

    /// Stale since `at`, or since earlier.
    pub(super) fn expire(&mut self, at: Timestamp) {
        self.expired_at = Some(self.expired_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn into_hit(self, body: StorageBody, fence: Fence) -> Hit {
        Hit {
            generation: self.generation,
            meta: self.meta,
            expired_at: self.expired_at,
            checksums: Some(self.checksums),
            body: Body::Stream(Box::new(body)),
            fence,
        }
    }
}

fn unwritable() -> Error {
    Error::new(
        ErrorKind::Internal,
        "storage_tier.record",
        "cannot write a record",
    )
}
