//! How long a copy in L0 is believed where others may purge the tiers below it: [`Limits::l0_max_age`](crate::Limits).
//!
//! Every copy remembers when it was last known to be what a tier below holds ([`Meta::confirmed`]): a moment before that tier
//! was asked. So whatever was purged through another process after that moment is found out, at the latest, by the first
//! request that finds the copy older than the bound. That request asks below, and serves the copy only if the object is
//! still there: the same generation with the same metadata. No byte of the body moves for that.
//!
//! A tier that cannot be asked confirms nothing. The request goes to the origin then, and what it brings is a new copy, good
//! for as long again: P3 does not give way to an outage, and P7 needs no more than the origin.

use std::sync::Arc;

use terrace_core::{Decoded, Generation, Hit, Key, Level, Lookup, Meta, Target, Timestamp};

use crate::guard::Guard;
use crate::stack::Shared;
use crate::ticket::Ticket;

/// What a copy's age says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// It may be served.
    Held,
    /// It may be served, and should be confirmed before it lapses.
    Due,
    /// It may be served when a tier below has confirmed it.
    Lapsed,
}

impl Shared {
    /// How `meta`, found in `level`, is to be taken.
    pub(crate) fn belief(&self, level: Level, meta: &Meta, now: Timestamp) -> Belief {
        let Some(max_age) = self.limits.l0_max_age.filter(|_| level == Level::L0) else {
            return Belief::Held;
        };
        let confirmed = meta.confirmed();
        let age = now.since(confirmed);
        // A clock that was set back must not make anything believed for longer.
        if confirmed > now || age > max_age {
            Belief::Lapsed
        } else if age > max_age / 2 {
            Belief::Due
        } else {
            Belief::Held
        }
    }

    /// The metadata of a copy for L0 of what a tier below was asked for at `asked`.
    pub(crate) fn believed_from(&self, asked: Timestamp, meta: &Meta) -> Meta {
        let mut meta = meta.clone();
        if self.limits.l0_max_age.is_some() {
            // Of its own: what it was copied from may be another's copy.
            meta.decoded = Decoded::default();
            meta.confirm(asked);
        }
        meta
    }

    /// Has a copy confirmed in the background, so that no request of an object in demand waits for the tiers below.
    ///
    /// One that they do not confirm lapses at once: the next request deals with it.
    pub(crate) fn confirm_soon(self: &Arc<Self>, key: Key, copy: &Hit) {
        // One at a time for each key; a bounded number in all.
        let Some(claim) = self.claims.claim(key, Level::L0) else {
            return;
        };
        let (shared, like) = (Arc::clone(self), Like::of(copy));
        self.env.spawn(async move {
            let _claim = claim;
            let asked = shared.env.now();
            let below = shared.tiers.iter().filter(|guard| guard.level > Level::L0);
            for guard in below {
                match guard.lookup(&key).await {
                    Ok(Lookup::Hit(hit)) if like.is(&hit) => return like.meta.confirm(asked),
                    // It cannot be asked now; there is time left to ask again.
                    Err(_) => return,
                    Ok(_) => {}
                }
            }
            like.meta.confirm(Timestamp::EPOCH);
        });
    }

    /// Drops a copy that no tier below holds any more, and nothing that came in its place.
    ///
    /// That voids the tier's fences, so the ticket gets another, taken before its holder asks the origin; nothing
    /// was found that could be promoted under it.
    pub(crate) async fn forget(
        &self,
        guard: &Guard,
        key: &Key,
        generation: Generation,
        ticket: &mut Ticket,
    ) {
        let target = Target::Generation(*key, generation);
        if guard.is_memory()
            && guard.tier.0.purge(&target).await.is_ok()
            && let Ok(fence) = guard.tier.0.fence(key).await
        {
            ticket.set(guard.level, fence);
        }
    }
}

/// What a tier below must hold to confirm a copy.
pub(crate) struct Like {
    generation: Generation,
    meta: Meta,
    expired_at: Option<Timestamp>,
}

impl Like {
    pub(crate) fn of(copy: &Hit) -> Self {
        Self {
            generation: copy.generation,
            meta: copy.meta.clone(),
            expired_at: copy.expired_at,
        }
    }

    /// Whether `hit` says the same as the copy: also of soft purges, and of what the origin said in between.
    pub(crate) fn is(&self, hit: &Hit) -> bool {
        self.generation == hit.generation
            && self.expired_at == hit.expired_at
            && self.meta == hit.meta
    }
}
