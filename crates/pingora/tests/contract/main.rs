//! What Pingora does with a storage, in the orders it does it, against a stack of a memory tier over a durable one.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod collapse;
mod fills;
mod hits;
mod http_cache;
mod in_progress;
mod purges;
mod readiness;
mod revalidation;
mod rig;
mod slots;
