use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quick_cache::Weighter;
use terrace_core::{BlockChecksums, Generation, Key, MAX_BLOCKS, MIN_BLOCK_SIZE, Meta, Timestamp};

pub(super) const OVERHEAD: u64 = 384;

/// An object as the cache holds it; replaced as a whole, never changed.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) generation: Generation,
    pub(super) meta: Meta,
    pub(super) expired_at: Option<Timestamp>,
    pub(super) checksums: Arc<BlockChecksums>,
    pub(super) body: Bytes,
    /// The group's epoch when it was committed.
    pub(super) born: u64,
    /// Computed once: the cache asks for it on every insertion and removal, and must hear the same.
    pub(super) weight: u64,
}

impl Object {
    /// An object yet to be born. `body` must not be part of a larger buffer.
    pub(super) fn new(
        generation: Generation,
        meta: Meta,
        checksums: Arc<BlockChecksums>,
        body: Bytes,
    ) -> Self {
        let weight = weight(&meta, checksums.len());
        Self {
            generation,
            meta: compact(meta),
            expired_at: None,
            checksums,
            body,
            born: 0,
            weight,
        }
    }

    /// The same object, stale since `at`.
    pub(super) fn expired(&self, at: Option<Timestamp>) -> Self {
        Self {
            generation: self.generation,
            meta: self.meta.clone(),
            expired_at: at,
            checksums: Arc::clone(&self.checksums),
            body: self.body.clone(),
            born: self.born,
            weight: self.weight,
        }
    }

    /// The same body, confirmed by the origin in epoch `born`.
    pub(super) fn confirmed(&self, meta: Meta, born: u64) -> Self {
        let checksums = Arc::clone(&self.checksums);
        Self {
            born,
            ..Self::new(self.generation, meta, checksums, self.body.clone())
        }
    }
}

/// What an object with this metadata and a body of `len` bytes weighs.
pub(super) fn weight(meta: &Meta, len: u64) -> u64 {
    let checksums = len.div_ceil(MIN_BLOCK_SIZE).min(MAX_BLOCKS as u64) * 4;
    let parsed = (meta.internal.len() + meta.header.len()) as u64;
    len.saturating_add(checksums + parsed + meta.weight() as u64 + OVERHEAD)
}

/// The same metadata in buffers of its own: its parts may be slices of something much larger, a whole
/// record with its inline body, which they would keep in memory.
fn compact(mut meta: Meta) -> Meta {
    let mut parts = BytesMut::with_capacity(meta.internal.len() + meta.header.len());
    parts.extend_from_slice(&meta.internal);
    parts.extend_from_slice(&meta.header);
    let mut parts = parts.freeze();
    meta.internal = parts.split_to(meta.internal.len());
    meta.header = parts;
    meta
}

#[derive(Debug, Clone)]
pub(super) struct Weigh;

impl Weighter<Key, Arc<Object>> for Weigh {
    fn weight(&self, _: &Key, object: &Arc<Object>) -> u64 {
        object.weight
    }
}
