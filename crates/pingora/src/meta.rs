use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pingora_cache::CacheMeta;
use pingora_error::BError;
use terrace_core::{Decoded, Meta, Timestamp};

use parsed::Parsed;

mod lean;
mod parsed;

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
    parsed(&meta)?;
    Ok(meta)
}

/// Puts a Pingora `CacheMeta` together again, stale since `expired_at` if that says so.
///
/// What is stored is read once per stored object and shared by its hits ([`Meta::decoded`]); a hit pays for a clone of
/// the header. Where Pingora has carried the history of an earlier response over (a revalidation, a new response in
/// the place of a stale one), a hit pays for reading the small internal part besides.
pub fn decode_meta(meta: &Meta, expired_at: Option<Timestamp>) -> Result<CacheMeta, MetaError> {
    let mut cache_meta = parsed(meta)?.cache_meta(meta)?;
    if let Some(at) = expired_at {
        cache_meta.expire_at(at.into());
    }
    Ok(cache_meta)
}

fn parsed(meta: &Meta) -> Result<&Parsed, MetaError> {
    let mut failed = None;
    let parsed = meta.decoded.get_or_try_init(|| {
        let parsed = Parsed::of(meta);
        parsed.map_err(|error| failed = Some(error)).ok()
    });
    parsed.ok_or_else(|| {
        failed.unwrap_or(MetaError(
            "another program's parsed form is in the way".into(),
        ))
    })
}

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
