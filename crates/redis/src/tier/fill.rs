use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use terrace_core::{
    ChecksumBuilder, Commit, Committed, Entry, Error, ErrorKind, Fence, Fill, Key, Replaces, Result,
};

use super::chunks::{BodyName, CHUNK_BYTES, HEAD_BYTES};
use super::entry::{Head, Stored};
use super::{Shared, field, invalid_fence, millis, script};
use crate::error::Op;

/// For how long a chunk stays whose fill does nothing more: long enough for the slowest, and an end to
/// what a crash leaves behind.
const FILL_LIFETIME: Duration = Duration::from_mins(30);

pub(super) fn begin(
    tier: &Arc<Shared>,
    key: Key,
    entry: Entry,
    fence: &Fence,
) -> Result<Box<dyn Fill>> {
    let token = fence
        .bytes()
        .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let fence = token.ok_or_else(invalid_fence)?;
    let name = BodyName {
        generation: entry.generation,
        fill: tier.random.next_u64(),
        chunks: 0,
    };
    let fill = RedisFill {
        key,
        fence,
        head: BytesMut::new(),
        chunk: BytesMut::new(),
        checksums: ChecksumBuilder::new(),
        body: Unpublished {
            tier: Arc::clone(tier),
            name,
        },
        entry,
    };
    fill.check_length(fill.entry.len.unwrap_or(0))?;
    Ok(Box::new(fill))
}

struct RedisFill {
    key: Key,
    entry: Entry,
    fence: [u8; 16],
    head: BytesMut,
    /// The bytes of the next chunk.
    chunk: BytesMut,
    checksums: ChecksumBuilder,
    body: Unpublished,
}

/// Chunks that are no object's yet; removed when they are dropped.
struct Unpublished {
    tier: Arc<Shared>,
    name: BodyName,
}

impl Unpublished {
    async fn store(&mut self, bytes: &[u8]) -> Result<()> {
        let number = self.name.chunks;
        // Before it is sent: if this is dropped now, it may be there all the same.
        self.name.chunks += 1;
        let chunks = &self.tier.chunks;
        chunks.store(self.name, number, bytes, FILL_LIFETIME).await
    }

    /// From now on they may be an object's: whatever happens, they stay until they expire.
    fn published(&mut self) -> BodyName {
        BodyName {
            chunks: std::mem::take(&mut self.name.chunks),
            ..self.name
        }
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        let chunks = &self.tier.chunks;
        chunks.remove(self.tier.runtime.as_ref(), self.name);
    }
}

impl RedisFill {
    fn check_length(&self, len: u64) -> Result<()> {
        let max = self.body.tier.max_object_bytes;
        if len <= max {
            return Ok(());
        }
        let message = format!("the body has {len} bytes or more; the tier takes {max}");
        Err(Error::new(ErrorKind::Exhausted, "redis.admit", message))
    }
}

#[async_trait]
impl Fill for RedisFill {
    /// Waits for Redis once for each 256 KiB.
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.check_length(self.checksums.len() + bytes.len() as u64)?;
        self.checksums.update(&bytes);
        let room = HEAD_BYTES - self.head.len();
        self.head
            .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            self.chunk
                .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.chunk.len() == CHUNK_BYTES {
                self.body.store(&self.chunk).await?;
                self.chunk.clear();
            }
        }
        Ok(())
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        const OP: Op = Op::write("redis.commit");
        let RedisFill {
            key,
            entry,
            fence,
            head,
            chunk,
            checksums,
            mut body,
        } = *self;
        commit.verify(&checksums.finish())?;
        if !chunk.is_empty() {
            body.store(&chunk).await?;
        }
        let tier = Arc::clone(&body.tier);
        let lifetime = tier.lifetime(&entry.meta);
        tier.chunks.keep_for(body.name, lifetime).await?;

        let object = Stored::encode(&key, &entry.meta, &commit.checksums, body.name, &head)?;
        let replaceable = match entry.replaces {
            Replaces::Anything => b"any".to_vec(),
            Replaces::OnlySeen(None) => Vec::new(),
            Replaces::OnlySeen(Some(seen)) => seen.to_u64().to_be_bytes().to_vec(),
        };
        let mut publish = tier.on_group(&script::COMMIT, &key);
        publish
            .arg(&fence[..])
            .arg(field(&key))
            .arg(object)
            .arg(millis(lifetime))
            .arg(replaceable);
        let name = body.published();
        let (is_published, replaced): (bool, Option<Bytes>) =
            tier.writes.script(OP, &publish).await?;
        let runtime = tier.runtime.as_ref();
        if !is_published {
            tier.chunks.remove(runtime, name);
            return Ok(Committed::Fenced);
        }
        if let Some(replaced) = replaced.as_deref().and_then(Head::decode) {
            tier.chunks.let_go(runtime, replaced.body);
        }
        Ok(Committed::Published)
    }
}
