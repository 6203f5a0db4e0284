use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use pingora_cache::CacheMeta;
use pingora_error::BError;
use pingora_http::ResponseHeader;
use terrace_core::{Decoded, Meta, Timestamp};

/// Takes a Pingora `CacheMeta` apart into what Terrace stores.
///
/// `internal` and `header` are the two parts of `CacheMeta::serialize`, opaque from then on; the three moments are
/// what the tiers need to know. Errors if Pingora could not read the header back: it writes headers it
/// refuses to read (more than 256 fields, more than 128 KiB), and storing such an object would only
/// make it a miss for ever.
pub fn encode_meta(meta: &CacheMeta) -> Result<Meta, MetaError> {
    let (internal, header) = meta
        .serialize()
        .map_err(|cause| MetaError::new("serialize", &cause))?;
    let fresh_until = Timestamp::from(meta.fresh_until());
    let stale_secs = meta
        .stale_while_revalidate_sec()
        .max(meta.stale_if_error_sec());
    let meta = Meta {
        updated: meta.updated().into(),
        fresh_until,
        stale_until: fresh_until.after(Duration::from_secs(stale_secs.into())),
        internal: internal.into(),
        header: header.into(),
        tags: Arc::default(),
        decoded: Decoded::default(),
    };
    parsed_header(&meta)?;
    Ok(meta)
}

/// Puts a Pingora `CacheMeta` together again, stale since `expired_at` if that says so.
///
/// The header is parsed once per stored object and shared by its hits ([`Meta::decoded`]); a hit only pays for the
/// small internal part and a clone.
pub fn decode_meta(meta: &Meta, expired_at: Option<Timestamp>) -> Result<CacheMeta, MetaError> {
    let header = parsed_header(meta)?;
    let mut cache_meta = CacheMeta::deserialize(&meta.internal, &EMPTY.header)
        .map_err(|cause| MetaError::new("read the internal part of", &cause))?;
    *cache_meta.response_header_mut() = header.clone();
    if let Some(at) = expired_at {
        cache_meta.expire_at(at.into());
    }
    Ok(cache_meta)
}

fn parsed_header(meta: &Meta) -> Result<&ResponseHeader, MetaError> {
    let mut failed = None;
    let parsed = meta.decoded.get_or_try_init(|| {
        let whole = CacheMeta::deserialize(&EMPTY.internal, &meta.header);
        whole
            .map(|whole| whole.response_header_copy())
            .map_err(|cause| failed = Some(MetaError::new("read the header of", &cause)))
            .ok()
    });
    parsed.ok_or_else(|| {
        failed.unwrap_or(MetaError(
            "another program's parsed form is in the way".into(),
        ))
    })
}

/// The smallest parts Pingora reads: each stands in for the one that is not of interest.
struct Parts {
    internal: Vec<u8>,
    header: Vec<u8>,
}

/// Empty parts if Pingora cannot serialize an empty header: then nothing decodes, and all is a miss.
static EMPTY: LazyLock<Parts> = LazyLock::new(|| {
    let epoch = SystemTime::UNIX_EPOCH;
    let parts = ResponseHeader::build(200, Some(0))
        .map(|header| CacheMeta::new(epoch, epoch, 0, 0, header))
        .and_then(|meta| meta.serialize());
    let (internal, header) = parts.unwrap_or_default();
    Parts { internal, header }
});

/// Metadata that Pingora cannot write or cannot read.
///
/// Reading fails for what another version of Pingora wrote, or for a header compressed with another dictionary
/// (`set_compression_dict_path`): after such a change the cache is cold.
pub struct MetaError(String);

impl MetaError {
    /// Keeps of the cause what may be shown: Pingora's own text quotes the header, which may
    /// carry a secret (promise P11).
    fn new(what: &str, cause: &BError) -> Self {
        Self(format!(
            "cannot {what} a response's metadata ({})",
            cause.root_etype().as_str()
        ))
    }
}

impl fmt::Display for MetaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MetaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetaError({self})")
    }
}

impl std::error::Error for MetaError {}

#[cfg(test)]
mod tests;
