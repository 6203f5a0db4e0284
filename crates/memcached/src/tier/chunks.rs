//! Bodies beyond their first bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use terrace_core::{
    BlobRead, BodySource, Error, ErrorKind, Generation, KeyDigest, Result, Runtime,
};

use crate::error::Op;
use crate::link::Link;
use crate::protocol::{Answer, Code, Command, Condition, MAX_VALUE_BYTES, OnMiss, Ttl};
use crate::servers::Servers;

/// A body of at most this is in the group's head as a whole, if there is room: its end costs no other round trip.
pub(super) const WHOLE_BYTES: usize = 64 * 1024;
/// How much of a longer body is.
pub(super) const PREFIX_BYTES: usize = 16 * 1024;
/// How long a chunk is; the last may be shorter.
pub(super) const CHUNK_BYTES: usize = MAX_VALUE_BYTES;
/// The most chunks a body may have.
pub(super) const MAX_CHUNKS: u32 = 4096;

/// How many chunks are fetched at a time.
const READ_AHEAD: usize = 4;
/// How many small commands are under way at a time.
const AT_ONCE: usize = 16;
/// For how long what was removed can still be read by those who read it already.
const GRACE: Duration = Duration::from_mins(1);

/// Which items are a body's. Two fills of one generation, by two processes, do not share theirs: one may be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BodyName {
    pub(super) generation: Generation,
    pub(super) fill: u64,
    pub(super) chunks: u32,
    /// How much of the body is before the chunks in an item of its own, and not in the head.
    pub(super) prefix_apart: u32,
}

impl BodyName {
    /// Whether all of it is in the head.
    pub(super) fn is_inline(self) -> bool {
        self.chunks == 0 && self.prefix_apart == 0
    }

    fn parts(self) -> impl Iterator<Item = Part> {
        let prefix = (self.prefix_apart > 0).then_some(Part::Prefix);
        prefix.into_iter().chain((0..self.chunks).map(Part::Chunk))
    }
}

/// A piece of a body, in an item of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Prefix,
    Chunk(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => f.write_str("prefix"),
            Self::Chunk(number) => write!(f, "{number}"),
        }
    }
}

/// The items of bodies.
///
/// Those of a group are on the group's server: a server that dies takes its own objects with it, and not a piece of every
/// large one.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    servers: Arc<Servers>,
    prefix: Arc<str>,
}

impl Chunks {
    pub(super) fn new(servers: Arc<Servers>, prefix: &str) -> Self {
        Self {
            servers,
            prefix: format!("{prefix}:c:").into(),
        }
    }

    pub(super) fn of(&self, group: KeyDigest, body: BodyName) -> BodyItems {
        BodyItems {
            chunks: self.clone(),
            group,
            body,
        }
    }
}

/// The items of one body.
#[derive(Debug, Clone)]
pub(super) struct BodyItems {
    chunks: Chunks,
    group: KeyDigest,
    pub(super) body: BodyName,
}

impl BodyItems {
    pub(super) async fn store(&self, part: Part, value: Bytes, ttl: Ttl) -> Result<()> {
        const OP: Op = Op::write("memcached.write");
        let store = Command::Store {
            name: self.name(part),
            value,
            ttl,
            condition: Condition::Always,
        };
        match self.call(OP, store).await?.code {
            Code::Done => Ok(()),
            _ => Err(OP.unexpected(self.link().address())),
        }
    }

    async fn fetch(&self, part: Part) -> Result<Bytes> {
        const OP: Op = Op::new("memcached.read");
        let get = Command::Get {
            name: self.name(part),
            on_miss: OnMiss::Nothing,
        };
        let answer = self.call(OP, get).await?;
        match answer.code {
            Code::Value => Ok(answer.value),
            Code::Miss => {
                let message = format!(
                    "a piece ({part}) of generation {} was evicted; does the server have too little memory?",
                    self.body.generation
                );
                Err(OP.new_error(ErrorKind::NotFound, message))
            }
            _ => Err(OP.unexpected(self.link().address())),
        }
    }

    /// Keeps all of them for `ttl` from now on. One that was evicted is its reader's to miss.
    pub(super) async fn keep_for(&self, ttl: Ttl) -> Result<()> {
        const OP: Op = Op::write("memcached.keep");
        let keep = |part| Command::Touch {
            name: self.name(part),
            ttl,
        };
        self.each(OP, keep).await
    }

    /// Lets what was removed expire, once those who read it are done. If that fails, it expires later.
    pub(super) fn let_go(self, runtime: &dyn Runtime) {
        if !self.body.is_inline() {
            let keep = async move { self.keep_for(Ttl::at_least(GRACE)).await };
            quietly(runtime, keep);
        }
    }

    /// Removes what was never published.
    pub(super) fn remove(self, runtime: &dyn Runtime) {
        if !self.body.is_inline() {
            quietly(runtime, async move { self.delete().await });
        }
    }

    async fn delete(&self) -> Result<()> {
        const OP: Op = Op::write("memcached.remove");
        let delete = |part| Command::Delete {
            name: self.name(part),
            cas: None,
        };
        self.each(OP, delete).await
    }

    async fn each(&self, op: Op, command: impl Fn(Part) -> Command) -> Result<()> {
        stream::iter(self.body.parts())
            .map(|part| self.call(op, command(part)))
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |_| Ok(()))
            .await
    }

    async fn call(&self, op: Op, command: Command) -> Result<Answer> {
        let link = self.link();
        let reply = link.call(command).await;
        Ok(reply
            .map_err(|failure| op.error(link.address(), failure))?
            .answer)
    }

    fn link(&self) -> &Link {
        self.chunks.servers.of(self.group)
    }

    fn name(&self, part: Part) -> String {
        let BodyName {
            generation, fill, ..
        } = self.body;
        format!("{}{generation}-{fill:016x}:{part}", self.chunks.prefix)
    }
}

fn quietly(runtime: &dyn Runtime, work: impl Future<Output = Result<()>> + Send + 'static) {
    runtime.spawn(Box::pin(async move {
        if let Err(error) = work.await {
            tracing::debug!(%error, "chunks nobody needs stay until they expire");
        }
    }));
}

/// One body, in its head and its items.
pub(super) struct StoredBody {
    items: BodyItems,
    prefix: Bytes,
}

impl StoredBody {
    pub(super) fn new(items: BodyItems, prefix: Bytes) -> Self {
        Self { items, prefix }
    }

    /// The parts in which `range` lies beyond what is in the head, and what of them is in it.
    fn pieces(&self, range: &Range<u64>) -> Vec<(Part, Range<usize>)> {
        let body = self.items.body;
        let apart = u64::from(body.prefix_apart);
        let before = self.prefix.len() as u64 + apart;
        let chunk = |number: u32| {
            let start = before + u64::from(number) * CHUNK_BYTES as u64;
            (Part::Chunk(number), start..start + CHUNK_BYTES as u64)
        };
        let first = range.start.saturating_sub(before) / CHUNK_BYTES as u64;
        let last = range
            .end
            .saturating_sub(before)
            .div_ceil(CHUNK_BYTES as u64);
        let bounded = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).min(body.chunks);
        let chunks = (bounded(first)..bounded(last)).map(chunk);
        let prefix = (apart > 0).then_some((Part::Prefix, 0..apart));
        let overlap = |(part, span): (Part, Range<u64>)| {
            let within = |at: u64| {
                let at = at.clamp(span.start, span.end) - span.start;
                // It is at most the size of a chunk, or of a prefix.
                usize::try_from(at).unwrap_or(usize::MAX)
            };
            let piece = within(range.start)..within(range.end);
            (!piece.is_empty()).then_some((part, piece))
        };
        prefix
            .into_iter()
            .chain(chunks)
            .filter_map(overlap)
            .collect()
    }
}

#[async_trait]
impl BodySource for StoredBody {
    async fn open(&self, range: Range<u64>) -> Result<BlobRead> {
        let clip = |at: u64| {
            usize::try_from(at)
                .unwrap_or(usize::MAX)
                .min(self.prefix.len())
        };
        let prefix = self.prefix.slice(clip(range.start)..clip(range.end));
        let items = self.items.clone();
        let rest = stream::iter(self.pieces(&range))
            .map(move |(part, piece)| {
                let items = items.clone();
                async move {
                    let bytes = items.fetch(part).await?;
                    if piece.end <= bytes.len() {
                        return Ok(bytes.slice(piece));
                    }
                    let message = format!("a piece ({part}) has {} bytes only", bytes.len());
                    Err(Error::new(ErrorKind::Corrupt, "memcached.read", message))
                }
            })
            .buffered(READ_AHEAD);
        let prefix = (!prefix.is_empty()).then_some(Ok(prefix));
        Ok(stream::iter(prefix).chain(rest).boxed())
    }
}

impl fmt::Display for StoredBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chunks of generation {}", self.items.body.generation)
    }
}
