//! The tiers of a [`Wiring`], as one stack.

use std::sync::Arc;

use terrace::durable::DurableTier;
use terrace::memory::MemoryTier;
use terrace::{
    Limits, MultiTier, MultiTierBuilder, NoTier, Policy, PolicyError, Runtime, Stack, Tier,
};

use crate::Wiring;
use crate::run::BoxError;

mod garbage;
mod late;

pub use garbage::Forgets;
pub use late::Late;

/// The durable tier of `W`.
type Durable<W> = DurableTier<<W as Wiring>::Bodies, Arc<<W as Wiring>::Index>>;

/// What an object in L0 weighs beyond its body: response header, checksums, bookkeeping.
const L0_MARGIN: u64 = 256 << 10;

/// What is wrong with the options of the tiers, as far as one can tell without opening any.
pub fn check<W: Wiring>(wiring: &W) -> Result<(), BoxError> {
    let args = wiring.tiers();
    if !args.no_l0 && args.l0_gate > args.l0_bytes / 4 {
        let message =
            "--l0-gate is more than a quarter of --l0-bytes: L0 would hold next to nothing";
        return Err(message.into());
    }
    if !args.no_l0 && wiring.l1_gate().is_some_and(|gate| gate < args.l0_gate) {
        let message =
            "--l0-gate is more than --l1-gate: what is in memory would not be in the tier below";
        return Err(message.into());
    }
    wiring.check()
}

/// Opens the tiers of `wiring`. `counts_requests` says that a rule waits for the second request.
///
/// Stores that other proxies share need not be there: the proxy starts without those that are away, and takes them in when
/// they come. What is misconfigured is an error.
pub async fn open<W: Wiring>(
    wiring: W,
    counts_requests: bool,
    runtime: Arc<dyn Runtime>,
) -> Result<Stack, BoxError> {
    let wiring = Arc::new(wiring);
    let durable = open_durable(&wiring, &runtime).await?;
    let l1 = match wiring.l1_gate() {
        Some(gate) => Some(wiring.l1(gate, &runtime).await?),
        None => None,
    };
    let l0 = (!wiring.tiers().no_l0).then(|| memory(&*wiring));
    let policy = policy(&*wiring, counts_requests)?;
    let tiers = MultiTier::builder(durable)
        .policy(policy)
        .limits(limits(&*wiring)?)
        .runtime(runtime);
    match (l0, l1) {
        (None, None) => stack(tiers),
        (None, Some(l1)) => stack(tiers.l1(l1)),
        (Some(l0), None) => stack(tiers.l0(l0)),
        (Some(l0), Some(l1)) => stack(tiers.l0(l0).l1(l1)),
    }
}

async fn open_durable<W: Wiring>(
    wiring: &Arc<W>,
    runtime: &Arc<dyn Runtime>,
) -> Result<Late<Durable<W>>, BoxError> {
    let (of, on) = (Arc::clone(wiring), Arc::clone(runtime));
    let durable = move || {
        let (wiring, runtime) = (Arc::clone(&of), Arc::clone(&on));
        async move {
            let bodies = wiring.bodies(&runtime).await?;
            let index = Arc::new(wiring.index(&runtime).await?);
            let durable = DurableTier::builder(bodies, Arc::clone(&index)).build()?;
            let every = wiring.tiers().gc_interval();
            let tidy = garbage::collect(durable.clone(), index, Arc::clone(&runtime), every);
            runtime.spawn(Box::pin(tidy));
            Ok::<_, BoxError>(durable)
        }
    };
    if wiring.shared().is_none() {
        return Ok(Late::here(durable().await?));
    }
    Late::open(durable, runtime).await
}

fn memory(wiring: &impl Wiring) -> MemoryTier {
    let args = wiring.tiers();
    MemoryTier::builder(args.l0_bytes)
        .max_object_bytes(args.l0_gate + L0_MARGIN)
        .build()
}

fn policy(wiring: &impl Wiring, counts_requests: bool) -> Result<Policy, PolicyError> {
    let l1_gate = wiring.l1_gate().unwrap_or(u64::MAX);
    Policy::builder()
        .l0_max(wiring.tiers().l0_gate.min(l1_gate))
        .l1_max(l1_gate)
        .count_requests(counts_requests)
        .build()
}

fn limits(wiring: &impl Wiring) -> Result<Limits, BoxError> {
    let mut limits = Limits {
        spool_dir: wiring.spool_dir(),
        l0_max_age: wiring.shared().map(|shared| shared.l0_max_age),
        ..Limits::default()
    };
    // What L0 may take must fit while it is on its way.
    let gate = usize::try_from(wiring.tiers().l0_gate)?;
    limits.in_progress_bytes = limits.in_progress_bytes.max(gate);
    limits.memory_bytes = limits.memory_bytes.max(4 * limits.in_progress_bytes);
    Ok(limits)
}

fn stack<L0: Tier, L1: Tier, L3: Tier>(
    tiers: MultiTierBuilder<L0, L1, NoTier, L3>,
) -> Result<Stack, BoxError> {
    Ok(tiers.build()?.stack().clone())
}
