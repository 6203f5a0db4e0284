//! The part of the command line that all wirings share.

use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use bytesize::ByteSize;
use clap::Args;
use ipnet::IpNet;
use secrecy::SecretString;
use terrace::proxy::Upstream;

/// Where to listen, where to fetch from, and who may purge.
#[derive(Debug, Clone, Args)]
pub struct ProxyArgs {
    /// Where responses come from. Without it, a demonstration origin runs inside this process
    #[arg(long, env = "TERRACE_UPSTREAM", value_name = "HOST:PORT")]
    pub upstream: Option<Upstream>,

    /// Where clients connect. Port 0 takes a free one
    #[arg(
        long,
        env = "TERRACE_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: String,

    /// Where operators find /metrics and /healthz. Port 0 takes a free one
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
        value_delimiter = ',',
        value_parser = network
    )]
    pub purge_allow: Vec<IpNet>,

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
    #[arg(
        long,
        env = "TERRACE_PURGE_TOKEN_ONLY",
        requires = "purge_token",
        conflicts_with = "purge_allow"
    )]
    pub purge_token_only: bool,

    /// Threads that serve clients, and as many again for the tiers
    #[arg(long, env = "TERRACE_THREADS", value_name = "N", default_value_t = cores())]
    pub threads: NonZeroUsize,

    /// Seconds that SIGTERM leaves for requests being served, and again for writes to the tiers
    #[arg(long, env = "TERRACE_GRACE", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub grace: u64,
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

/// `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| {
        format!("{text:?} is neither a network nor an address: write 10.0.0.0/8 or 192.0.2.7")
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape clap wants")]
fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(text.into())
}

fn cores() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert!(network("10.0.0.0/99").unwrap_err().contains("10.0.0.0/8"));
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
