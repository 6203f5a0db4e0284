//! What clients may take.

use std::num::NonZeroUsize;

use clap::Args;

use super::{bytes, seconds};

/// The bounds on connections.
#[derive(Debug, Clone, Args)]
pub struct ConnectionArgs {
    /// Connections at a time. Default: 16384, or a third of the files the process may open if that is less
    #[arg(long, env = "TERRACE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroUsize>,

    /// Seconds the head of a request may take, and a new connection may be silent
    #[arg(long, env = "TERRACE_HEADER_TIMEOUT", value_name = "SECONDS", default_value = "10", value_parser = an_hour)]
    pub header_timeout: u64,

    /// The largest head of a request
    #[arg(long, env = "TERRACE_HEADER_BYTES", value_name = "BYTES", default_value = "64KiB", value_parser = header_bytes)]
    pub header_bytes: u64,

    /// Seconds a connection is kept for its next request
    #[arg(long, env = "TERRACE_KEEPALIVE_TIMEOUT", value_name = "SECONDS", default_value = "60", value_parser = an_hour)]
    pub keepalive_timeout: u64,

    /// Seconds a client may take to send the next piece of a request's body
    #[arg(long, env = "TERRACE_BODY_TIMEOUT", value_name = "SECONDS", default_value = "60", value_parser = an_hour)]
    pub body_timeout: u64,
}

fn an_hour(text: &str) -> Result<u64, String> {
    seconds(text, 3600)
}

/// What a browser sends must fit, and what one client may take must be bounded.
fn header_bytes(text: &str) -> Result<u64, String> {
    const MOST: u64 = 1 << 20;
    let size = bytes(text, 4096)?;
    if size > MOST {
        return Err(format!("{text} is too much: at most 1MiB"));
    }
    Ok(size)
}

#[test]
fn the_head_of_a_request_is_neither_tiny_nor_huge() {
    assert_eq!(header_bytes("16KiB"), Ok(16 << 10));
    assert!(header_bytes("1KiB").unwrap_err().contains("at least"));
    assert!(header_bytes("2MiB").unwrap_err().contains("at most"));
}
