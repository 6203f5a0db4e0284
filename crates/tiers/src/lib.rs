//! [`MultiTier`]: up to four cache tiers behind one value.
//!
//! ```text
//! lookup      L0 → L1 → L2 → L3     each missed tier leaves its fence
//! promotion   L0 ⇠ L1 ⇠ L2 ⇠ L3     while the body streams to the client, never before it
//! fill        origin → L0, L1, L2, L3 and concurrent readers at once
//! purge       L3 → L2 → L1 → L0     bottom-up, or a reader could carry the old object past it
//! ```
//!
//! What it promises (the ids are those of `docs/promises.md`): a purged object never comes back (P3), a body
//! is whole or its reader gets an error (P1, P5), a sick tier never fails a request the origin could
//! serve and costs at most one deadline (P7), and memory is bounded by [`Limits`], not by objects or clients (P12).
//!
//! Types are checked, then forgotten: [`MultiTier`] says which tiers there are, and [`Stack`], the engine it
//! wraps, treats them as a list. A tier that is absent by type ([`NoTier`]) is not in that list.
//!
//! [`NoTier`]: terrace_core::NoTier

mod as_tier;
mod belief;
mod breaker;
mod budget;
mod builder;
mod env;
mod fill;
mod guard;
mod inspect;
mod lane;
mod limits;
mod lookup;
mod multi;
mod progress;
mod promotion;
mod pump;
mod purge;
mod reader;
mod registry;
mod rescue;
mod snapshot;
mod stack;
mod stats;
mod ticket;
mod window;

pub use breaker::BreakerState;
pub use builder::{BuildError, MultiTierBuilder};
pub use env::TokioRuntime;
pub use fill::Filling;
pub use inspect::{Inspected, Inspection, Seen, Underway};
pub use limits::{BreakerLimits, Limits};
pub use lookup::{Intent, Looked, Source, TierHit};
pub use multi::MultiTier;
pub use reader::HitBody;
pub use rescue::Rescue;
pub use snapshot::{LaneCounts, StackSnapshot, TierSnapshot};
pub use stack::{Stack, TierHealth};
pub use ticket::Ticket;
