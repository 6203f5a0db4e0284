use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{BlockChecksums, Commit, Committed, Entry, Fence, Fill, Key, Result};
use tokio::task::yield_now;

use super::Flaw;
use super::model::{Object, Shared, State, fence};

/// What a [`ModelTier`](super::ModelTier) is being filled with.
pub(super) struct ModelFill {
    pub(super) flaw: Flaw,
    pub(super) key: Key,
    pub(super) entry: Entry,
    pub(super) fence: Fence,
    pub(super) held_at_admit: bool,
    pub(super) written: Vec<u8>,
    pub(super) ended: bool,
    pub(super) state: Shared,
}

impl ModelFill {
    fn object(&mut self, state: &State) -> Object {
        let mut entry = self.entry.clone();
        match self.flaw {
            Flaw::TagsAreLost => entry.meta.tags = std::sync::Arc::default(),
            Flaw::LargeHeadersAreCut => entry.meta.header.truncate(16_384),
            _ => {}
        }
        let old = state.objects.get(&self.key);
        let outlives = self.flaw == Flaw::ExpiryOutlivesTheObject;
        Object {
            entry,
            body: std::mem::take(&mut self.written).into(),
            expired_at: old.filter(|_| outlives).and_then(|old| old.expired_at),
        }
    }

    fn verify(&self, commit: &Commit) -> Result<()> {
        let written = BlockChecksums::of(&self.written);
        match self.flaw {
            Flaw::CommitIgnoresChecksums => Ok(()),
            Flaw::CommitChecksLengthOnly if written.len() == commit.checksums.len() => Ok(()),
            _ => commit.verify(&written),
        }
    }

    fn may_commit(&self, state: &State) -> bool {
        let current = state.objects.get(&self.key);
        let is_permitted = self.flaw == Flaw::CopiesReplaceAnything
            || self
                .entry
                .replaces
                .permits(current.map(|it| it.entry.generation));
        is_permitted && self.fence_holds(state)
    }

    fn fence_holds(&self, state: &State) -> bool {
        match self.flaw {
            Flaw::IgnoresFences => true,
            Flaw::FencesAreCheckedAtAdmit => self.held_at_admit,
            _ => self.fence == fence(self.flaw, state, &self.key),
        }
    }
}

#[async_trait]
impl Fill for ModelFill {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.ended |= self.flaw == Flaw::EmptyPieceEnds && chunk.is_empty();
        if self.ended {
            return Ok(());
        }
        if self.flaw == Flaw::FillsShareABuffer {
            let mut state = self.state.lock();
            state
                .buffers
                .entry(self.key)
                .or_default()
                .extend_from_slice(&chunk);
        }
        self.written.extend_from_slice(&chunk);
        yield_now().await;
        Ok(())
    }

    async fn commit(mut self: Box<Self>, commit: Commit) -> Result<Committed> {
        yield_now().await;
        if self.flaw == Flaw::FillsShareABuffer {
            let shared = self.state.lock().buffers.get(&self.key).cloned();
            self.written = shared.unwrap_or_default();
        }
        if let Err(refused) = self.verify(&commit) {
            if self.flaw == Flaw::RefusedCommitRemoves {
                self.state.lock().objects.remove(&self.key);
            }
            self.written.clear();
            return Err(refused);
        }
        let torn = matches!(
            self.flaw,
            Flaw::CommitChecksThenWrites | Flaw::CommitReplacesInTwoSteps | Flaw::CommitLeavesAGap
        );
        let shared = Arc::clone(&self.state);
        if torn {
            let held = self.may_commit(&shared.lock());
            let (key, whole) = (self.key, self.object(&shared.lock()));
            match self.flaw {
                Flaw::CommitReplacesInTwoSteps => {
                    let mut half = whole.clone();
                    half.body = whole.body.slice(..whole.body.len() / 2);
                    shared.lock().objects.insert(key, half);
                }
                Flaw::CommitLeavesAGap => drop(shared.lock().objects.remove(&key)),
                _ => {}
            }
            yield_now().await;
            if !held {
                return Ok(Committed::Fenced);
            }
            shared.lock().objects.insert(key, whole);
            return Ok(Committed::Published);
        }
        {
            let mut state = shared.lock();
            let object = self.object(&state);
            if !self.may_commit(&state) {
                return Ok(Committed::Fenced);
            }
            let is_older = || {
                let old = state.objects.get(&self.key);
                old.is_some_and(|old| object.entry.meta.updated < old.entry.meta.updated)
            };
            let forgets = match self.flaw {
                Flaw::CommitForgets => true,
                Flaw::OlderIsIgnored => is_older(),
                _ => false,
            };
            if forgets {
                return Ok(Committed::Published);
            }
            let replaced = state.objects.insert(self.key, object);
            if self.flaw == Flaw::CommitSaysFenced && replaced.is_some() {
                return Ok(Committed::Fenced);
            }
        }
        yield_now().await;
        Ok(Committed::Published)
    }
}

impl Drop for ModelFill {
    fn drop(&mut self) {
        if self.flaw == Flaw::DropPublishes && !self.written.is_empty() {
            let shared = Arc::clone(&self.state);
            let mut state = shared.lock();
            let object = self.object(&state);
            state.objects.insert(self.key, object);
        }
    }
}
