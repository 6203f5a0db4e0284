use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora_cache::CacheKey;
use terrace_core::{Generation, Key};
use terrace_policy::Placement;
use terrace_tiers::{Intent, Source, Ticket};
use tracing::Span;

/// The most keys of which one request remembers what it looked up: the primary slot, a variant, and some to
/// spare. The oldest is forgotten first.
pub const MAX_LOOKUPS: usize = 4;

/// What a request carries through Pingora, inside `CacheKey.extensions`: insert it in `cache_key_callback`, and
/// keep a clone to read the [`Outcome`] from. Clones share what is learnt.
///
/// # Without a slot
///
/// Everything works, one promise is weaker. Pingora hands nothing from a lookup to the fill that follows it, so a fill
/// without a slot takes its fences when the origin's response has come: a purge acknowledged
/// between the request and the response then does not stop that response from being stored, nor a 304
/// from ending a soft purge. With a slot it does (promise P3).
#[derive(Clone)]
pub struct RequestSlot {
    intent: Intent,
    placement: Placement,
    span: Option<Span>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    /// The oldest first.
    lookups: [Option<Looked>; MAX_LOOKUPS],
}

struct Looked {
    ticket: Ticket,
    generation: Option<Generation>,
}

/// How a request fared with the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Where the last lookup's hit came from, fresh or stale; `None` for a miss.
    pub source: Option<Source>,
    /// Which generation that hit was; once a fill has begun, the fill's.
    pub generation: Option<Generation>,
    /// A fill was begun, and some tier took it on.
    pub stored: bool,
    /// The metadata of the hit was refreshed, the origin having confirmed it.
    pub refreshed: bool,
}

/// Where a hit came from. In the `CacheMeta::extensions` of every hit, for any `ProxyHttp` callback to read;
/// Pingora carries it through a revalidation, and so `update_meta` knows which generation
/// was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The key it was found under.
    pub key: Key,
    /// What answered.
    pub source: Source,
    /// The body's generation.
    pub generation: Generation,
}

impl RequestSlot {
    /// A slot of a request that may be answered from the cache.
    pub fn new() -> Self {
        Self {
            intent: Intent::Serve,
            placement: Placement::default(),
            span: None,
            state: Arc::default(),
        }
    }

    /// Says what the lookup is for. A request that goes to the origin whatever is found, because its
    /// `cache_hit_filter` forces a miss or the client sent `no-cache`, says [`Intent::Revalidate`], so that every
    /// tier's fence is taken before the origin is asked.
    #[must_use]
    pub fn with_intent(mut self, intent: Intent) -> Self {
        self.intent = intent;
        self
    }

    /// Narrows where the object is stored, by this request's fill and by a promotion of its hit.
    #[must_use]
    pub fn with_placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Lets what lookups log stand in `span`. One that is disabled costs nothing.
    #[must_use]
    pub fn with_span(mut self, span: &Span) -> Self {
        self.span = (!span.is_disabled()).then(|| span.clone());
        self
    }

    /// The key of the last lookup, a variant's included.
    pub fn key(&self) -> Option<Key> {
        let state = self.state.lock();
        let last = state.lookups.iter().flatten().next_back();
        last.map(|looked| *looked.ticket.key())
    }

    /// How it went so far; `None` before the first lookup.
    pub fn outcome(&self) -> Option<Outcome> {
        self.state.lock().outcome
    }

    pub(crate) fn of(key: &CacheKey) -> Option<&Self> {
        key.extensions.get()
    }

    pub(crate) fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    pub(crate) fn intent(&self) -> Intent {
        self.intent
    }

    pub(crate) fn placement(&self) -> Placement {
        self.placement
    }

    /// Remembers a lookup. Of several for one key the last counts: its answer is what the request acts upon.
    pub(crate) fn looked(&self, ticket: Ticket, found: Option<Found>) {
        let generation = found.map(|found| found.generation);
        let mut state = self.state.lock();
        state.outcome = Some(Outcome {
            source: found.map(|found| found.source),
            generation,
            stored: false,
            refreshed: false,
        });
        state.remember(Looked { ticket, generation });
    }

    /// The fences taken when `key` was looked up.
    pub(crate) fn ticket(&self, key: &Key) -> Option<Ticket> {
        let state = self.state.lock();
        state.lookup(key).map(|looked| looked.ticket.clone())
    }

    /// The generation that was found under `key`.
    pub(crate) fn generation(&self, key: &Key) -> Option<Generation> {
        self.state.lock().lookup(key)?.generation
    }

    /// Remembers that a fill has begun, `stored` by some tier.
    pub(crate) fn filling(&self, generation: Generation, stored: bool) {
        let outcome = &mut self.state.lock().outcome;
        let miss = Outcome {
            source: None,
            generation: None,
            stored: false,
            refreshed: false,
        };
        *outcome = Some(Outcome {
            generation: Some(generation),
            stored,
            ..outcome.unwrap_or(miss)
        });
    }

    pub(crate) fn refreshed(&self) {
        if let Some(outcome) = &mut self.state.lock().outcome {
            outcome.refreshed = true;
        }
    }
}

impl State {
    fn remember(&mut self, looked: Looked) {
        let is_free = |slot: &Option<Looked>| {
            let key = slot.as_ref().map(|it| it.ticket.key());
            key.is_none_or(|key| key == looked.ticket.key())
        };
        let slot = self.lookups.iter().position(is_free).unwrap_or(0);
        self.lookups[slot] = Some(looked);
        // What was in the slot was the oldest, or an older answer for the same key.
        let free = self.lookups.iter().position(Option::is_none);
        self.lookups[slot..free.unwrap_or(MAX_LOOKUPS)].rotate_left(1);
    }

    fn lookup(&self, key: &Key) -> Option<&Looked> {
        let known = self.lookups.iter().flatten();
        known.into_iter().find(|looked| looked.ticket.key() == key)
    }
}

impl Default for RequestSlot {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RequestSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSlot")
            .field("intent", &self.intent)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}
