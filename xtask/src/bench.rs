//! Requests per second of hits in memory, beside other proxies, in one run; and hits by each adapter.

use std::fs;

use crate::Outcome;
use crate::setup;
use crate::step::{skipped, step};
use crate::workspace::{cargo, target_dir};

use load::Client;
use options::Options;
use report::Report;
use server::{Kind, Server};

mod backends;
mod load;
mod machine;
mod options;
mod report;
mod sample;
mod server;
mod warm;

pub(crate) const HELP: &str = "\
Measures hits in memory against other proxies: `bench proxy`.

Each server runs on one core with one thread, and the client on another. They take turns, round after round, so that
whatever else the machine does hits all of them; medians count. Every server fetches its responses once from an origin,
which is then stopped: what is measured can come from nowhere but the cache. A response that is no 200, or short, ends
the run.

  terrace     the proxy `embedded`, with its default features
  constant    a pingora proxy that answers by itself: what pingora costs without a cache
  mem-cache   a pingora proxy with pingora's own MemCache
  nginx       proxy_cache, with sendfile and open_file_cache; left out with a loud reason where there is none
  varnish     the same with varnishd

  --rounds N      how often each server is measured at each size; default 7
  --seconds S     how long each time; default 2
  --sizes LIST    lengths of the response; default 1KiB,64KiB,1MiB,16MiB
  --only LIST     of the servers; default all
  --wrk-up-to L   up to this length the client is wrk, beyond it one that throws bodies away unread, for wrk, which
                  copies them, would be what is measured; default 1KiB
  --no-build      measure the programs that are in target/release as they are

Prints tables, and writes them with every sample into target/bench/proxy.json. For numbers that mean something, let the
machine do nothing else: the load that was on it is part of the report.

Measures a hit by each adapter against the client it is made of: `bench backends`.

Redis, Memcached, PostgreSQL, MinIO and Ceph are got and started by this; one that cannot be had is left out with a loud
reason, and a variable that is set (see cargo xtask services) wins. For each backend, length and number of clients the two
take turns, round after round; what is told are ratios of the same round, their median and spread.

  --rounds N      how often; default 5
  --seconds S     how long each turn takes; default 1
  --sizes LIST    lengths of the body, in bytes; default 1024,65536,16777216
  --clients LIST  how many ask at a time; default 1,64
  --only LIST     backends whose names begin so, such as CrdbIndex,durable
  --no-build      measure the program that is in target/release as it is

Prints a table, and writes it into target/bench/backends.md.";

pub(crate) fn bench(args: &[String]) -> Outcome {
    match args {
        [what, options @ ..] if what == "proxy" => proxy(&Options::parse(options)?),
        [what, options @ ..] if what == "backends" => backends::backends(options),
        _ => Err(
            "what is to be measured? cargo xtask bench proxy, or cargo xtask bench backends"
                .to_owned(),
        ),
    }
}

fn proxy(options: &Options) -> Outcome {
    setup::build_tools()?;
    let build =
        "build --release -p terrace-examples --bin embedded -p terrace-benches --bin bench-peer";
    if !options.no_build {
        step("build", cargo().args(build.split(' ')))?;
    }
    let client = Client::find(options.wrk_up_to)?;
    let report = measure(options, &client)?;

    let path = target_dir().join("bench").join("proxy.json");
    let folder = path.parent().map(fs::create_dir_all);
    let written = folder
        .unwrap_or(Ok(()))
        .and_then(|()| fs::write(&path, report.json()));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    eprintln!("\n{report}\nevery sample is in {}", path.display());
    Ok(())
}

fn measure(options: &Options, client: &Client) -> Outcome<Report> {
    let origin = Server::origin()?;
    let mut servers = Vec::new();
    for kind in Kind::ALL {
        if !options.wants(kind) {
            continue;
        }
        match Server::start(kind, &origin, &options.sizes)? {
            Some(server) => servers.push(server),
            None => skipped(
                kind.name(),
                "there is no such program: install it to compare with it",
            ),
        }
    }
    for server in &servers {
        server.warm_up(&options.sizes)?;
    }
    drop(origin);

    let mut report = Report::new(options, client, &servers);
    for round in 1..=options.rounds {
        for &size in &options.sizes {
            // Whoever comes first in a round comes last in the next.
            for turn in 0..servers.len() {
                let server = &servers[(turn + round) % servers.len()];
                let sample = client.measure(server, size, options.seconds)?;
                report.add(server.kind, size, sample);
            }
        }
        eprintln!("xtask: round {round} of {} is over", options.rounds);
    }
    Ok(report)
}
