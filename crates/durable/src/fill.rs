use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use terrace_core::{
    BlobName, BlobStore, BlobWrite, ChecksumBuilder, Commit, Committed, Entry, Error, ErrorKind,
    Fill, Generation, IndexStore, Key, Location, MAX_MANIFEST_BYTES, Manifest, Meta, Replaces,
    Result, StoredObject, Timestamp,
};

use crate::fence::Token;
use crate::record::encode;
use crate::shared::Shared;

mod anchor;
mod publish;
mod reserve;
mod settle;

/// What a record needs beside the body and the metadata, in bytes: the checksums of the largest body (1,024
/// of at most 5), and what a purge or a reservation may add later.
const RECORD_OVERHEAD: usize = 6 * 1024;

/// An object on its way into the durable tier.
///
/// Nobody sees it before its commit, except for its reservation if it is slow. Once it knows that a purge or
/// another writer came first, it discards what is written to it and says so in the commit: a lost race is
/// no failure of this tier.
pub(crate) struct DurableFill<B, I> {
    shared: Arc<Shared<B, I>>,
    key: Key,
    generation: Generation,
    meta: Meta,
    replaces: Replaces,
    fence: Token,
    /// Until when the reservation holds that `fence` names, if it names one.
    reserved_until: Option<Timestamp>,
    inline_max: usize,
    checksums: ChecksumBuilder,
    state: State,
}

enum State {
    Open(Content),
    /// Somebody came first.
    Fenced,
    /// A call failed, or its future was dropped half way: what was written is unknown.
    Broken,
}

enum Content {
    Inline(BytesMut),
    /// In a mutex for the sake of `Sync`; nobody ever locks it.
    Blob(Mutex<Box<dyn BlobWrite>>),
}

impl<B: BlobStore, I: IndexStore> DurableFill<B, I> {
    /// Errors with `Exhausted` if the metadata cannot fit into a record of the index.
    pub(crate) fn new(
        shared: Arc<Shared<B, I>>,
        key: Key,
        entry: Entry,
        fence: Token,
    ) -> Result<Self> {
        let room = room_beside(&shared, key, &entry)?;
        Ok(Self {
            key,
            generation: entry.generation,
            meta: entry.meta,
            replaces: entry.replaces,
            fence,
            reserved_until: None,
            inline_max: room.min(shared.config.inline_max),
            checksums: ChecksumBuilder::new(),
            state: State::Open(Content::Inline(BytesMut::new())),
            shared,
        })
    }

    async fn append(&self, content: Content, chunk: Bytes) -> Result<Content> {
        match content {
            Content::Inline(mut buffer) if buffer.len() + chunk.len() <= self.inline_max => {
                buffer.extend_from_slice(&chunk);
                Ok(Content::Inline(buffer))
            }
            Content::Inline(buffer) => {
                let mut blob = self.shared.blobs.put(&self.blob_name()).await?;
                if !buffer.is_empty() {
                    blob.write(buffer.freeze()).await?;
                }
                blob.write(chunk).await?;
                Ok(Content::Blob(Mutex::new(blob)))
            }
            Content::Blob(mut blob) => {
                blob.get_mut().write(chunk).await?;
                Ok(Content::Blob(blob))
            }
        }
    }

    fn blob_name(&self) -> BlobName {
        BlobName {
            key: self.key,
            generation: self.generation,
        }
    }
}

#[async_trait]
impl<B: BlobStore, I: IndexStore> Fill for DurableFill<B, I> {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        // Broken until the end of this call: it may fail, and its future may be dropped.
        let content = match std::mem::replace(&mut self.state, State::Broken) {
            State::Open(content) => content,
            State::Fenced => {
                self.state = State::Fenced;
                return Ok(());
            }
            State::Broken => return Err(broken()),
        };
        if !self.keep_reserved().await? {
            self.state = State::Fenced;
            return Ok(());
        }
        self.checksums.update(&chunk);
        self.state = State::Open(self.append(content, chunk).await?);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, commit: Commit) -> Result<Committed> {
        let content = match std::mem::replace(&mut self.state, State::Broken) {
            State::Open(content) => content,
            State::Fenced => return Ok(Committed::Fenced),
            State::Broken => return Err(broken()),
        };
        commit.verify(&std::mem::take(&mut self.checksums).finish())?;
        if !self.keep_reserved().await? {
            return Ok(Committed::Fenced);
        }
        let location = match content {
            Content::Inline(buffer) => Location::Inline(buffer.freeze()),
            Content::Blob(blob) => {
                let finished = blob.into_inner().finish().await;
                finished.map_err(unpublished)?;
                Location::Blob
            }
        };
        self.publish(commit.checksums, location).await
    }
}

/// The most bytes of a body that fit into a record of the index beside the entry's metadata.
fn room_beside<B, I: IndexStore>(shared: &Shared<B, I>, key: Key, entry: &Entry) -> Result<usize> {
    let group = shared.new_group();
    let mut manifest = Manifest::empty(key, group);
    manifest.object = Some(StoredObject {
        generation: entry.generation,
        stamp: group.stamp(),
        checksums: Arc::new(ChecksumBuilder::new().finish()),
        location: Location::Blob,
        meta: entry.meta.clone(),
        expired_at: None,
    });
    let record = encode(&manifest, group.hard, Timestamp::MAX)?;
    let used = record.manifest.len() + RECORD_OVERHEAD;
    let max = shared.index.capabilities().max_record_bytes;
    max.min(MAX_MANIFEST_BYTES)
        .checked_sub(used)
        .ok_or_else(|| {
            let message =
                format!("the metadata needs a record of {used} bytes; the index takes {max}");
            Error::new(ErrorKind::Exhausted, "durable.admit", message)
        })
}

fn broken() -> Error {
    let message = "an earlier write failed or was dropped; begin a new fill";
    Error::new(ErrorKind::Invalid, "durable.fill", message)
}

/// The error of a step after which nothing is published yet, whatever the step says of its own effect.
fn unpublished(cause: Error) -> Error {
    let message = "a step before the commit's own failed; nothing was published";
    Error::new(cause.kind(), "durable.fill", message).with_source(cause)
}
