use std::cell::Cell;

use tokio::time::Instant;

/// What a tier is asked to do: the label `op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Lookup,
    Fence,
    /// The first piece of a body, which opens it.
    FirstByte,
    /// Each further piece.
    Read,
    Admit,
    Write,
    Commit,
    Purge,
    Expire,
    UpdateMeta,
    Evict,
    Peek,
}

impl Op {
    pub(crate) const ALL: [Self; 12] = [
        Self::Lookup,
        Self::Fence,
        Self::FirstByte,
        Self::Read,
        Self::Admit,
        Self::Write,
        Self::Commit,
        Self::Purge,
        Self::Expire,
        Self::UpdateMeta,
        Self::Evict,
        Self::Peek,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Fence => "fence",
            Self::FirstByte => "first_byte",
            Self::Read => "read",
            Self::Admit => "admit",
            Self::Write => "write",
            Self::Commit => "commit",
            Self::Purge => "purge",
            Self::Expire => "expire",
            Self::UpdateMeta => "update_meta",
            Self::Evict => "evict",
            Self::Peek => "peek",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Measures what is shown and never decided upon, and so does without the clock's port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

/// Of so many lookups in memory one is timed: two looks at a clock cost as much as the lookup.
const SAMPLED: u32 = 256;

thread_local! {
    /// Lookups this thread has seen. Of its own, because cores that share a counter wait for each other.
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// One in [`SAMPLED`].
    pub(crate) fn sampled() -> Option<Self> {
        let seen = SEEN.get().wrapping_add(1);
        SEEN.set(seen);
        seen.is_multiple_of(SAMPLED).then(Self::start)
    }

    pub(super) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_place() {
        for (index, op) in Op::ALL.into_iter().enumerate() {
            assert_eq!(op.index(), index, "{op:?}");
        }
    }

    #[test]
    fn one_lookup_in_so_many_is_timed() {
        let timed = (0..SAMPLED * 3).filter_map(|_| Stopwatch::sampled());
        assert_eq!(timed.count(), 3);
    }
}
