use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::body::Body;
use crate::checksum::BlockChecksums;
use crate::error::{Error, ErrorKind, Result};
use crate::fence::Fence;
use crate::generation::Generation;
use crate::key::{Key, KeyDigest};
use crate::meta::Meta;
use crate::peek::{Peeked, Usage};
use crate::time::Timestamp;

/// A place that holds objects: memory, a shared cache, a disk, a durable store.
///
/// # What every tier promises
///
/// - **Whole or nothing.** An object is visible from its commit on, as a whole, and never before (P1, P5).
/// - **Fenced.** A commit takes effect only if nothing was purged since its fence was taken, and a
///   purge is one step with the voiding of fences (P3).
/// - **Linearizable per key.** A lookup that begins after a purge was acknowledged does not return what was
///   purged.
///
/// # Cancellation
///
/// Any future may be dropped at any await. A dropped `lookup`, `fence` or `admit` leaves nothing behind. A dropped
/// `purge`, `expire`, `update_meta` or `commit` may or may not have taken effect; it is never half done.
///
/// # Errors
///
/// A tier reports them plainly. It is the caller's orchestrator that turns an error into a miss, so that no
/// tier ever fails a request the origin could serve (P7).
#[async_trait]
pub trait Tier: Send + Sync + 'static {
    /// What calling it costs; constant.
    fn kind(&self) -> TierKind;

    /// Looks `key` up.
    ///
    /// - Effect: none but recency. A stale object is a hit, too: its metadata says that it is stale.
    /// - Atomicity: the fence is not newer than the answer.
    async fn lookup(&self, key: &Key) -> Result<Lookup>;

    /// A fence for a caller that did not look up, or looked up too long ago.
    async fn fence(&self, key: &Key) -> Result<Fence>;

    /// Begins to store an object.
    ///
    /// - Effect: none that a lookup could see.
    /// - Errors: `Exhausted` if the object cannot fit, `Invalid` for a fence of another tier.
    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>>;

    /// Removes what `target` names, and voids every fence taken before for what it names.
    ///
    /// - Effect: also when nothing is there: a fill that is under way must not appear afterwards.
    /// - Atomicity: one step with the voiding of fences.
    /// - Errors: nothing was promised. The caller must not acknowledge the purge.
    /// - Idempotence: a repeat answers `NotFound`. Of concurrent calls, at least one answers what was there.
    async fn purge(&self, target: &Target) -> Result<PurgeOutcome>;

    /// Marks what `target` names stale since `at`, keeping the bodies (a soft purge). Later moments do not
    /// undo earlier ones. Voids fences as [`purge`](Self::purge) does.
    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome>;

    /// Replaces the metadata of `key` if `generation` is still current, and clears a soft purge of it:
    /// the origin has just confirmed the body. `false` if it is not current.
    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool>;

    /// What is held under `key`, for somebody who only wants to know; fresh, stale, or nothing.
    ///
    /// - Effect: none at all, not even recency. The default is a [`lookup`](Self::lookup): a tier that keeps recency
    ///   does better.
    /// - Atomicity, cancellation, errors: as `lookup`.
    async fn peek(&self, key: &Key) -> Result<Option<Peeked>> {
        Ok(match self.lookup(key).await? {
            Lookup::Hit(hit) => Some(hit.into()),
            Lookup::Miss(_) => None,
        })
    }

    /// What the tier holds, as far as it knows without asking anybody. The default knows nothing.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// What calling a tier costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierKind {
    /// There is no such tier. Nothing is called.
    Absent,
    /// Memory of this process: never waits, never fails. Called in line, without a guard.
    Memory,
    /// May wait and may fail: called on the storage's own runtime, under a deadline and a breaker.
    Remote,
}

/// The answer to a lookup.
#[derive(Debug)]
pub enum Lookup {
    /// It is here.
    Hit(Hit),
    /// It is not here; a commit under this fence succeeds unless a purge comes in between.
    Miss(Fence),
}

/// An object, found.
#[derive(Debug)]
pub struct Hit {
    /// Which of the key's bodies.
    pub generation: Generation,
    /// Its metadata, of the same generation (P1).
    pub meta: Meta,
    /// Since when it is stale by a soft purge, if it is.
    pub expired_at: Option<Timestamp>,
    /// Length and checksums of the body, where the tier knows them. A body of unknown length is never promoted.
    pub checksums: Option<Arc<BlockChecksums>>,
    /// Its body.
    pub body: Body,
    /// For a commit that is to replace it.
    pub fence: Fence,
}

impl Hit {
    /// Whether it may be served at `now` without asking the origin (P6).
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.meta.fresh_until >= now && self.expired_at.is_none_or(|at| at > now)
    }
}

/// An object that is to be stored.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Names its body, in every tier that stores it.
    pub generation: Generation,
    /// Its metadata.
    pub meta: Meta,
    /// Its length in bytes, if it was announced. A hint: the commit tells the truth.
    pub len: Option<u64>,
    /// What it may take the place of.
    pub replaces: Replaces,
}

/// What a new object may take the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replaces {
    /// Of whatever is there: an answer of the origin.
    #[default]
    Anything,
    /// Of nothing but the generation that was there, if any, when the fence was taken: a copy from another tier. What was
    /// filled since is newer, although no fence is void for it.
    OnlySeen(Option<Generation>),
}

impl Replaces {
    /// Whether `current`, which is there now, may be replaced. A tier asks in the very step that publishes, and answers
    /// [`Committed::Fenced`] if not.
    pub fn permits(self, current: Option<Generation>) -> bool {
        match self {
            Self::Anything => true,
            Self::OnlySeen(seen) => current.is_none() || current == seen,
        }
    }
}

/// An object that is being stored. Dropping it aborts: nothing becomes visible, nothing is left behind (P5).
#[async_trait]
pub trait Fill: Send + Sync {
    /// Appends `chunk`, which may be empty.
    ///
    /// - Cancellation and errors: the fill is lost; drop it.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible, if the fence still holds and the bytes written are those `commit`
    /// describes, by count and checksum.
    ///
    /// - Atomicity: one step with the check of the fence.
    /// - Errors: `Invalid` if the bytes are others. With [`Applied::Unknown`](crate::Applied) it may have
    ///   become visible, whole.
    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed>;
}

/// What was to be written.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Length and checksums of the whole body.
    pub checksums: Arc<BlockChecksums>,
}

impl Commit {
    /// Errors with `Invalid` unless `written` is what was to be written.
    pub fn verify(&self, written: &BlockChecksums) -> Result<()> {
        if *self.checksums == *written {
            return Ok(());
        }
        let (expected, got) = (self.checksums.len(), written.len());
        let message =
            format!("the body written ({got} bytes) is not the one committed ({expected} bytes)");
        Err(Error::new(ErrorKind::Invalid, "fill.commit", message))
    }
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// The object is visible.
    Published,
    /// A purge, or another writer, came first. The object is gone, as it should be.
    Fenced,
}

/// What a purge is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The current object of one key.
    Key(Key),
    /// All keys with this primary digest: the object and all its variants.
    AllVariants(KeyDigest),
    /// One generation of a key, and nothing if it is not current.
    Generation(Key, Generation),
}

impl Target {
    /// The group it is in.
    pub fn primary(&self) -> KeyDigest {
        match self {
            Self::Key(key) | Self::Generation(key, _) => key.primary(),
            Self::AllVariants(primary) => *primary,
        }
    }

    /// The key it names; for a group, its primary slot.
    pub fn key(&self) -> Key {
        match self {
            Self::Key(key) | Self::Generation(key, _) => *key,
            Self::AllVariants(primary) => Key::new(*primary),
        }
    }

    /// Whether it names `key`, of whatever generation.
    pub fn covers(&self, key: &Key) -> bool {
        match self {
            Self::Key(named) | Self::Generation(named, _) => named == key,
            Self::AllVariants(primary) => *primary == key.primary(),
        }
    }
}

/// What a purge found. For a group, what is said is of its primary slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeOutcome {
    /// Nothing. Fences are void all the same.
    NotFound,
    /// This generation was removed.
    Purged(Generation),
    /// This generation was marked stale.
    Expired(Generation),
}

impl PurgeOutcome {
    /// The generation that was there.
    pub fn generation(&self) -> Option<Generation> {
        match self {
            Self::NotFound => None,
            Self::Purged(generation) | Self::Expired(generation) => Some(*generation),
        }
    }
}

#[async_trait]
impl<T: Tier + ?Sized> Tier for Arc<T> {
    fn kind(&self) -> TierKind {
        (**self).kind()
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        (**self).lookup(key).await
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        (**self).fence(key).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        (**self).admit(key, entry, fence).await
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        (**self).purge(target).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        (**self).expire(target, at).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        (**self).update_meta(key, generation, meta).await
    }

    async fn peek(&self, key: &Key) -> Result<Option<Peeked>> {
        (**self).peek(key).await
    }

    fn usage(&self) -> Usage {
        (**self).usage()
    }
}

/// The tier that is not there: `MultiTier<MemoryTier, NoTier, NoTier, _>`.
///
/// It has no size, answers every lookup with a miss, and admits nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTier;

#[async_trait]
impl Tier for NoTier {
    fn kind(&self) -> TierKind {
        TierKind::Absent
    }

    async fn lookup(&self, _: &Key) -> Result<Lookup> {
        Ok(Lookup::Miss(Fence::from_words([0; 3])))
    }

    async fn fence(&self, _: &Key) -> Result<Fence> {
        Ok(Fence::from_words([0; 3]))
    }

    async fn admit(&self, _: &Key, _: Entry, _: Fence) -> Result<Box<dyn Fill>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "no_tier.admit",
            "there is no tier here",
        ))
    }

    async fn purge(&self, _: &Target) -> Result<PurgeOutcome> {
        Ok(PurgeOutcome::NotFound)
    }

    async fn expire(&self, _: &Target, _: Timestamp) -> Result<PurgeOutcome> {
        Ok(PurgeOutcome::NotFound)
    }

    async fn update_meta(&self, _: &Key, _: Generation, _: Meta) -> Result<bool> {
        Ok(false)
    }
}
