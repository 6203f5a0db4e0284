use std::sync::Arc;

use terrace_core::{Clock, Level, NoTier, OsRandom, Random, Runtime, SystemClock, Tier, TierKind};
use terrace_policy::{Frequency, Policy};
use tokio_util::task::TaskTracker;

use crate::budget::Budget;
use crate::env::Env;
use crate::guard::Guard;
use crate::limits::Limits;
use crate::multi::MultiTier;
use crate::registry::Registry;
use crate::stack::{Shared, Stack};
use crate::stats;

/// Composes a [`MultiTier`]. Tiers that are not named are absent, by type.
#[derive(Debug)]
pub struct MultiTierBuilder<L0, L1, L2, L3> {
    tiers: (L0, L1, L2, L3),
    policy: Policy,
    limits: Limits,
    runtime: Option<Arc<dyn Runtime>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Requests, or hits, that a counter remembers: half a MiB of counters.
const FREQUENCY_WINDOW: usize = 1 << 16;

/// Why no [`MultiTier`] was built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no tier.
    #[error("a MultiTier needs at least one tier")]
    NoTiers,
    /// There is nothing to run remote calls and background work on.
    #[error("a MultiTier needs a runtime: call .runtime(Arc::new(TokioRuntime::current()))")]
    NoRuntime,
    /// A memory tier could never take what its gate lets through.
    #[error(
        "the gate of {level} is {gate} bytes, more than a body in progress may keep in memory: lower the gate or \
         raise Limits::in_progress_bytes"
    )]
    Gate {
        /// The memory tier.
        level: Level,
        /// Its gate.
        gate: u64,
    },
    /// A bound makes no sense.
    #[error("limit {name}: {why}")]
    Limit {
        /// The field of [`Limits`].
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl<L3> MultiTierBuilder<NoTier, NoTier, NoTier, L3> {
    pub(crate) fn new(l3: L3) -> Self {
        Self {
            tiers: (NoTier, NoTier, NoTier, l3),
            policy: Policy::default(),
            limits: Limits::default(),
            runtime: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        }
    }
}

impl<L0, L1, L2, L3> MultiTierBuilder<L0, L1, L2, L3> {
    fn with<M0, M1, M2>(
        self,
        tiers: impl FnOnce((L0, L1, L2, L3)) -> (M0, M1, M2, L3),
    ) -> MultiTierBuilder<M0, M1, M2, L3> {
        let Self {
            tiers: old,
            policy,
            limits,
            runtime,
            clock,
            random,
        } = self;
        MultiTierBuilder {
            tiers: tiers(old),
            policy,
            limits,
            runtime,
            clock,
            random,
        }
    }

    /// Adds the tier in this process's memory.
    pub fn l0<T: Tier>(self, tier: T) -> MultiTierBuilder<T, L1, L2, L3> {
        self.with(|(_, l1, l2, l3)| (tier, l1, l2, l3))
    }

    /// Adds the shared tier.
    pub fn l1<T: Tier>(self, tier: T) -> MultiTierBuilder<L0, T, L2, L3> {
        self.with(|(l0, _, l2, l3)| (l0, tier, l2, l3))
    }

    /// Adds the tier on this machine's disk.
    pub fn l2<T: Tier>(self, tier: T) -> MultiTierBuilder<L0, L1, T, L3> {
        self.with(|(l0, l1, _, l3)| (l0, l1, tier, l3))
    }

    /// Which tiers take what; see [`Policy`].
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where remote calls and background work run. Required.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The clock; the operating system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of generations; the operating system's by default.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }
}

impl<L0: Tier, L1: Tier, L2: Tier, L3: Tier> MultiTierBuilder<L0, L1, L2, L3> {
    /// Checks everything and puts it together.
    ///
    /// Metric handles are made here: install the recorder before.
    pub fn build(self) -> Result<MultiTier<L0, L1, L2, L3>, BuildError> {
        let Self {
            tiers: (l0, l1, l2, l3),
            policy,
            mut limits,
            runtime,
            clock,
            random,
        } = self;
        let (l0, l1, l2, l3) = (Arc::new(l0), Arc::new(l1), Arc::new(l2), Arc::new(l3));
        let tiers: [(Level, Arc<dyn Tier>); 4] = [
            (Level::L0, Arc::clone(&l0) as _),
            (Level::L1, Arc::clone(&l1) as _),
            (Level::L2, Arc::clone(&l2) as _),
            (Level::L3, Arc::clone(&l3) as _),
        ];
        check(&limits)?;
        stats::describe();
        let memory = tiers
            .iter()
            .filter(|(_, tier)| tier.kind() == TierKind::Memory);
        for (level, _) in memory {
            let gate = policy.gate(*level);
            if gate > limits.in_progress_bytes as u64 {
                return Err(BuildError::Gate {
                    level: *level,
                    gate,
                });
            }
        }
        let runtime = runtime.ok_or(BuildError::NoRuntime)?;
        let env = Env {
            clock,
            random,
            runtime,
            tasks: TaskTracker::new(),
        };
        let present = tiers
            .into_iter()
            .filter(|(_, tier)| tier.kind() != TierKind::Absent);
        let tiers: Vec<_> = present
            .map(|(level, tier)| Guard::new(level, tier, env.clone(), &limits))
            .collect();
        if tiers.is_empty() {
            return Err(BuildError::NoTiers);
        }
        // Nobody could confirm anything.
        limits.l0_max_age = limits.l0_max_age.filter(|_| tiers.len() > 1);
        let shared = Shared {
            tiers,
            requests: policy
                .counts_requests()
                .then(|| Frequency::new(FREQUENCY_WINDOW)),
            hits: policy
                .counts_hits()
                .then(|| Frequency::new(FREQUENCY_WINDOW)),
            policy,
            registry: Registry::new(limits.epoch_slots),
            memory: Budget::new(limits.memory_bytes),
            claims: Arc::default(),
            limits,
            env,
        };
        Ok(MultiTier {
            l0,
            l1,
            l2,
            l3,
            stack: Stack {
                shared: Arc::new(shared),
            },
        })
    }
}

fn check(limits: &Limits) -> Result<(), BuildError> {
    let refuse = |name, why| Err(BuildError::Limit { name, why });
    if limits.in_progress_bytes > limits.memory_bytes {
        return refuse(
            "in_progress_bytes",
            "one body may not have more than all together (memory_bytes)",
        );
    }
    if limits.spool_bytes < limits.in_progress_bytes as u64 {
        return refuse(
            "spool_bytes",
            "at least in_progress_bytes, which move there at once",
        );
    }
    if limits.lane_bytes < 64 * 1024 {
        return refuse("lane_bytes", "at least 64 KiB, or every lane lags");
    }
    let deadlines = [
        ("lookup_deadline", limits.lookup_deadline),
        ("read_deadline", limits.read_deadline),
        ("write_deadline", limits.write_deadline),
        ("purge_deadline", limits.purge_deadline),
    ];
    if let Some((name, _)) = deadlines.iter().find(|(_, deadline)| deadline.is_zero()) {
        return refuse(name, "a deadline of zero lets every call fail");
    }
    if limits.l0_max_age.is_some_and(|age| age.is_zero()) {
        return refuse(
            "l0_max_age",
            "a copy that is never believed is of no use: leave L0 out",
        );
    }
    Ok(())
}
