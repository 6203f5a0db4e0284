//! Servers that die, hang and come back under load; lists of servers that change.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "death/eviction.rs"]
mod eviction;
#[path = "death/lists.rs"]
mod lists;
#[path = "death/server.rs"]
mod server;
#[path = "death/tier.rs"]
mod tier;
