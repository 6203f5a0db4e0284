use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    Body, Clock, Entry, Error, ErrorKind, Fence, Fill, Generation, Hit, Key, KeyDigest, Lookup,
    Meta, Peeked, PurgeOutcome, Random, Result, Runtime, Target, Tier, TierKind, Timestamp,
    VerifiedBody,
};

use crate::error::Op;
use crate::protocol::Ttl;
use crate::servers::Servers;
use chunks::{Chunks, StoredBody};
use group::{Found, Group, Swap};
use head::{Head, Stored, Token};

pub use builder::MemcachedTierBuilder;

mod builder;
mod chunks;
mod fill;
mod group;
mod head;

/// Pieces in which a body is handed out, at most.
const MAX_PIECE: usize = 256 * 1024;
/// For how long a lookup that found nothing may be followed by a commit.
const LEASE: Duration = Duration::from_mins(30);
/// Lifetimes end here, so that chunks, which stay longer, stay within the 30 days that the server takes.
const MAX_LIFETIME: Duration = Duration::from_hours(29 * 24);
/// How often a head is read again because another writer came first. Each time, that other has got on.
const MAX_ATTEMPTS: usize = 64;
/// How often a purge gives way to other writers before it removes the whole group.
const POLITE_ATTEMPTS: usize = 8;

/// L1: objects in Memcached, shared by every process that uses it.
///
/// # How objects lie there
///
/// Each group of variants is on one server, chosen by rendezvous hashing, and has one *head* item: the fence of the group,
/// and of each variant the metadata, the checksums, and the first 16 KiB of the body, or all of one of up to 64 KiB, while
/// all that is below 64 KiB. So a hit's first byte costs one round trip, and so does a miss. The rest of a body is in
/// chunks of 256 KiB, which are named by generation and never changed, read ahead four at a time, and verified while they
/// pass (promise P2). A head that is larger than 256 KiB forgets its oldest variants.
///
/// # Fences (P3)
///
/// They are the leases of Nishtala et al., *Scaling Memcache at Facebook* (NSDI 2013, section 3.2.1): a lookup that finds
/// nothing leaves an empty item, and its CAS value is the fence. A purge removes the head, or replaces its fence if
/// other variants stay; a commit replaces exactly the head whose fence it read, by compare-and-swap. So one of them
/// comes first. A head that was evicted, flushed, or lost with its server is no fence at all: a commit under it fails.
///
/// CAS values begin anew when a server is restarted. So a value counts only on the connection it was read on, and fences
/// also name the server's *epoch*, a random number that is lost with its memory. No clock decides anything: if
/// a server's runs off, objects leave early, or stay after they are of no use.
///
/// # When a server dies
///
/// Its groups are errors until it is back, and at once while no connection can be made; the others are not touched. A purge
/// of such a group is an error, and so it is not acknowledged. A server that was restarted is empty.
///
/// # When the list of servers changes
///
/// Only the groups that move are lost. Each server remembers under which lists it was used, and a head does not count
/// if its group was another server's in between: what was purged there does not come back here. A process with an older
/// list notices within seconds, and from then on has errors for the groups that moved.
///
/// A server that is taken off the list is not told. What it holds is forgotten once no process has used it for
/// [`absence`](crate::MemcachedConfig::absence), five minutes by default. **Put it back sooner only if it was restarted or
/// flushed**, else what was purged meanwhile may be found there again; and change the list in all processes: until
/// a process has noticed, it may serve what was purged by one with another list.
///
/// # Eviction
///
/// It is a cache: Memcached evicts by default, what was used least recently. An object of which a chunk was evicted is an
/// error to whoever reads it, and the orchestrator goes on from another tier.
#[derive(Debug, Clone)]
pub struct MemcachedTier {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    servers: Arc<Servers>,
    chunks: Chunks,
    prefix: String,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    max_object_bytes: u64,
    slack: Duration,
}

#[async_trait]
impl Tier for MemcachedTier {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        const OP: Op = Op::new("memcached.lookup");
        let shared = &self.shared;
        let group = shared.group(key.primary());
        let found = group.read_or_lease(OP, Ttl::at_least(LEASE)).await?;
        let fence = Fence::from_bytes(&found.token);
        // What cannot be read is a miss, so that the next fill replaces it.
        Ok(match shared.hit(key, &found) {
            Some(hit) => Lookup::Hit(hit),
            None => Lookup::Miss(fence),
        })
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        const OP: Op = Op::new("memcached.fence");
        let group = self.shared.group(key.primary());
        let found = group.read_or_lease(OP, Ttl::at_least(LEASE)).await?;
        Ok(Fence::from_bytes(&found.token))
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        fill::begin(&self.shared, *key, entry, &fence)
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        const OP: Op = Op::write("memcached.purge");
        let removed = self.shared.purge(OP, target).await?;
        Ok(outcome(target, &removed).map_or(PurgeOutcome::NotFound, PurgeOutcome::Purged))
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        const OP: Op = Op::write("memcached.expire");
        let expire = |object: &mut Stored| {
            object.expired_at = Some(object.expired_at.map_or(at, |before| before.min(at)));
            Ok(())
        };
        let marked = self.shared.change(OP, target, expire, None).await?;
        Ok(outcome(target, &marked).map_or(PurgeOutcome::NotFound, PurgeOutcome::Expired))
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        const OP: Op = Op::write("memcached.update_meta");
        let shared = &self.shared;
        let confirm = |object: &mut Stored| object.confirm(&meta);
        let target = Target::Generation(*key, generation);
        let keep = Ttl::at_least(shared.lifetime(&meta) + shared.slack);
        let confirmed = shared.change(OP, &target, confirm, Some(keep)).await?;
        Ok(!confirmed.is_empty())
    }

    async fn peek(&self, key: &Key) -> Result<Option<Peeked>> {
        const OP: Op = Op::new("memcached.peek");
        let found = self.shared.group(key.primary()).peek(OP).await?;
        let hit = found.and_then(|found| self.shared.hit(key, &found));
        Ok(hit.map(Into::into))
    }
}

impl Shared {
    fn group(&self, digest: KeyDigest) -> Group<'_> {
        Group {
            link: self.servers.of(digest),
            digest,
            name: format!("{}:g:{digest}", self.prefix),
        }
    }

    fn hit(&self, key: &Key, found: &Found) -> Option<Hit> {
        let stored = found.head.as_ref()?.find(key.variance())?;
        if !self.is_useful(stored) {
            return None;
        }
        let checksums = stored.checksums()?;
        // In memory of its own: whoever keeps it does not keep the other variants.
        let prefix = Bytes::copy_from_slice(&stored.prefix);
        let body = if stored.body.is_inline() {
            // It was verified as a whole.
            Body::from_bytes(prefix)
        } else {
            let items = self.chunks.of(key.primary(), stored.body);
            let source = StoredBody::new(items, prefix);
            let sums = Arc::clone(&checksums);
            Body::Stream(Box::new(VerifiedBody::new(
                "memcached.read",
                source,
                sums,
                MAX_PIECE,
            )))
        };
        Some(Hit {
            generation: stored.generation(),
            meta: stored.meta()?,
            expired_at: stored.expired_at,
            checksums: Some(checksums),
            body,
            fence: Fence::from_bytes(&found.token),
        })
    }

    /// Removes what `target` names, and answers it. Void every fence of the group.
    async fn purge(&self, op: Op, target: &Target) -> Result<Vec<Stored>> {
        let group = self.group(target.primary());
        let mut last = Vec::new();
        for _ in 0..POLITE_ATTEMPTS {
            // Where there is no head, there is no fence: what may be written later is written under a later one.
            let Some(found) = group.read(op).await? else {
                return Ok(Vec::new());
            };
            let mut head = found.head.clone().unwrap_or_else(|| found.empty_head());
            let removed = head.take(|object| is_meant(target, object));
            let swap = if head.objects.is_empty() {
                group.remove(op, &found).await?
            } else {
                head.fence = self.token();
                let ttl = self.head_ttl(&head);
                group.replace(op, &found, head, ttl).await?
            };
            if swap == Swap::Done {
                self.let_go(target.primary(), removed.iter().cloned());
                return Ok(removed);
            }
            last = removed;
        }
        // A purge is not to fail because others are busy.
        group.remove_all(op).await?;
        Ok(last)
    }

    /// Changes what `target` names, and answers it, its chunks kept for `keep`. Voids every fence of the group.
    async fn change(
        &self,
        op: Op,
        target: &Target,
        change: impl Fn(&mut Stored) -> Result<()> + Send + Sync,
        keep: Option<Ttl>,
    ) -> Result<Vec<Stored>> {
        let group = self.group(target.primary());
        for _ in 0..MAX_ATTEMPTS {
            let Some(found) = group.read(op).await? else {
                return Ok(Vec::new());
            };
            let mut head = found.head.clone().unwrap_or_else(|| found.empty_head());
            let mut changed = head.take(|it| is_meant(target, it) && self.is_useful(it));
            let mut gone = Vec::new();
            for object in &mut changed {
                change(object)?;
                gone.extend(head.add(object.clone())?);
                if let Some(ttl) = keep {
                    // Before the head says so: a chunk that stays too long is no harm.
                    let items = self.chunks.of(group.digest, object.body);
                    items.keep_for(ttl).await?;
                }
            }
            let swap = if head.objects.is_empty() {
                group.remove(op, &found).await?
            } else {
                head.fence = self.token();
                let ttl = self.head_ttl(&head);
                group.replace(op, &found, head, ttl).await?
            };
            if swap == Swap::Done {
                self.let_go(group.digest, gone.into_iter());
                return Ok(changed);
            }
        }
        Err(contended(op))
    }

    /// Lets the items of objects that are no more expire.
    fn let_go(&self, group: KeyDigest, objects: impl Iterator<Item = Stored>) {
        for object in objects {
            let items = self.chunks.of(group, object.body);
            items.let_go(self.runtime.as_ref());
        }
    }

    /// What no fence was before.
    fn token(&self) -> Token {
        let mut token = Token::default();
        token[..8].copy_from_slice(&self.random.next_u64().to_be_bytes());
        token[8..].copy_from_slice(&self.random.next_u64().to_be_bytes());
        token
    }

    /// For how long an object with `meta` is of any use, and some time more: what is evicted by time while it is
    /// being served is served in vain.
    fn lifetime(&self, meta: &Meta) -> Duration {
        self.until(meta.stale_until)
    }

    fn until(&self, stale_until: Timestamp) -> Duration {
        let useful = stale_until.since(self.clock.now());
        useful.saturating_add(self.slack).min(MAX_LIFETIME)
    }

    /// A head stays as long as the last of its objects.
    fn head_ttl(&self, head: &Head) -> Ttl {
        let lifetimes = head
            .objects
            .iter()
            .map(|object| self.until(object.stale_until));
        Ttl::at_least(lifetimes.max().unwrap_or(LEASE))
    }

    /// Whether its chunks are still there, as far as time goes: a head stays for its other objects, too.
    fn is_useful(&self, object: &Stored) -> bool {
        self.clock.now() <= object.stale_until.after(self.slack)
    }
}

fn is_meant(target: &Target, object: &Stored) -> bool {
    match target {
        Target::AllVariants(_) => true,
        Target::Key(key) => key.variance() == object.variance,
        Target::Generation(key, generation) => {
            key.variance() == object.variance && *generation == object.generation()
        }
    }
}

/// What is said of `target`, for a group of its primary slot.
fn outcome(target: &Target, changed: &[Stored]) -> Option<Generation> {
    let named = target.key().variance();
    let found = changed.iter().find(|object| object.variance == named);
    found.map(Stored::generation)
}

fn contended(op: Op) -> Error {
    let message = "other writers of this group came first each time; nothing was changed";
    op.new_error(ErrorKind::Contended, message)
}

fn invalid_fence() -> Error {
    let message = "the fence is another tier's; hand back the one this tier gave out";
    Error::new(ErrorKind::Invalid, "memcached.admit", message)
}
