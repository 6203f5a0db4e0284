//! Memcached.

use std::process::Command;

use super::Service;
use super::backends::version_in;
use super::instance::Instance;
use super::port;
use super::process::Spawn;
use super::wait::output;
use crate::Outcome;
use crate::tools::Tool;

const SERVER: Tool = Tool {
    program: "memcached",
    variable: "MEMCACHED",
    package: "memcached",
    why: "Memcached, for the tests of its adapter",
};

pub(super) const SERVICE: Service = Service {
    name: "memcached",
    variable: "TERRACE_TEST_MEMCACHED_ADDRS",
    tools: &[SERVER],
    start,
};

pub(super) fn version() -> Option<String> {
    version_in(&output(Command::new(SERVER.find()?).arg("--version")).ok()?)
}

/// Three of them, for what is distributed over servers.
fn start(instance: &mut Instance) -> Outcome {
    let ports: [u16; 3] = port::free()?;
    for (number, port) in ports.iter().enumerate() {
        let program = SERVER.find().unwrap_or_default();
        // Trials count on what they store: room for several runs of all of them, or it would evict.
        let server = Spawn::new(format!("server-{number}"), program)
            .line("-l 127.0.0.1 -U 0 -m 512 -c 1024 -p")
            .args([port])
            .listening(*port);
        // It refuses to be root.
        instance.start(&server.unprivileged()?)?;
    }
    let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    instance.publish(SERVICE.variable, addresses.join(","))
}
