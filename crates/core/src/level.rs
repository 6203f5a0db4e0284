use std::fmt;

/// A position in the stack of tiers, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Memory of this process.
    L0,
    /// Memory shared by several processes.
    L1,
    /// Disk of this machine.
    L2,
    /// The durable tier: it has the last word.
    L3,
}

impl Level {
    /// All levels, fastest first.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::L3];

    /// Its name in `Cache-Status` details, metric labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }

    /// Its index in an array of four.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The levels above this one, fastest first: where a hit here may be promoted to.
    pub fn above(self) -> &'static [Self] {
        &Self::ALL[..self.index()]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
