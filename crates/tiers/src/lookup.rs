use std::sync::Arc;

use terrace_core::{Entry, Generation, Hit, Key, KeyDigest, Level, Lookup, Meta, Timestamp};
use terrace_policy::Placement;

use crate::belief::{Belief, Like};
use crate::guard::Guard;
use crate::lane::Plan;
use crate::progress::InProgress;
use crate::promotion::{Planned, Promotions};
use crate::reader::{HitBody, Stored};
use crate::stack::{Shared, Stack};
use crate::stats::{LaneEnd, Purpose, Tally};
use crate::ticket::Ticket;

/// What the caller is going to do with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intent {
    /// Serve a fresh hit: the lookup stops at the first one.
    #[default]
    Serve,
    /// Ask the origin in any case: every tier is asked for its fence now, before the origin is, and a
    /// body in progress is not joined.
    Revalidate,
}

/// The answer to a lookup.
#[derive(Debug)]
pub struct Looked {
    /// What was found, possibly stale.
    pub hit: Option<TierHit>,
    /// The fences of the tiers asked, for a fill.
    pub ticket: Ticket,
}

/// An object, found.
#[derive(Debug)]
pub struct TierHit {
    /// Which of the key's bodies.
    pub generation: Generation,
    /// Its metadata.
    pub meta: Meta,
    /// Since when it is stale by a soft purge, if it is.
    pub expired_at: Option<Timestamp>,
    /// Where it was found.
    pub source: Source,
    /// Its length, where that is known.
    pub len: Option<u64>,
    /// Its body.
    pub body: HitBody,
}

/// Where an object was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// In a tier.
    Tier(Level),
    /// On its way from the origin, for somebody else.
    Filling,
}

impl Source {
    /// Its name in `Cache-Status` details and metric labels: `L0` to `L3`, or `filling`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tier(level) => level.as_str(),
            Self::Filling => "filling",
        }
    }
}

impl Stack {
    /// Looks `key` up in the bodies in progress and the tiers, top-down.
    ///
    /// A fresh hit ends the walk and is promoted while it is read. A stale one does not: another node may
    /// have revalidated it below, and whoever goes to the origin needs the lower tiers' fences. The best
    /// of what was found is answered, fresh before stale, then the latest.
    ///
    /// - Errors: none. A tier that fails, or is left alone by its breaker, is a miss without a fence, so that the fill
    ///   that follows leaves it out (P7).
    /// - Cancellation: calls that have begun end by themselves, within their deadline.
    pub async fn lookup(&self, key: &Key, intent: Intent) -> Looked {
        self.lookup_placed(key, intent, Placement::default()).await
    }

    /// As [`lookup`](Self::lookup), where a hit is promoted, and a fill with the ticket is stored, as `placement` allows.
    pub async fn lookup_placed(&self, key: &Key, intent: Intent, placement: Placement) -> Looked {
        let shared = &self.shared;
        let mut ticket = Ticket::new(
            *key,
            shared.registry.fence(key),
            shared.registry.answers(key),
        )
        .placed(placement);
        if let Some(requests) = &shared.requests {
            ticket.requests = requests.record(digest(key));
        }
        if intent == Intent::Serve
            && let Some(hit) = shared.join(key).await
        {
            return Looked {
                hit: Some(hit),
                ticket,
            };
        }
        let now = shared.env.now();
        let mut best = shared.walk(key, intent, now, &mut ticket).await;
        if intent == Intent::Serve && !best.as_ref().is_some_and(|found| found.fresh) {
            if let Some(hit) = shared.join(key).await {
                return Looked {
                    hit: Some(hit),
                    ticket,
                };
            }
            best = shared.in_memory_by_now(key, best, &mut ticket).await;
        }
        let hit = best.map(|found| shared.serve(*key, found, now, &ticket));
        Looked { hit, ticket }
    }

    /// Whether the origin has answered for the key of `ticket` since the lookup it is from began: then whoever is about
    /// to ask the origin should look again instead. It may say so of another key's answer; one more lookup is
    /// all that costs.
    pub fn is_answered_since(&self, ticket: &Ticket) -> bool {
        self.shared.registry.answers(&ticket.key) != ticket.answers
    }

    /// The body of one's own fill, by [`Filling::id`](crate::Filling::id), from its first byte; `None` once it has ended
    /// or its beginning is gone.
    pub fn filling(&self, id: u64) -> Option<TierHit> {
        self.shared
            .registry
            .by_id(id)
            .and_then(|entry| follow(&entry))
    }
}

impl Shared {
    /// Asks the tiers, top-down, and answers the best of what they have. The fences go into `ticket`.
    async fn walk<'a>(
        self: &'a Arc<Self>,
        key: &Key,
        intent: Intent,
        now: Timestamp,
        ticket: &mut Ticket,
    ) -> Option<Found<'a>> {
        let mut best: Option<Found<'_>> = None;
        let mut lapsed: Option<Found<'_>> = None;
        let mut all_answered = true;
        for guard in &self.tiers {
            match guard.lookup(key).await {
                Ok(Lookup::Miss(fence)) => ticket.set(guard.level, fence),
                Ok(Lookup::Hit(hit)) => {
                    ticket.set_found(guard.level, &hit);
                    let fresh = hit.is_fresh(now);
                    match self.belief(guard.level, &hit.meta, now) {
                        Belief::Lapsed => {
                            lapsed = Some(Found { guard, hit, fresh });
                            continue;
                        }
                        Belief::Due if fresh && intent == Intent::Serve => {
                            self.confirm_soon(*key, &hit);
                        }
                        Belief::Due | Belief::Held => {}
                    }
                    let found = match lapsed.take_if(|copy| Like::of(&copy.hit).is(&hit)) {
                        Some(copy) => {
                            copy.hit.meta.confirm(now);
                            copy
                        }
                        None => Found { guard, hit, fresh },
                    };
                    best = Some(Found::better(best, found));
                    if fresh && intent == Intent::Serve {
                        break;
                    }
                }
                // Counted by the guard.
                Err(_) => all_answered = false,
            }
        }
        let is_gone = all_answered && best.is_none();
        if let Some(Found { guard, hit, .. }) = lapsed.filter(|_| is_gone) {
            self.forget(guard, key, hit.generation, ticket).await;
        }
        best
    }

    /// A reader of the body of `key` that is in progress, if there is one to be joined.
    async fn join(&self, key: &Key) -> Option<TierHit> {
        let entry = self.registry.listed(key)?;
        let hit = follow(&entry);
        if hit.is_none() && entry.is_settling() {
            // It is complete, too large to be joined, and about to be in a tier: that is worth a short
            // wait, where the alternative is to fetch it again.
            self.env
                .within(self.limits.lookup_deadline, entry.settle())
                .await;
        }
        hit
    }

    /// A fresh hit in a memory tier that was not there when it was asked, or else `best`.
    ///
    /// While the tiers below were being asked, another request may have fetched the object and let go of the lock
    /// that collapses requests. Whoever misses then would fetch it once more.
    async fn in_memory_by_now<'a>(
        &'a self,
        key: &Key,
        best: Option<Found<'a>>,
        ticket: &mut Ticket,
    ) -> Option<Found<'a>> {
        let now = self.env.now();
        for guard in self.tiers.iter().filter(|guard| guard.is_memory()) {
            if let Ok(Lookup::Hit(hit)) = guard.tier.0.lookup(key).await
                && hit.is_fresh(now)
                && self.belief(guard.level, &hit.meta, now) != Belief::Lapsed
            {
                ticket.set_found(guard.level, &hit);
                let fresh = true;
                return Some(Found { guard, hit, fresh });
            }
        }
        best
    }

    /// A reader of what was found by a lookup that began at `asked`.
    fn serve(
        self: &Arc<Self>,
        key: Key,
        found: Found<'_>,
        asked: Timestamp,
        ticket: &Ticket,
    ) -> TierHit {
        let Found { guard, hit, fresh } = found;
        let promotions = if fresh {
            self.promotions(key, guard.level, &hit, asked, ticket)
        } else {
            Promotions::default()
        };
        let Hit {
            generation,
            meta,
            expired_at,
            checksums,
            body,
            fence: _,
        } = hit;
        let stored = Stored {
            key,
            generation,
            checksums,
        };
        let body = HitBody::stored(self, guard, stored, body, promotions);
        let source = Source::Tier(guard.level);
        TierHit {
            generation,
            meta,
            expired_at,
            source,
            len: body.len(),
            body,
        }
    }

    /// The copies this hit is to leave above.
    fn promotions(
        self: &Arc<Self>,
        key: Key,
        from: Level,
        hit: &Hit,
        asked: Timestamp,
        ticket: &Ticket,
    ) -> Promotions {
        let Some(checksums) = hit.checksums.clone().filter(|_| from != Level::L0) else {
            return Promotions::default();
        };
        let len = checksums.len();
        let hits = self.count_hit(&key, from);
        let above = self.tiers.iter().filter(|guard| guard.level < from);
        let wanted = above.filter(|guard| {
            self.policy.promotes(from, guard.level, hits)
                && self.policy.fits(guard.level, len)
                && ticket.placement.fits(guard.level, len)
        });
        let planned = wanted.filter_map(|guard| {
            // Without a fence there is no promotion (P3).
            let fence = ticket.fence(guard.level)?.clone();
            let claim = self.claims.claim(key, guard.level)?;
            let charge = if guard.is_memory() {
                let mut charge = self.memory.account();
                if !charge.grow(usize::try_from(len).ok()?) {
                    Tally::start(guard, Purpose::Promotion).end(LaneEnd::NoMemory);
                    return None;
                }
                Some(charge)
            } else {
                None
            };
            let entry = Entry {
                generation: hit.generation,
                meta: self.believed_from(asked, &hit.meta),
                len: Some(len),
                replaces: ticket.replaces(guard.level),
            };
            let plan = Plan {
                guard: Arc::clone(guard),
                key,
                entry,
                fence,
            };
            Some(Planned {
                plan,
                claim,
                charge,
            })
        });
        let planned = planned.collect();
        Promotions::new(
            planned,
            checksums,
            self.limits.lane_bytes,
            self.limits.write_deadline,
        )
    }

    /// How often `key` was hit in `from` lately, this time included; 0 where nobody asks.
    fn count_hit(&self, key: &Key, from: Level) -> u32 {
        self.hits.as_ref().map_or(0, |hits| {
            let digest = digest(key);
            hits.record(KeyDigest::of(&[
                digest.as_bytes(),
                from.as_str().as_bytes(),
            ]))
        })
    }
}

fn follow(entry: &Arc<InProgress>) -> Option<TierHit> {
    let body = HitBody::following(entry.join()?, entry.len);
    Some(TierHit {
        generation: entry.generation,
        meta: entry.meta.clone(),
        expired_at: None,
        source: Source::Filling,
        len: entry.len,
        body,
    })
}

/// What a key's requests are counted under: a variant is not its primary slot, which is looked up first.
fn digest(key: &Key) -> KeyDigest {
    match key.variance() {
        None => key.primary(),
        Some(variance) => KeyDigest::of(&[key.primary().as_bytes(), variance.as_bytes()]),
    }
}

struct Found<'a> {
    guard: &'a Arc<Guard>,
    hit: Hit,
    fresh: bool,
}

impl Found<'_> {
    /// The better one of a hit above and one below it. Where they are of the same generation, confirmed
    /// by the origin since, the copy above is replaced all the same: a promotion is fenced, a
    /// correction of metadata would not be, and could undo a soft purge.
    fn better(above: Option<Self>, below: Self) -> Self {
        let rank = |found: &Self| (found.fresh, found.hit.meta.updated);
        match above {
            Some(above) if rank(&above) >= rank(&below) => above,
            _ => below,
        }
    }
}
