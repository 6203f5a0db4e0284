use std::num::NonZeroU32;

use terrace_core::Level;

use crate::error::PolicyError;
use crate::frequency::Frequency;

/// When a hit in a lower tier is copied to an upper one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Promotion {
    /// It is not.
    Never,
    /// With the first hit, as soon as the whole body has been streamed.
    #[default]
    OnStreamCommit,
    /// With the `n`th hit in that lower tier, and every later one. Hits elsewhere, and misses, do not count. At most
    /// [`Frequency::MAX_COUNT`]; one is the same as [`OnStreamCommit`](Self::OnStreamCommit).
    AfterHits(NonZeroU32),
}

/// One promotion per pair of levels; pairs that do not lead upwards stay `Never`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Promotions([[Promotion; Level::ALL.len()]; Level::ALL.len()]);

impl Default for Promotions {
    fn default() -> Self {
        let mut table = [[Promotion::Never; Level::ALL.len()]; Level::ALL.len()];
        for from in Level::ALL {
            for to in from.above() {
                table[from.index()][to.index()] = Promotion::default();
            }
        }
        Self(table)
    }
}

impl Promotions {
    pub(crate) fn edge(&self, from: Level, to: Level) -> Promotion {
        self.0[from.index()][to.index()]
    }

    pub(crate) fn set(
        &mut self,
        from: Level,
        to: Level,
        promotion: Promotion,
    ) -> Result<(), PolicyError> {
        if !from.above().contains(&to) {
            return Err(PolicyError::NotUpwards { from, to });
        }
        let promotion = match promotion {
            Promotion::AfterHits(NonZeroU32::MIN) => Promotion::OnStreamCommit,
            Promotion::AfterHits(hits) if hits.get() > Frequency::MAX_COUNT => {
                return Err(PolicyError::TooManyHits { from, to, hits });
            }
            other => other,
        };
        self.0[from.index()][to.index()] = promotion;
        Ok(())
    }

    pub(crate) fn count_hits(&self) -> bool {
        let mut all = self.0.iter().flatten();
        all.any(|promotion| matches!(promotion, Promotion::AfterHits(_)))
    }
}
