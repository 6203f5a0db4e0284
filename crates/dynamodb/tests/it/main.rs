//! What the index does when DynamoDB refuses, breaks off or hangs, and what it makes of tables it finds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod fake;
mod items;
#[path = "../support/local.rs"]
mod local;
mod lost_answers;
mod refusals;
mod requests;
mod round_trips;
mod secrets;
#[path = "../support/server.rs"]
mod server;
mod tables;
