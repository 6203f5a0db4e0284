use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use terrace_core::{
    BlockChecksums, ChecksumBuilder, Commit, Committed, Entry, Error, ErrorKind, Fence, Fill, Key,
    Result,
};

use super::chunks::{BodyItems, BodyName, CHUNK_BYTES, PREFIX_BYTES, Part, WHOLE_BYTES};
use super::group::{Found, Swap};
use super::head::{Stored, Token};
use super::{MAX_ATTEMPTS, Shared, contended, invalid_fence};
use crate::error::Op;
use crate::protocol::Ttl;

/// How much longer than its object's time a chunk stays: longer than the slowest fill, so that no chunk is gone before the
/// head that names it. What a crash leaves behind ends with it.
const FILL_LIFETIME: Duration = Duration::from_mins(30);

pub(super) fn begin(
    tier: &Arc<Shared>,
    key: Key,
    entry: Entry,
    fence: &Fence,
) -> Result<Box<dyn Fill>> {
    let token = fence.bytes().and_then(|bytes| Token::try_from(bytes).ok());
    let body = BodyName {
        generation: entry.generation,
        fill: tier.random.next_u64(),
        chunks: 0,
        prefix_apart: 0,
    };
    let fill = MemcachedFill {
        key,
        fence: token.ok_or_else(invalid_fence)?,
        prefix: BytesMut::new(),
        chunk: BytesMut::new(),
        checksums: ChecksumBuilder::new(),
        body: Unpublished {
            items: tier.chunks.of(key.primary(), body),
            ttl: Ttl::at_least(tier.lifetime(&entry.meta) + FILL_LIFETIME),
            tier: Arc::clone(tier),
        },
        entry,
    };
    fill.check_length(fill.entry.len.unwrap_or(0))?;
    Ok(Box::new(fill))
}

struct MemcachedFill {
    key: Key,
    entry: Entry,
    fence: Token,
    prefix: BytesMut,
    /// The bytes of the next chunk.
    chunk: BytesMut,
    checksums: ChecksumBuilder,
    body: Unpublished,
}

/// Items that are no object's yet; removed when they are dropped.
struct Unpublished {
    tier: Arc<Shared>,
    items: BodyItems,
    ttl: Ttl,
}

impl Unpublished {
    async fn store_chunk(&mut self, bytes: Bytes) -> Result<()> {
        let number = self.items.body.chunks;
        // Before it is sent: if this is dropped now, it may be there all the same.
        self.items.body.chunks += 1;
        self.items.store(Part::Chunk(number), bytes, self.ttl).await
    }

    async fn store_prefix(&mut self, prefix: &Bytes) -> Result<()> {
        // It is not longer than `WHOLE_BYTES`.
        self.items.body.prefix_apart = u32::try_from(prefix.len()).unwrap_or(u32::MAX);
        self.items
            .store(Part::Prefix, prefix.clone(), self.ttl)
            .await
    }

    /// From now on they may be an object's: whatever happens, they stay until they expire.
    fn may_be_published(&mut self) {
        self.items.body.chunks = 0;
        self.items.body.prefix_apart = 0;
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        self.items.clone().remove(self.tier.runtime.as_ref());
    }
}

impl MemcachedFill {
    fn check_length(&self, len: u64) -> Result<()> {
        let max = self.body.tier.max_object_bytes;
        if len <= max {
            return Ok(());
        }
        let message = format!("the body has {len} bytes or more; the tier takes {max}");
        Err(Error::new(ErrorKind::Exhausted, "memcached.admit", message))
    }

    /// The object, with its prefix in the head if that has room.
    async fn object(
        &mut self,
        found: &Found,
        checksums: &BlockChecksums,
        prefix: &Bytes,
    ) -> Result<Stored> {
        let with = |body, prefix: Bytes| {
            Stored::new(
                self.key.variance(),
                &self.entry.meta,
                checksums,
                body,
                prefix,
            )
        };
        let inline = with(self.body.items.body, prefix.clone())?;
        let has_room = found
            .head
            .as_ref()
            .is_none_or(|head| head.has_room_for(&inline));
        let is_apart = self.body.items.body.prefix_apart > 0;
        if prefix.is_empty() || (has_room && !is_apart) {
            return Ok(inline);
        }
        if !is_apart {
            self.body.store_prefix(prefix).await?;
        }
        with(self.body.items.body, Bytes::new())
    }
}

#[async_trait]
impl Fill for MemcachedFill {
    /// Waits for the server once for each 256 KiB.
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.check_length(self.checksums.len() + bytes.len() as u64)?;
        self.checksums.update(&bytes);
        let room = PREFIX_BYTES - self.prefix.len();
        self.prefix
            .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            self.chunk
                .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.chunk.len() == CHUNK_BYTES {
                let chunk = self.chunk.split().freeze();
                self.body.store_chunk(chunk).await?;
            }
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>, commit: Commit) -> Result<Committed> {
        let written = std::mem::take(&mut self.checksums).finish();
        commit.verify(&written)?;
        if written.len() <= WHOLE_BYTES as u64 {
            self.prefix.unsplit(self.chunk.split());
        }
        if !self.chunk.is_empty() {
            let chunk = self.chunk.split().freeze();
            self.body.store_chunk(chunk).await?;
        }
        let prefix = self.prefix.split().freeze();
        self.publish(&commit.checksums, &prefix).await
    }
}

impl MemcachedFill {
    async fn publish(
        mut self: Box<Self>,
        checksums: &BlockChecksums,
        prefix: &Bytes,
    ) -> Result<Committed> {
        const OP: Op = Op::write("memcached.commit");
        let tier = Arc::clone(&self.body.tier);
        let group = tier.group(self.key.primary());
        for _ in 0..MAX_ATTEMPTS {
            let found = group.read(OP).await?;
            let Some(found) = found.filter(|found| found.token == self.fence) else {
                return Ok(Committed::Fenced);
            };
            let variance = self.key.variance();
            let current = found.head.as_ref().and_then(|head| head.find(variance));
            if !self.entry.replaces.permits(current.map(Stored::generation)) {
                return Ok(Committed::Fenced);
            }
            let object = self.object(&found, checksums, prefix).await?;
            let mut head = found.head.clone().unwrap_or_else(|| found.empty_head());
            let mut gone = head.take(|it| it.variance == variance || !tier.is_useful(it));
            gone.extend(head.add(object)?);
            let ttl = tier.head_ttl(&head);
            let items = self.body.items.clone();
            self.body.may_be_published();
            // An error that leaves it open, or a drop: they stay.
            match group.replace(OP, &found, head, ttl).await? {
                Swap::Done => {
                    tier.let_go(self.key.primary(), gone.into_iter());
                    return Ok(Committed::Published);
                }
                Swap::Conflict => self.body.items = items,
            }
        }
        Err(contended(OP))
    }
}
