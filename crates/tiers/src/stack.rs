use std::sync::Arc;
use std::time::Duration;

use terrace_core::{Clock, Level, Usage};
use terrace_policy::{Frequency, Policy};

use crate::breaker::BreakerState;
use crate::budget::Budget;
use crate::env::Env;
use crate::guard::Guard;
use crate::limits::Limits;
use crate::promotion::Claims;
use crate::registry::Registry;
use crate::stats;

/// The engine of a [`MultiTier`](crate::MultiTier): the tiers that are there, without their types.
///
/// Cloning shares it. None of its operations on the way of a request returns an error or waits longer than the
/// [`Limits`] say.
#[derive(Debug, Clone)]
pub struct Stack {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    /// Top-down.
    pub(crate) tiers: Vec<Arc<Guard>>,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) env: Env,
    pub(crate) registry: Registry,
    pub(crate) memory: Arc<Budget>,
    pub(crate) claims: Arc<Claims>,
    /// How often keys were asked for; present where the policy looks at it.
    pub(crate) requests: Option<Frequency>,
    /// How often keys were hit in the levels below L0; present where the policy looks at it.
    pub(crate) hits: Option<Frequency>,
}

/// How a tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierHealth {
    /// Which one.
    pub level: Level,
    /// Whether it is being asked.
    pub breaker: BreakerState,
}

impl Stack {
    /// How the tiers are, top-down.
    pub fn health(&self) -> Vec<TierHealth> {
        let tiers = self.shared.tiers.iter();
        tiers
            .map(|guard| TierHealth {
                level: guard.level,
                breaker: guard.breaker_state(),
            })
            .collect()
    }

    /// What the tiers hold, as far as they know, top-down.
    pub fn usage(&self) -> Vec<(Level, Usage)> {
        let tiers = self.shared.tiers.iter();
        tiers
            .map(|guard| (guard.level, guard.tier.0.usage()))
            .collect()
    }

    /// Brings the gauges up to date: call it before they are read. Asks no tier.
    pub fn show(&self) {
        for guard in &self.shared.tiers {
            guard.show();
        }
        let memory = &self.shared.memory;
        stats::show_memory(memory.used(), memory.max());
    }

    /// The clock everything here goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.env.clock
    }

    /// Waits until promotions, commits and bodies under way have ended, and says whether they did within
    /// `timeout`. For shutdown; work that begins meanwhile is waited for as well.
    pub async fn drain(&self, timeout: Duration) -> bool {
        self.shared.env.drain(timeout).await
    }
}
