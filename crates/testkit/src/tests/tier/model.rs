use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use terrace_core::{
    BlockChecksums, Body, Entry, Error, ErrorKind, Fence, Fill, Generation, Hit, Key, Lookup, Meta,
    PurgeOutcome, Result, Target, Tier, TierKind, Timestamp,
};
use tokio::task::yield_now;

use super::Flaw;
use super::body::ModelBody;
use super::fill::ModelFill;
use crate::sample::{FAR_AHEAD, LONG_AGO, generation};

/// A map that is a tier, and makes one mistake.
pub(crate) struct ModelTier {
    flaw: Flaw,
    state: Shared,
}

pub(super) type Shared = Arc<Mutex<State>>;

#[derive(Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<Key, Object>,
    epochs: BTreeMap<Key, u64>,
    /// The bodies being written, for fills that share them.
    pub(super) buffers: BTreeMap<Key, Vec<u8>>,
    /// What was purged, for who calls it back.
    purged: BTreeMap<Key, Object>,
    /// Connections that are in use.
    pub(super) used: usize,
    updates: usize,
}

#[derive(Clone)]
pub(super) struct Object {
    pub(super) entry: Entry,
    pub(super) body: Bytes,
    pub(super) expired_at: Option<Timestamp>,
}

impl ModelTier {
    pub(crate) fn new(flaw: Flaw) -> Self {
        let state = Shared::default();
        Self { flaw, state }
    }

    fn slot(&self, key: &Key) -> Key {
        match self.flaw {
            Flaw::VarianceIsIgnored => key.group(),
            _ => *key,
        }
    }

    fn covers(&self, target: &Target, key: &Key) -> bool {
        match (self.flaw, target) {
            (Flaw::GroupIsThePrimarySlot, target) => target.key() == *key,
            (Flaw::KeyPurgeTakesTheGroup, target) => target.primary() == key.primary(),
            (_, target) => target.covers(key),
        }
    }

    /// What `target` names and is there.
    fn named(&self, state: &State, target: &Target) -> Vec<Key> {
        let current = |key: &Key, object: &Object| match (self.flaw, target) {
            (Flaw::PurgeIgnoresGeneration | Flaw::ExpireIgnoresGeneration, _) => true,
            (Flaw::NewerIsNotPurged, _) => object.entry.meta.updated < FAR_AHEAD,
            (_, Target::Generation(named, generation)) => {
                key == named && object.entry.generation == *generation
            }
            _ => true,
        };
        let named = state.objects.iter();
        named
            .filter(|(key, object)| self.covers(target, key) && current(key, object))
            .map(|(key, _)| *key)
            .collect()
    }

    fn void(&self, state: &mut State, target: &Target, named: &[Key]) {
        match self.flaw {
            Flaw::FencesOfNothingSurvive if named.is_empty() => {}
            Flaw::FencesSurviveBesideOthers
                if state
                    .objects
                    .keys()
                    .any(|key| key.primary() == target.primary()) => {}
            Flaw::FencesAreOfKeys => {
                for key in named.iter().copied().chain([target.key()]) {
                    *state.epochs.entry(key).or_default() += 1;
                }
            }
            _ => *state.epochs.entry(target.key().group()).or_default() += 1,
        }
    }

    fn found(&self, state: &State, target: &Target, named: &[Key]) -> Option<Generation> {
        let key = target.key();
        let found = named
            .contains(&key)
            .then(|| state.objects[&key].entry.generation);
        match self.flaw {
            Flaw::PurgeAlwaysFinds => found.or(Some(generation(0))),
            Flaw::PurgeNeverFinds => None,
            _ => found,
        }
    }

    fn lease(&self) -> Result<Lease> {
        let connections = match self.flaw {
            Flaw::OneConnection => 1,
            Flaw::BodiesHoldConnections => 4,
            Flaw::LeaksOnCancel => 40,
            _ => usize::MAX,
        };
        let mut state = self.state.lock();
        if state.used >= connections {
            let message = "no connection is left";
            return Err(Error::new(ErrorKind::Exhausted, "model", message));
        }
        state.used += 1;
        Ok(Lease(Arc::clone(&self.state)))
    }
}

/// A connection that its pool loses with a dropped call; only the flawed ones have a bound.
struct Lease(Shared);

impl Lease {
    fn end(self) {
        self.0.lock().used -= 1;
    }
}

pub(super) fn fence(flaw: Flaw, state: &State, key: &Key) -> Fence {
    let of = match flaw {
        Flaw::FencesAreOfKeys => *key,
        _ => key.group(),
    };
    Fence::from_words([state.epochs.get(&of).copied().unwrap_or(0), 0, 0])
}

#[async_trait]
impl Tier for ModelTier {
    fn kind(&self) -> TierKind {
        match self.flaw {
            Flaw::SaysMemory => TierKind::Memory,
            _ => TierKind::Remote,
        }
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let lease = self.lease()?;
        yield_now().await;
        let key = self.slot(key);
        let (fence, found) = {
            let state = self.state.lock();
            let fence = fence(self.flaw, &state, &key);
            let found = state.objects.get(&key).cloned();
            let empty = (self.flaw == Flaw::AbsentIsEmpty).then(|| Object {
                entry: crate::sample::Object::new(0, 0).entry,
                body: Bytes::new(),
                expired_at: None,
            });
            (fence, found.or(empty))
        };
        yield_now().await;
        if self.flaw != Flaw::BodiesHoldConnections || found.is_none() {
            lease.end();
        }
        let stale = |object: &Object| object.entry.meta.fresh_until <= LONG_AGO;
        let Some(object) = found.filter(|o| self.flaw != Flaw::StaleIsAMiss || !stale(o)) else {
            return Ok(Lookup::Miss(fence));
        };
        let checksums = BlockChecksums::of(&object.body);
        Ok(Lookup::Hit(Hit {
            generation: object.entry.generation,
            meta: object.entry.meta,
            expired_at: object.expired_at,
            // Flawed bodies would be caught by these, before they were read.
            checksums: (self.flaw == Flaw::None).then(|| Arc::new(checksums)),
            body: Body::Stream(Box::new(ModelBody {
                flaw: self.flaw,
                key,
                unread: 0..object.body.len(),
                ended: false,
                bytes: object.body,
                state: Arc::clone(&self.state),
            })),
            fence,
        }))
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        yield_now().await;
        Ok(fence(self.flaw, &self.state.lock(), &self.slot(key)))
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        if entry.len.is_none() && self.flaw == Flaw::LengthMustBeAnnounced {
            let message = "announce the length";
            return Err(Error::new(ErrorKind::Invalid, "model.admit", message));
        }
        let key = self.slot(key);
        let holds = {
            let mut state = self.state.lock();
            let object = Object {
                entry: entry.clone(),
                body: Bytes::new(),
                expired_at: None,
            };
            match self.flaw {
                Flaw::AdmitPublishes => drop(state.objects.insert(key, object)),
                Flaw::AdmitRemoves => drop(state.objects.remove(&key)),
                _ => {}
            }
            state.buffers.remove(&key);
            fence == self::fence(self.flaw, &state, &key)
        };
        yield_now().await;
        Ok(Box::new(ModelFill {
            flaw: self.flaw,
            key,
            entry,
            fence,
            held_at_admit: holds,
            written: Vec::new(),
            ended: false,
            state: Arc::clone(&self.state),
        }))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        yield_now().await;
        if self.flaw == Flaw::PurgeTearsFirst {
            if let Some(object) = self.state.lock().objects.get_mut(&target.key()) {
                object.body.truncate(1);
            }
            yield_now().await;
        }
        let found = {
            let mut state = self.state.lock();
            let mut named = self.named(&state, target);
            let found = self.found(&state, target, &named);
            match (self.flaw, target) {
                (Flaw::PurgeRemovesTwo, _) => {
                    let other = state.objects.keys().find(|key| !named.contains(key));
                    named.extend(other.copied());
                }
                (Flaw::PurgeOfGenerationForgets, Target::Generation(..)) => named.clear(),
                _ => {}
            }
            for key in &named {
                if let Some(purged) = state.objects.remove(key) {
                    state.purged.insert(*key, purged);
                }
            }
            if self.flaw != Flaw::PurgeRemovesThenVoids {
                self.void(&mut state, target, &named);
            }
            found
        };
        yield_now().await;
        if self.flaw == Flaw::PurgeRemovesThenVoids {
            self.void(&mut self.state.lock(), target, &[]);
        }
        Ok(found.map_or(PurgeOutcome::NotFound, PurgeOutcome::Purged))
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        yield_now().await;
        let found = {
            let mut state = self.state.lock();
            if self.flaw == Flaw::ExpireCallsBack {
                let purged = std::mem::take(&mut state.purged);
                state.objects.extend(purged);
            }
            let named = self.named(&state, target);
            let found = self.found(&state, target, &named);
            for key in &named {
                if self.flaw == Flaw::ExpireRemoves {
                    state.objects.remove(key);
                }
                let Some(object) = state.objects.get_mut(key) else {
                    continue;
                };
                object.expired_at = match (self.flaw, object.expired_at) {
                    (Flaw::ExpireForgets, old) => old,
                    (Flaw::ExpireKeepsTheFirst, Some(first)) => Some(first),
                    (Flaw::ExpireIsAtOnce, _) => Some(LONG_AGO),
                    (Flaw::ExpireKeepsTheLast, _) | (_, None) => Some(at),
                    (_, Some(old)) => Some(old.min(at)),
                };
            }
            if self.flaw != Flaw::ExpireKeepsFences {
                self.void(&mut state, target, &named);
            }
            found
        };
        yield_now().await;
        Ok(found.map_or(PurgeOutcome::NotFound, PurgeOutcome::Expired))
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        yield_now().await;
        let key = self.slot(key);
        let found = {
            let mut state = self.state.lock();
            let calls_back = self.flaw == Flaw::UpdateMetaCallsBack;
            if calls_back && let Some(purged) = state.purged.remove(&key) {
                state.objects.entry(key).or_insert(purged);
            }
            state.objects.get(&key).cloned()
        };
        let ignores = self.flaw == Flaw::UpdateMetaIgnoresGeneration;
        let Some(mut new) = found.filter(|o| o.entry.generation == generation || ignores) else {
            return Ok(self.flaw == Flaw::UpdateMetaAlwaysAgrees);
        };
        new.entry.meta = meta.clone();
        match self.flaw {
            Flaw::UpdateMetaWritesBack => yield_now().await,
            Flaw::UpdateMetaRemovesFirst => {
                self.state.lock().objects.remove(&key);
                yield_now().await;
                self.state.lock().objects.insert(key, new.clone());
            }
            _ => {}
        }
        let mut state = self.state.lock();
        state.updates += 1;
        match self.flaw {
            Flaw::UpdateMetaForgets => return Ok(true),
            Flaw::UpdateMetaOnce if state.updates > 1 => return Ok(false),
            Flaw::UpdateMetaOfAll => {
                for other in state.objects.values_mut() {
                    other.entry.meta = meta.clone();
                }
            }
            _ => {}
        }
        if self.flaw == Flaw::UpdateMetaWritesBack {
            new.expired_at = None;
            state.objects.insert(key, new);
            return Ok(true);
        }
        if self.flaw == Flaw::UpdateMetaClearsTheGroup {
            let group = state.objects.iter_mut();
            for (_, other) in group.filter(|(other, _)| other.primary() == key.primary()) {
                other.expired_at = None;
            }
        }
        let current = state.objects.get_mut(&key);
        let Some(object) = current.filter(|o| o.entry.generation == generation || ignores) else {
            return Ok(false);
        };
        if self.flaw == Flaw::OlderMetaIsIgnored && meta.updated < object.entry.meta.updated {
            return Ok(true);
        }
        object.entry.meta = meta;
        if self.flaw != Flaw::UpdateMetaKeepsExpiry {
            object.expired_at = None;
        }
        Ok(true)
    }
}
