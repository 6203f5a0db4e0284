//! Bodies beyond their first bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use redis::cmd;
use terrace_core::{BlobRead, BodySource, Error, ErrorKind, Generation, Result, Runtime};

use super::millis;
use crate::error::Op;
use crate::link::Link;

/// How much of a body is in the object itself.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// How long a chunk is; the last may be shorter.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// How many chunks are fetched at a time.
const READ_AHEAD: usize = 4;
/// How many small commands are under way at a time.
const AT_ONCE: usize = 16;
/// For how long what was removed can still be read by those who read it already.
const GRACE: Duration = Duration::from_mins(1);

/// Which chunks are a body's. Two fills of one generation, by two processes, do not share theirs: one may be given up.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyName {
    pub(super) generation: Generation,
    pub(super) fill: u64,
    pub(super) chunks: u32,
}

/// The chunks of all bodies. They are in no shard: a large body is spread over a cluster.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    link: Arc<Link>,
    prefix: Arc<str>,
}

impl Chunks {
    pub(super) fn new(link: Arc<Link>, prefix: &str) -> Self {
        Self {
            link,
            prefix: format!("{prefix}:tier1:chunk:").into(),
        }
    }

    /// Stores chunk `number`, for `lifetime`.
    pub(super) async fn store(
        &self,
        body: BodyName,
        number: u32,
        bytes: &[u8],
        lifetime: Duration,
    ) -> Result<()> {
        let mut set = cmd("SET");
        set.arg(self.name(body, number))
            .arg(bytes)
            .arg("PX")
            .arg(millis(lifetime));
        self.link.command(Op::write("redis.write"), &set).await
    }

    async fn fetch(&self, body: BodyName, number: u32) -> Result<Bytes> {
        let mut get = cmd("GET");
        get.arg(self.name(body, number));
        let found: Option<Bytes> = self.link.command(Op::new("redis.read"), &get).await?;
        found.ok_or_else(|| {
            let message = format!(
                "chunk {number} of generation {} was evicted; is `maxmemory` too small?",
                body.generation
            );
            Error::new(ErrorKind::NotFound, "redis.read", message)
        })
    }

    /// Keeps all chunks for `lifetime` from now on.
    pub(super) async fn keep_for(&self, body: BodyName, lifetime: Duration) -> Result<()> {
        let keep = (0..body.chunks).map(|number| async move {
            let mut expire = cmd("PEXPIRE");
            expire.arg(self.name(body, number)).arg(millis(lifetime));
            let op = Op::write("redis.keep");
            let _existed: bool = self.link.command(op, &expire).await?;
            Ok(())
        });
        stream::iter(keep)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Lets the chunks of what was removed expire, once those who read it are done. If that fails, they expire later.
    pub(super) fn let_go(&self, runtime: &dyn Runtime, body: BodyName) {
        self.shorten(runtime, body, GRACE);
    }

    /// Removes the chunks of what was never published.
    pub(super) fn remove(&self, runtime: &dyn Runtime, body: BodyName) {
        self.shorten(runtime, body, Duration::from_millis(1));
    }

    fn shorten(&self, runtime: &dyn Runtime, body: BodyName, lifetime: Duration) {
        if body.chunks == 0 {
            return;
        }
        let chunks = self.clone();
        runtime.spawn(Box::pin(async move {
            if let Err(error) = chunks.keep_for(body, lifetime).await {
                tracing::debug!(%error, "chunks nobody needs stay until they expire");
            }
        }));
    }

    fn name(&self, body: BodyName, number: u32) -> String {
        let BodyName {
            generation, fill, ..
        } = body;
        format!("{}{generation}-{fill:016x}:{number}", self.prefix)
    }
}

/// One body, in its object and its chunks.
pub(super) struct StoredBody {
    chunks: Chunks,
    name: BodyName,
    head: Bytes,
}

impl StoredBody {
    pub(super) fn new(chunks: Chunks, name: BodyName, head: Bytes) -> Self {
        Self { chunks, name, head }
    }

    /// The chunks in which `range` lies beyond the head, and what of them is in it.
    fn pieces(&self, range: &Range<u64>) -> impl Iterator<Item = (u32, Range<usize>)> + use<> {
        let head = self.head.len() as u64;
        let (start, end) = (range.start.max(head) - head, range.end.max(head) - head);
        let size = CHUNK_BYTES as u64;
        let numbers = start / size..end.div_ceil(size).min(self.name.chunks.into());
        numbers.map(move |number| {
            let within = |at: u64| {
                let at = at.saturating_sub(number * size).min(size);
                // It is at most the size of a chunk.
                usize::try_from(at).unwrap_or(CHUNK_BYTES)
            };
            (
                u32::try_from(number).unwrap_or(u32::MAX),
                within(start)..within(end),
            )
        })
    }
}

#[async_trait]
impl BodySource for StoredBody {
    async fn open(&self, range: Range<u64>) -> Result<BlobRead> {
        let clip =
            |at: u64| usize::try_from(at).map_or(self.head.len(), |at| at.min(self.head.len()));
        let head = self.head.slice(clip(range.start)..clip(range.end));
        let (chunks, name) = (self.chunks.clone(), self.name);
        let rest = stream::iter(self.pieces(&range))
            .map(move |(number, part)| {
                let chunks = chunks.clone();
                async move {
                    let bytes = chunks.fetch(name, number).await?;
                    if part.end <= bytes.len() {
                        return Ok(bytes.slice(part));
                    }
                    let message = format!("chunk {number} has {} bytes only", bytes.len());
                    Err(Error::new(ErrorKind::Corrupt, "redis.read", message))
                }
            })
            .buffered(READ_AHEAD);
        let head = (!head.is_empty()).then_some(Ok(head));
        Ok(stream::iter(head).chain(rest).boxed())
    }
}

impl fmt::Display for StoredBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chunks of generation {}", self.name.generation)
    }
}
