use std::path::PathBuf;
use std::time::Duration;

/// Every bound of a [`Stack`](crate::Stack). Nothing in it grows with the size of an object or the slowness
/// of a client beyond these (promise P12).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one body in progress that are kept for readers that may still join. Past it, the body
    /// takes no new readers and keeps only what its slowest reader still needs. Default 32 MiB.
    pub in_progress_bytes: usize,
    /// Bytes of all bodies in progress, and of promotions to memory tiers, together. Default 128 MiB.
    pub memory_bytes: usize,
    /// Bytes of disk that one body in progress may take for readers who are slower than the origin. From half of it
    /// on, the origin is held back; a reader that falls further behind all the same gets an error. Default 4 GiB.
    pub spool_bytes: u64,
    /// Where spool files go. They have no name, so that a crash leaves none. Default: the system's.
    pub spool_dir: PathBuf,
    /// Bytes under way to one remote tier for one body. Default 4 MiB.
    pub lane_bytes: usize,
    /// How long a remote tier may take for a lookup or a fence. Default 1 s.
    pub lookup_deadline: Duration,
    /// How long a remote tier may take for the next piece of a body. Default 5 s.
    pub read_deadline: Duration,
    /// How long a remote tier may take for one step of a fill: to begin, one write, the commit. Default 10 s.
    pub write_deadline: Duration,
    /// How long a tier may take for a purge. Default 10 s.
    pub purge_deadline: Duration,
    /// How long a remote tier that takes nothing more may hold a fill, and with it the client, back. Then it is left out of
    /// that fill. Default 5 s.
    pub stall_budget: Duration,
    /// Bytes per second of a fill that remote tiers may slow it down to, beyond the budget: a disk slower
    /// than the origin still stores a large body, a crawling one does not hold its client up. Default 20 MiB/s.
    pub least_fill_rate: u64,
    /// How long a copy in L0 is believed without asking the tiers below, where other processes may purge those: a purge
    /// through another process is a miss here after this long at most. Past half of it, one request in demand of the
    /// object has it confirmed in the background; past all of it, a request asks before it serves. A copy that no tier
    /// below holds, or that none can be asked about, is a miss. Default: none, for tiers that are this process's own.
    pub l0_max_age: Option<Duration>,
    /// When a tier is left alone.
    pub breaker: BreakerLimits,
    /// Slots of the epoch table that fences bodies in progress. Default 16,384.
    pub epoch_slots: usize,
}

/// When a remote tier is left alone, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerLimits {
    /// Consecutive failures that open the breaker. A missed lookup deadline opens it at once. Default 5.
    pub failures: u32,
    /// How long it stays open the first time; doubles with every probe that fails. Default 1 s.
    pub cooldown: Duration,
    /// The longest it stays open. Default 30 s.
    pub max_cooldown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            in_progress_bytes: 32 * MIB,
            memory_bytes: 128 * MIB,
            spool_bytes: 4096 * MIB as u64,
            spool_dir: std::env::temp_dir(),
            lane_bytes: 4 * MIB,
            lookup_deadline: Duration::from_secs(1),
            read_deadline: Duration::from_secs(5),
            write_deadline: Duration::from_secs(10),
            purge_deadline: Duration::from_secs(10),
            stall_budget: Duration::from_secs(5),
            least_fill_rate: 20 * MIB as u64,
            l0_max_age: None,
            breaker: BreakerLimits::default(),
            epoch_slots: 16 * 1024,
        }
    }
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            cooldown: Duration::from_secs(1),
            max_cooldown: Duration::from_secs(30),
        }
    }
}
