use terrace_core::{Error, Generation, Key, Level, Meta, Peeked, Result};

use crate::breaker::BreakerState;
use crate::guard::Guard;
use crate::progress::Phase;
use crate::stack::Stack;
use crate::stats::Op;

/// What is known under one key: [`Stack::inspect`].
#[derive(Debug)]
pub struct Inspection {
    /// The body on its way, if others can join it.
    pub in_progress: Option<Underway>,
    /// The tiers, top-down.
    pub tiers: Vec<Inspected>,
}

/// A body on its way from the origin.
#[derive(Debug, Clone)]
pub struct Underway {
    /// Which of the key's bodies it will be.
    pub generation: Generation,
    /// Its metadata.
    pub meta: Meta,
    /// Its length in bytes, if it was announced.
    pub len: Option<u64>,
    /// Bytes that have come.
    pub received: u64,
    /// All bytes have come, and tiers are committing.
    pub is_complete: bool,
}

/// What one tier says.
#[derive(Debug)]
pub struct Inspected {
    /// Which one.
    pub level: Level,
    /// Whether it is being asked at present.
    pub breaker: BreakerState,
    /// What it holds.
    pub found: Seen,
}

/// What a tier holds under a key.
#[derive(Debug)]
pub enum Seen {
    /// This, fresh or stale.
    Held(Peeked),
    /// Nothing.
    Nothing,
    /// It was not asked, because its breaker is not closed.
    NotAsked,
    /// It was asked, and failed.
    Failed(Error),
}

impl Stack {
    /// What every tier holds under `key`, and whether a body is on its way, for people who want to know.
    ///
    /// - Effect: none. It is no hit, and promotes, evicts, counts towards admission, and trips nothing. A tier whose breaker
    ///   is not closed is not asked: the one call that tries whether it is well again is for a request.
    /// - Errors: each tier's own stands in its place. Waits for each remote tier for at most
    ///   [`Limits::lookup_deadline`](crate::Limits).
    pub async fn inspect(&self, key: &Key) -> Inspection {
        let shared = &self.shared;
        let in_progress = shared.registry.listed(key).and_then(|entry| {
            let (phase, received) = entry.progress();
            (phase != Phase::Failed).then(|| Underway {
                generation: entry.generation,
                meta: entry.meta.clone(),
                len: entry.len,
                received,
                is_complete: phase != Phase::Running,
            })
        });
        let asked = shared.tiers.iter().map(|guard| async move {
            let breaker = guard.breaker_state();
            let found = if breaker == BreakerState::Closed {
                Seen::of(guard.peek(key).await)
            } else {
                Seen::NotAsked
            };
            Inspected {
                level: guard.level,
                breaker,
                found,
            }
        });
        let tiers = futures::future::join_all(asked).await;
        Inspection { in_progress, tiers }
    }
}

impl Seen {
    fn of(peeked: Result<Option<Peeked>>) -> Self {
        match peeked {
            Ok(Some(peeked)) => Self::Held(peeked),
            Ok(None) => Self::Nothing,
            Err(error) => Self::Failed(error),
        }
    }
}

impl Guard {
    /// Looks without a trace: neither the counts of lookups nor the breaker hear of it.
    async fn peek(self: &std::sync::Arc<Self>, key: &Key) -> Result<Option<Peeked>> {
        if self.is_memory() {
            return self.tier.0.peek(key).await;
        }
        let key = *key;
        self.insist(Op::Peek, self.lookup_deadline, move |tier| {
            Box::pin(async move { tier.peek(&key).await })
        })
        .await
    }
}
