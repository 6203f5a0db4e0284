//! The part of the command line that all wirings share.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use bytesize::ByteSize;
use clap::Args;
use secrecy::SecretString;
use terrace::proxy::settings::Network;

mod connections;
mod listen;
mod log;
mod shared;
mod tiers;
mod upstream;

pub use connections::ConnectionArgs;
pub use listen::ListenArgs;
pub use log::LogArgs;
pub use shared::{L1Args, L1Server, L1ServerArgs, SharedArgs};
pub use tiers::TierArgs;
pub use upstream::{Host, Select, UpstreamArgs};

/// Where to listen, where to fetch from, and who may purge.
#[derive(Debug, Clone, Args)]
pub struct ProxyArgs {
    /// A file with settings and rules, in TOML. Options and variables come before what it says
    #[arg(long, env = "TERRACE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Check the configuration, say what is wrong with it, and end
    #[arg(long)]
    pub check_config: bool,

    /// Where to fetch from.
    #[command(flatten)]
    pub origin: UpstreamArgs,

    /// Where clients connect. Port 0 takes a free one
    #[arg(
        long,
        env = "TERRACE_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: String,

    /// TLS and HTTP/2 with clients.
    #[command(flatten)]
    pub tls: ListenArgs,

    /// Where operators find the status page, /metrics and /healthz. Port 0 takes a free one
    #[arg(
        long,
        env = "TERRACE_ADMIN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub admin: String,

    /// Networks and addresses that may purge, beside loopback: 10.0.0.0/8, 192.0.2.7
    #[arg(
        long,
        env = "TERRACE_PURGE_ALLOW",
        value_name = "NETWORK,…",
        value_delimiter = ','
    )]
    pub purge_allow: Vec<Network>,

    /// Whoever sends it as `Authorization: Bearer TOKEN` may purge. Others see the command line of a process: prefer the
    /// variable
    #[arg(
        long,
        env = "TERRACE_PURGE_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        value_parser = secret
    )]
    pub purge_token: Option<SecretString>,

    /// Only the token purges, not the address one comes from: for a proxy that stands behind another one on the same machine
    #[arg(long, env = "TERRACE_PURGE_TOKEN_ONLY")]
    pub purge_token_only: bool,

    /// What clients may take
    #[command(flatten)]
    pub connections: ConnectionArgs,

    /// Threads that serve clients, and as many again for the tiers
    #[arg(long, env = "TERRACE_THREADS", value_name = "N", default_value_t = cores())]
    pub threads: NonZeroUsize,

    /// What is written down of each request.
    #[command(flatten)]
    pub log: LogArgs,

    /// Seconds that SIGTERM leaves for requests being served, and again for writes to the tiers
    #[arg(long, env = "TERRACE_GRACE", value_name = "SECONDS", default_value = "10", value_parser = grace)]
    pub grace: u64,
}

/// Seconds, from 1 to `most`: `90`, or with a unit, `1m 30s`.
pub fn seconds(text: &str, most: u64) -> Result<u64, String> {
    let with_unit = || humantime::parse_duration(text).map(|it| it.as_secs());
    let seconds = text.parse().or_else(|_| with_unit());
    let seconds = seconds.map_err(|_| {
        format!("{text:?} is not a number of seconds: write for example 90 or \"1m 30s\"")
    })?;
    if (1..=most).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!(
            "{text} is out of bounds: from 1 to {most} seconds are possible"
        ))
    }
}

fn grace(text: &str) -> Result<u64, String> {
    seconds(text, 3600)
}

/// A number of bytes as people write it: `64MiB`, `1.5GB`, `4096`. At least `least`.
pub fn bytes(text: &str, least: u64) -> Result<u64, String> {
    let size: ByteSize = text.parse().map_err(|_| {
        format!("{text:?} is not a number of bytes: write for example 64MiB, 2GB or 65536")
    })?;
    if size.as_u64() < least {
        return Err(format!("{text} is too little: at least {least} bytes"));
    }
    Ok(size.as_u64())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape clap wants")]
pub(crate) fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(text.into())
}

fn cores() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_with_and_without_a_unit() {
        assert_eq!(seconds("90", 100), Ok(90));
        assert_eq!(seconds("1m 30s", 100), Ok(90));
        for wrong in ["", "0", "0s", "101", "soon", "10ms"] {
            assert!(seconds(wrong, 100).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_read_as_people_write_them() {
        assert_eq!(bytes("64MiB", 0), Ok(64 << 20));
        assert_eq!(bytes("2 kB", 0), Ok(2000));
        assert_eq!(bytes("4096", 0), Ok(4096));
        for wrong in ["", "MiB", "-1", "12 apples", "1e3"] {
            assert!(bytes(wrong, 0).unwrap_err().contains("64MiB"), "{wrong}");
        }
        assert!(bytes("1", 2).unwrap_err().contains("at least 2"));
    }
}
