use std::sync::LazyLock;
use std::time::SystemTime;

use pingora_cache::CacheMeta;
use pingora_cache::key::HashBinary;
use pingora_error::BError;
use pingora_http::ResponseHeader;
use terrace_core::Meta;

use super::MetaError;
use super::lean::lean;

/// Metadata as a hit wants it: taken apart once per stored object, and shared by its hits.
pub(super) struct Parsed {
    header: ResponseHeader,
    /// The internal part, if Pingora's public constructor can make it again.
    internal: Option<Internal>,
}

impl Parsed {
    pub(super) fn of(meta: &Meta) -> Result<Self, MetaError> {
        let with_header = CacheMeta::deserialize(&EMPTY.internal, &meta.header)
            .map_err(|cause| MetaError::new("read the header of", &cause))?;
        let with_internal = read_internal(&meta.internal)?;
        let internal = Internal::of(&with_internal);
        Ok(Self {
            header: lean(with_header.response_header()),
            internal: Some(internal).filter(|it| it.serializes_to(&meta.internal)),
        })
    }

    /// A `CacheMeta` of one hit's own.
    pub(super) fn cache_meta(&self, meta: &Meta) -> Result<CacheMeta, MetaError> {
        let header = self.header.clone();
        if let Some(internal) = &self.internal {
            return Ok(internal.with(header));
        }
        let mut cache_meta = read_internal(&meta.internal)?;
        *cache_meta.response_header_mut() = header;
        Ok(cache_meta)
    }
}

/// The internal part as far as Pingora lets others see and set it.
///
/// What it does not let set is when a revalidated response was first created, and the provenance of one that took
/// another's place. Such a part is read from its bytes by every hit, which takes a microsecond: reading comes only
/// together with a header.
struct Internal {
    fresh_until: SystemTime,
    created: SystemTime,
    stale_while_revalidate_sec: u32,
    stale_if_error_sec: u32,
    variance: Option<HashBinary>,
    epoch_override: Option<SystemTime>,
}

impl Internal {
    fn of(meta: &CacheMeta) -> Self {
        Self {
            fresh_until: meta.fresh_until(),
            created: meta.created(),
            stale_while_revalidate_sec: meta.stale_while_revalidate_sec(),
            stale_if_error_sec: meta.stale_if_error_sec(),
            variance: meta.variance(),
            epoch_override: meta.epoch_override(),
        }
    }

    fn with(&self, header: ResponseHeader) -> CacheMeta {
        let mut meta = CacheMeta::new(
            self.fresh_until,
            self.created,
            self.stale_while_revalidate_sec,
            self.stale_if_error_sec,
            header,
        );
        if let Some(variance) = self.variance {
            meta.set_variance_key(variance);
        }
        if let Some(epoch) = self.epoch_override {
            meta.set_epoch_override(epoch);
        }
        meta
    }

    /// Asks Pingora instead of knowing its fields: one that a later version adds makes hits slower, not wrong.
    fn serializes_to(&self, stored: &[u8]) -> bool {
        let made = ResponseHeader::build(200, Some(0)).map(|header| self.with(header));
        let serialized = made.and_then(|made| made.serialize());
        serialized.is_ok_and(|(internal, _)| internal == stored)
    }
}

fn read_internal(internal: &[u8]) -> Result<CacheMeta, MetaError> {
    CacheMeta::deserialize(internal, &EMPTY.header)
        .map_err(|cause| MetaError::new("read the internal part of", &cause))
}

/// The smallest parts Pingora reads: each stands in for the one that is not of interest.
struct Parts {
    internal: Vec<u8>,
    header: Vec<u8>,
}

/// Empty parts if Pingora cannot serialize an empty header: then nothing decodes, and all is a miss.
static EMPTY: LazyLock<Parts> = LazyLock::new(|| {
    let epoch = SystemTime::UNIX_EPOCH;
    let parts: Result<_, BError> = ResponseHeader::build(200, Some(0))
        .map(|header| CacheMeta::new(epoch, epoch, 0, 0, header))
        .and_then(|meta| meta.serialize());
    let (internal, header) = parts.unwrap_or_default();
    Parts { internal, header }
});
