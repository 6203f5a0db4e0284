use std::sync::Arc;

use parking_lot::RwLock;
use terrace_core::KeyDigest;

use super::Plan;
use super::failure::Cause;
use crate::membership::{Era, History};

/// One connection to a server, which has not been restarted since it began.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) number: u64,
    /// As old as the server's memory.
    pub(crate) epoch: u64,
    /// In which this process's list of servers is in use.
    pub(crate) era: u32,
    /// As they were when the server was last asked.
    eras: RwLock<Vec<Era>>,
    plan: Arc<Plan>,
}

impl Session {
    pub(super) fn new(plan: &Arc<Plan>, number: u64, era: u32, history: History) -> Self {
        Self {
            number,
            epoch: history.epoch,
            era,
            eras: RwLock::new(history.eras),
            plan: Arc::clone(plan),
        }
    }

    /// Whether the server has had `group` ever since that epoch and era.
    pub(crate) fn has_had(&self, group: KeyDigest, epoch: u64, era: u32) -> bool {
        epoch == self.epoch && self.plan.membership.has_had(group, &self.eras.read(), era)
    }

    /// Whether a process with a newer list of servers has given `group` to another.
    pub(crate) fn has_lost(&self, group: KeyDigest) -> bool {
        !self.has_had(group, self.epoch, self.era)
    }

    pub(crate) fn address(&self) -> &str {
        &self.plan.address
    }

    /// Takes over what the server remembers now. Errors if that is not about what it held before.
    pub(super) fn renew(&self, history: Option<History>) -> Result<(), Cause> {
        let history = history.filter(|history| history.epoch == self.epoch);
        let eras = history.ok_or(Cause::Forgotten)?.eras;
        let mut known = self.eras.write();
        if *known != eras {
            tracing::warn!(
                server = self.address(),
                "another process uses it under another list of servers; until all have the same, what moves between \
                 the lists is not cached"
            );
            *known = eras;
        }
        Ok(())
    }
}
