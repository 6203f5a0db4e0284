use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_cache::storage::Storage;
use terrace_core::{BlockChecksums, Commit, Committed, Entry, Fence, Fill, Key, Replaces, Result};

use super::buffer::Buffer;
use super::record::Record;
use super::{Shared, span, storage_error};
use crate::key::to_cache_key;

/// An object on its way into a storage: in memory until it is committed.
pub(super) struct StorageFill<S: ?Sized + 'static> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) key: Key,
    pub(super) entry: Entry,
    pub(super) fence: Fence,
    pub(super) buffer: Buffer,
}

#[async_trait]
impl<S: Storage + Sync + ?Sized> Fill for StorageFill<S> {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.buffer.push(&chunk)
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        commit.verify(&BlockChecksums::of(self.buffer.bytes()))?;
        let Self {
            shared,
            key,
            entry,
            fence,
            buffer,
        } = *self;
        let (body, _paid) = buffer.into_parts();
        let _alone = shared.write(key.primary()).await;
        // From here to the end of `finish`, no purge of this slot can come in between.
        let born = {
            let slot = shared.epochs.lock(key.primary());
            if !slot.admits(&fence) {
                return Ok(Committed::Fenced);
            }
            slot.born()
        };
        if entry.replaces != Replaces::Anything {
            let current = shared.find(&key).await?;
            let current = current.map(|(record, _)| record.generation);
            if !entry.replaces.permits(current) {
                return Ok(Committed::Fenced);
            }
        }
        let record = Record {
            key,
            incarnation: shared.incarnation,
            born,
            generation: entry.generation,
            meta: entry.meta,
            expired_at: None,
            checksums: commit.checksums,
        };
        let (cache_key, meta, span) = (to_cache_key(&key), record.write()?, span());
        let storing = shared
            .storage
            .get_miss_handler(&cache_key, &meta, &span)
            .await;
        let mut handler = storing.map_err(|error| storage_error("get_miss_handler", error))?;
        let written = handler.write_body(body.into(), true).await;
        written.map_err(|error| storage_error("write_body", error))?;
        let finished = handler.finish().await;
        finished.map_err(|error| storage_error("finish", error).maybe_applied())?;
        Ok(Committed::Published)
    }
}
