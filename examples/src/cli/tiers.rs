//! What all wirings have: memory, and garbage collection.

use std::time::Duration;

use clap::Args;

use super::{bytes, seconds};

/// Memory, and garbage collection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tiers")]
pub struct TierArgs {
    /// Memory for L0
    #[arg(long, env = "TERRACE_L0_BYTES", value_name = "BYTES", default_value = "256MiB", value_parser = l0_bytes)]
    pub l0_bytes: u64,

    /// The largest body L0 takes; larger ones are served from the tiers below
    #[arg(long, env = "TERRACE_L0_GATE", value_name = "BYTES", default_value = "2MiB", value_parser = l0_gate)]
    pub l0_gate: u64,

    /// Leave L0 out
    #[arg(long, env = "TERRACE_NO_L0")]
    pub no_l0: bool,

    /// Seconds between two collections of garbage
    #[arg(long, env = "TERRACE_GC_INTERVAL", value_name = "SECONDS", default_value = "600", value_parser = gc_interval)]
    pub gc_interval: u64,
}

impl TierArgs {
    /// The time between two collections of garbage.
    pub fn gc_interval(&self) -> Duration {
        Duration::from_secs(self.gc_interval)
    }
}

fn l0_bytes(text: &str) -> Result<u64, String> {
    bytes(text, 1 << 20)
}

fn l0_gate(text: &str) -> Result<u64, String> {
    bytes(text, 1)
}

fn gc_interval(text: &str) -> Result<u64, String> {
    const YEAR: u64 = 365 * 24 * 3600;
    seconds(text, YEAR)
}
