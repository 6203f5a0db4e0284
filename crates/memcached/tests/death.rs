//! Servers that die, hang and come back under load; lists of servers that change.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "death/eviction.rs"]
mod eviction;
#[path = "death/lists.rs"]
mod lists;
#[path = "death/tier.rs"]
mod tier;

use terrace_testkit::OwnServers;

/// Where the three of them are.
fn addresses(servers: &OwnServers) -> Vec<&str> {
    let addresses = servers.variable("TERRACE_TEST_MEMCACHED_ADDRS");
    addresses.split(',').collect()
}

/// Does something (`kill`, `pause`, …) to one of them.
async fn disturb(servers: &OwnServers, verb: &'static str, number: usize) {
    let name = format!("memcached/server-{number}");
    servers.disturb(verb, name).await;
}
