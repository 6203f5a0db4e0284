//! Servers that die, hang and come back under load; lists of servers that change.

#[path = "death/lists.rs"]
mod lists;
#[path = "death/server.rs"]
mod server;
#[path = "death/tier.rs"]
mod tier;
