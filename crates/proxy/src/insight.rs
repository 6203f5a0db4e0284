use std::fmt;
use std::sync::Arc;

use pingora::cache::CacheKey;
use pingora::cache::key::CacheHashKey as _;
use pingora::http::RequestHeader;

use crate::config::ProxyConfig;
use crate::decisions::Decisions;
use crate::done::Done;
use crate::in_flight::InFlight;
use crate::key::Scheme;
use crate::rules::RuleSet;
use crate::stats::Stats;
use crate::upstream::Groups;
use crate::variants::Variants;

/// What a [`CachingProxy`](crate::CachingProxy) shows of itself, for an [`Admin`](crate::Admin) listener of the same
/// process. Clones share it.
#[derive(Clone)]
pub struct Insight {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ProxyConfig>,
    rules: Arc<RuleSet>,
    groups: Arc<Groups>,
    variants: Arc<Variants>,
    stats: Arc<Stats>,
    in_flight: InFlight,
    decisions: Decisions,
}

impl Insight {
    pub(crate) fn new(
        config: Arc<ProxyConfig>,
        rules: Arc<RuleSet>,
        groups: Arc<Groups>,
        variants: Arc<Variants>,
        stats: Arc<Stats>,
        in_flight: InFlight,
    ) -> Self {
        let decisions = Decisions::new(config.remembered_decisions);
        Self {
            shared: Arc::new(Shared {
                config,
                rules,
                groups,
                variants,
                stats,
                in_flight,
                decisions,
            }),
        }
    }

    /// How the proxy was configured.
    pub(crate) fn config(&self) -> &ProxyConfig {
        &self.shared.config
    }

    /// What differs for parts of sites, and how keys are made.
    pub(crate) fn rules(&self) -> &RuleSet {
        &self.shared.rules
    }

    /// Where responses come from.
    pub(crate) fn groups(&self) -> &Groups {
        &self.shared.groups
    }

    /// The key that a `PURGE` of this kind is about; what was known of its variants is forgotten.
    pub(crate) fn key_to_purge(
        &self,
        scheme: Scheme,
        req: &mut RequestHeader,
    ) -> pingora::Result<CacheKey> {
        let settled = self.shared.rules.settle(scheme, req)?;
        let key = self.shared.rules.key_by(settled.rule, scheme, req);
        self.shared.variants.forget(&key.primary_bin());
        Ok(key)
    }

    /// What it has counted.
    pub(crate) fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Why the last answers were what they were.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.shared.decisions
    }

    /// A request of a client is over.
    pub(crate) fn remember(&self, done: &Done<'_>) {
        if let Some(decision) = done.decision() {
            self.shared.decisions.remember(decision);
        }
    }

    /// What the proxy calls itself, in `Via` and `Cache-Status`.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// The requests being served.
    pub fn in_flight(&self) -> &InFlight {
        &self.shared.in_flight
    }
}

impl fmt::Debug for Insight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insight").finish_non_exhaustive()
    }
}
