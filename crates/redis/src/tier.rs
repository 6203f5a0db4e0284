use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, Pipeline, ScriptInvocation};
use terrace_core::{
    Body, Clock, Entry, Error, ErrorKind, Fence, Fill, Generation, Hit, Key, Lookup, Meta,
    PurgeOutcome, Random, Result, Runtime, Target, Tier, TierKind, Timestamp, VerifiedBody,
};

use crate::error::Op;
use crate::link::Link;
use crate::names::Names;
use crate::replicas::Writes;
use chunks::{Chunks, StoredBody};
use entry::Stored;

pub use builder::RedisTierBuilder;

mod builder;
mod chunks;
mod entry;
mod fill;
mod script;

/// How many fences a shard has. Two groups that share one cost each other a fill, never a wrong answer.
const FENCES_PER_SHARD: u64 = 64;
/// Pieces in which a body is handed out, at most.
const MAX_PIECE: usize = 256 * 1024;

/// L1: objects in Redis, or Valkey, shared by every process that uses it.
///
/// # How objects lie there
///
/// All variants of a group are the fields of one hash, so that a purge of the group is one step, and eviction takes a group
/// as a whole. A field holds the metadata, the checksums, and the first 64 KiB of the body: a hit's first
/// byte costs one round trip. The rest of the body is in chunks of 256 KiB under names of their own, read ahead
/// four at a time, and verified while they pass (promise P2).
///
/// # Fences (P3)
///
/// There are 4096 values in Redis that stand for the groups. A purge replaces its group's by a random one in the same
/// script that removes the object; a commit compares in the script that publishes. A lookup reads the fence, then the
/// object, in one round trip: a fence older than its object costs a fill, and the other way round it would bring back what
/// was purged. A fence that was evicted comes back as another: the fills under way are lost, nothing else.
///
/// # What a failover may lose
///
/// Redis answers before it has replicated. A purge that was acknowledged just before the primary was lost may be unknown to the
/// new one, and what it removed may be found there again until it expires. Purge again after a failover, or
/// keep lifetimes short where that matters. [`Replicas`](crate::Replicas) narrow it: commits and purges are then acknowledged
/// when so many have them.
///
/// # Eviction
///
/// It is a cache: set `maxmemory` and `maxmemory-policy allkeys-lru` or `allkeys-lfu`. An object of which a chunk was
/// evicted is an error to whoever reads it, and the orchestrator goes on from another tier.
#[derive(Debug, Clone)]
pub struct RedisTier {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Arc<Link>,
    writes: Writes,
    names: Names,
    chunks: Chunks,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    max_object_bytes: u64,
    slack: Duration,
}

#[async_trait]
impl Tier for RedisTier {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let (fence, found) = self.shared.find(key).await?;
        let fence = Fence::from_bytes(&fence);
        // What cannot be read is a miss, so that the next fill replaces it.
        match found.and_then(|bytes| Stored::decode(key, &bytes)) {
            Some(stored) => Ok(Lookup::Hit(self.shared.hit(stored, fence))),
            None => Ok(Lookup::Miss(fence)),
        }
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        const OP: Op = Op::new("redis.fence");
        let mut fence = self.shared.on_group(&script::FENCE, key);
        fence.arg(&self.shared.token()[..]);
        let fence: Bytes = self.shared.link.script(OP, &fence).await?;
        Ok(Fence::from_bytes(&fence))
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        fill::begin(&self.shared, *key, entry, &fence)
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        const OP: Op = Op::write("redis.purge");
        let shared = &self.shared;
        let mut purge = shared.on_target(&script::PURGE, target);
        purge.arg(&shared.token()[..]);
        let removed = shared.changed(OP, target, &purge).await?;
        for head in removed.iter().map(|(_, head)| head) {
            shared.chunks.let_go(shared.runtime.as_ref(), head.body);
        }
        Ok(outcome(target, &removed).map_or(PurgeOutcome::NotFound, PurgeOutcome::Purged))
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        const OP: Op = Op::write("redis.expire");
        let mut expire = self.shared.on_target(&script::EXPIRE, target);
        expire
            .arg(&self.shared.token()[..])
            .arg(&entry::moment(Some(at))[..]);
        let marked = self.shared.changed(OP, target, &expire).await?;
        Ok(outcome(target, &marked).map_or(PurgeOutcome::NotFound, PurgeOutcome::Expired))
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        const OP: Op = Op::write("redis.update_meta");
        let shared = &self.shared;
        let lifetime = shared.lifetime(&meta);
        let mut update = shared.on_target(&script::UPDATE, &Target::Generation(*key, generation));
        update
            .arg(&shared.token()[..])
            .arg(entry::encode_meta(key, generation, &meta)?)
            .arg(millis(lifetime));
        let updated = shared.changed(OP, &Target::Key(*key), &update).await?;
        let Some((_, head)) = updated.first() else {
            return Ok(false);
        };
        shared.chunks.keep_for(head.body, lifetime).await?;
        Ok(true)
    }
}

impl Shared {
    /// The fence and the object.
    async fn find(&self, key: &Key) -> Result<(Bytes, Option<Bytes>)> {
        const OP: Op = Op::new("redis.lookup");
        let [fence, group] = self.names_of(key);
        let field = field(key);
        // No script, as long as none is needed: it would copy the object, and all others would wait.
        let mut both = Pipeline::with_capacity(2);
        both.add_command(command(["GET", &fence]));
        both.add_command(command(["HGET", &group, &field]));
        let (fence, found): (Option<Bytes>, _) = self.link.commands(OP, &both).await?;
        if let Some(fence) = fence {
            return Ok((fence, found));
        }
        // A fence made now would be younger than what was found, which a purge may have removed since: look again.
        let mut lookup = self.on_group(&script::LOOKUP, key);
        lookup.arg(&self.token()[..]).arg(field);
        self.link.script(OP, &lookup).await
    }

    fn hit(&self, stored: Stored, fence: Fence) -> Hit {
        let body = if stored.body.chunks == 0 {
            // In memory as a whole, it is verified at once.
            Body::from_bytes(stored.head)
        } else {
            let source = StoredBody::new(self.chunks.clone(), stored.body, stored.head);
            let checksums = Arc::clone(&stored.checksums);
            Body::Stream(Box::new(VerifiedBody::new(
                "redis.read",
                source,
                checksums,
                MAX_PIECE,
            )))
        };
        Hit {
            generation: stored.generation,
            meta: stored.meta,
            expired_at: stored.expired_at,
            checksums: Some(stored.checksums),
            body,
            fence,
        }
    }

    /// A script on the fence and the hash of `key`'s group.
    fn on_group<'a>(&self, script: &'a redis::Script, key: &Key) -> ScriptInvocation<'a> {
        let [fence, group] = self.names_of(key);
        let mut invocation = script.prepare_invoke();
        invocation.key(fence).key(group);
        invocation
    }

    /// The names of the fence and the hash of `key`'s group.
    fn names_of(&self, key: &Key) -> [String; 2] {
        let number = key.primary().to_u64() / crate::names::SHARDS % FENCES_PER_SHARD;
        [
            self.names.of(key, format_args!("fence:{number:02x}")),
            self.names.of(key, format_args!("{}", key.primary())),
        ]
    }

    /// The same, with the field and the generation that `target` names, if it does.
    fn on_target<'a>(&self, script: &'a redis::Script, target: &Target) -> ScriptInvocation<'a> {
        let key = target.key();
        let mut invocation = self.on_group(script, &key);
        match target {
            Target::AllVariants(_) => invocation.arg("").arg(""),
            Target::Key(_) => invocation.arg(field(&key)).arg(""),
            Target::Generation(_, generation) => invocation
                .arg(field(&key))
                .arg(&generation.to_u64().to_be_bytes()[..]),
        };
        invocation
    }

    /// The fields a script has changed, and the heads of what is or was there.
    async fn changed(
        &self,
        op: Op,
        target: &Target,
        invocation: &ScriptInvocation<'_>,
    ) -> Result<Vec<(String, entry::Head)>> {
        let changed: Vec<(String, Bytes)> = self.writes.script(op, invocation).await?;
        let decode = |(field, head): (String, Bytes)| Some((field, entry::Head::decode(&head)?));
        let decoded: Vec<_> = changed.into_iter().filter_map(decode).collect();
        tracing::trace!(?target, changed = decoded.len(), "{}", op.name());
        Ok(decoded)
    }

    /// What no fence was before.
    fn token(&self) -> [u8; 16] {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.random.next_u64().to_be_bytes());
        token[8..].copy_from_slice(&self.random.next_u64().to_be_bytes());
        token
    }

    /// For how long an object with `meta` is of any use, and some time more: what is evicted by time while it is
    /// being served is served in vain.
    fn lifetime(&self, meta: &Meta) -> Duration {
        const MAX: Duration = Duration::from_hours(30 * 24);
        meta.stale_until.since(self.clock.now()).min(MAX) + self.slack
    }
}

/// A command that needs no other memory than it is given here.
fn command<const N: usize>(words: [&str; N]) -> Cmd {
    let mut command = Cmd::with_capacity(N, words.iter().map(|word| word.len()).sum());
    for word in words {
        command.arg(word);
    }
    command
}

/// The name of `key` among its group's.
fn field(key: &Key) -> String {
    key.variance()
        .map_or_else(|| "-".to_owned(), |variance| variance.to_string())
}

/// What is said of `target`, for a group of its primary slot.
fn outcome(target: &Target, changed: &[(String, entry::Head)]) -> Option<Generation> {
    let named = field(&target.key());
    let found = changed.iter().find(|(field, _)| *field == named);
    found.map(|(_, head)| head.generation)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn invalid_fence() -> Error {
    let message = "the fence is another tier's; hand back the one this tier gave out";
    Error::new(ErrorKind::Invalid, "redis.admit", message)
}
