//! What wirings have whose stores other proxies share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::bytes;

/// What matters where other proxies share the stores.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tiers")]
pub struct SharedArgs {
    /// How long a copy in L0 is believed without asking the tiers below: as late as this, a purge through another proxy is a
    /// miss here
    #[arg(long, env = "TERRACE_L0_MAX_AGE", value_name = "DURATION", default_value = "5s", value_parser = max_age)]
    pub l0_max_age: Duration,

    /// Where bodies go that are on their way to slow readers: a disk, not memory. Default: the system's folder for such files
    #[arg(long, env = "TERRACE_SPOOL", value_name = "DIR")]
    pub spool: Option<PathBuf>,
}

/// The tier that proxies share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tiers")]
pub struct L1Args {
    /// Leave L1 out
    #[arg(long, env = "TERRACE_NO_L1")]
    pub no_l1: bool,

    /// The largest body L1 takes; at least what L0 takes, at most 1GiB
    #[arg(long, env = "TERRACE_L1_GATE", value_name = "BYTES", default_value = "64MiB", value_parser = l1_gate)]
    pub l1_gate: u64,
}

/// Which server the tier that proxies share is in, where a program knows both.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tiers")]
pub struct L1ServerArgs {
    /// Which server L1 is in
    #[arg(
        long,
        env = "TERRACE_L1",
        value_name = "SERVER",
        default_value = "redis"
    )]
    pub l1: L1Server,
}

/// What L1 can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum L1Server {
    /// Redis, or Valkey
    Redis,
    /// Memcached
    Memcached,
}

impl SharedArgs {
    /// Where bodies go that are on their way to slow readers.
    pub fn spool_dir(&self) -> PathBuf {
        self.spool.clone().unwrap_or_else(std::env::temp_dir)
    }
}

impl L1Args {
    /// The largest body L1 takes, if there is an L1.
    pub fn gate(&self) -> Option<u64> {
        (!self.no_l1).then_some(self.l1_gate)
    }
}

fn l1_gate(text: &str) -> Result<u64, String> {
    const MOST: u64 = 1 << 30;
    let size = bytes(text, 1)?;
    if size > MOST {
        return Err(format!("{text} is too much: at most 1GiB"));
    }
    Ok(size)
}

fn max_age(text: &str) -> Result<Duration, String> {
    let seconds = || text.parse().map(Duration::from_secs).ok();
    let parsed = humantime::parse_duration(text).ok().or_else(seconds);
    let age = parsed.ok_or_else(|| {
        format!("{text:?} is not a duration: write for example 5s, 500ms or \"1m 30s\"")
    })?;
    if age.is_zero() {
        return Err(
            "a copy that is never believed is of no use: leave L0 out, with --no-l0".to_owned(),
        );
    }
    Ok(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_believed_for_some_time() {
        assert_eq!(max_age("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(max_age("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(max_age("7"), Ok(Duration::from_secs(7)));
        assert!(max_age("0s").unwrap_err().contains("--no-l0"));
        assert!(max_age("soon").unwrap_err().contains("500ms"));
    }

    #[test]
    fn the_gate_has_bounds() {
        assert_eq!(l1_gate("1GiB"), Ok(1 << 30));
        assert!(l1_gate("2GiB").unwrap_err().contains("at most"));
        assert!(l1_gate("0").unwrap_err().contains("at least"));
    }
}
