//! A server that dies under load, and comes back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "death/index.rs"]
mod index;
#[path = "death/replicas.rs"]
mod replicas;
#[path = "death/tier.rs"]
mod tier;
