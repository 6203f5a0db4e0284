//! What a caching proxy is measured against, and with. `cargo xtask bench proxy` starts these; by hand:
//!
//! ```sh
//! cargo run --release -p terrace-benches -- constant 127.0.0.1:9000          # /65536 is a response of 64 KiB
//! cargo run --release -p terrace-benches -- mem-cache 127.0.0.1:9001 --upstream 127.0.0.1:9000
//! cargo run --release -p terrace-benches -- load 127.0.0.1:9001 --bytes 65536 --seconds 5
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

mod constant;
mod load;
mod mem_cache;
mod serve;

/// The allocator of `embedded`: peers differ from it in their cache, not in this.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Clone, Copy, Parser)]
enum Command {
    /// A pingora proxy that answers by itself, `/BYTES` with as many; also the origin of all others
    Constant { listen: SocketAddr },
    /// A pingora proxy with pingora's own `MemCache`
    MemCache {
        listen: SocketAddr,
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// A client that asks for one response again and again, and throws the bodies away unread
    Load {
        server: SocketAddr,
        /// The length of the response asked for
        #[arg(long)]
        bytes: usize,
        #[arg(long, default_value_t = 64)]
        connections: usize,
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Constant { listen } => serve::serve(listen, constant::Constant),
        Command::MemCache { listen, upstream } => {
            serve::serve(listen, mem_cache::MemCached::new(upstream));
        }
        Command::Load {
            server,
            bytes,
            connections,
            seconds,
        } => {
            let time = Duration::try_from_secs_f64(seconds)?;
            let done = load::run(server, bytes, connections, time)?;
            write_line(&format!(
                "rate {:.3} responses {:.3}",
                done.rate, done.responses
            ))?;
        }
    }
    Ok(())
}

fn write_line(line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{line}")
}
