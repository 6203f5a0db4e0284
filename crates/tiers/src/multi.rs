use std::sync::Arc;

use terrace_core::NoTier;

use crate::builder::MultiTierBuilder;
use crate::stack::Stack;

/// Up to four tiers as one: `MultiTier<MemoryTier, NoTier, NoTier, DurableTier<ObjectBlob, SqliteIndex>>`.
///
/// The type says which tiers there are; [`stack`](Self::stack) is what is used. The lowest tier, `L3`, has the last word.
#[derive(Debug)]
pub struct MultiTier<L0 = NoTier, L1 = NoTier, L2 = NoTier, L3 = NoTier> {
    pub(crate) l0: Arc<L0>,
    pub(crate) l1: Arc<L1>,
    pub(crate) l2: Arc<L2>,
    pub(crate) l3: Arc<L3>,
    pub(crate) stack: Stack,
}

impl<L3> MultiTier<NoTier, NoTier, NoTier, L3> {
    /// Begins with the tier that has the last word.
    pub fn builder(l3: L3) -> MultiTierBuilder<NoTier, NoTier, NoTier, L3> {
        MultiTierBuilder::new(l3)
    }
}

impl<L0, L1, L2, L3> MultiTier<L0, L1, L2, L3> {
    /// The engine: lookups, fills, purges.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The tier in this process's memory.
    pub fn l0(&self) -> &Arc<L0> {
        &self.l0
    }

    /// The shared tier.
    pub fn l1(&self) -> &Arc<L1> {
        &self.l1
    }

    /// The tier on this machine's disk.
    pub fn l2(&self) -> &Arc<L2> {
        &self.l2
    }

    /// The durable tier.
    pub fn l3(&self) -> &Arc<L3> {
        &self.l3
    }
}
