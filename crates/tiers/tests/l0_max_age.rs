//! What another process purges, revalidates or replaces in the tiers below is noticed here within
//! [`Limits::l0_max_age`]: two stacks over one shared tier, in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    reason = "test code: a panic is a failure, bodies are small"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use support::{FAR, Remote, TwoTiers, body, fill, get, memory, meta};
use terrace_core::{
    Clock, Committed, ErrorKind, Generation, Key, Level, Lookup, Meta, Target, Tier, Timestamp,
};
use terrace_memory::MemoryTier;
use terrace_testkit::sample::{Object, generation};
use terrace_testkit::{
    Explorer, Faults, Faulty, ManualClock, Op, Report, Scenario, Stepped, explore,
};
use terrace_tiers::{BuildError, Intent, Limits, MultiTier, Source, Stack, TokioRuntime};

const MAX_AGE: Duration = Duration::from_secs(10);
const MILLI: Duration = Duration::from_millis(1);
const L0: Source = Source::Tier(Level::L0);
const L3: Source = Source::Tier(Level::L3);

/// Two processes, and what they have in common.
struct World {
    here: TwoTiers<Faulty<Arc<MemoryTier>>>,
    there: TwoTiers<Arc<MemoryTier>>,
    clock: Arc<ManualClock>,
    /// Of the way from here to the shared tier.
    faults: Faults,
}

fn key() -> Key {
    Key::named("https://example.com/")
}

fn limits() -> Limits {
    Limits {
        l0_max_age: Some(MAX_AGE),
        ..Limits::default()
    }
}

fn node<L3: Tier>(clock: &Arc<ManualClock>, l3: L3, limits: Limits) -> TwoTiers<L3> {
    MultiTier::builder(Remote(l3))
        .l0(memory())
        .limits(limits)
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .runtime(Arc::new(TokioRuntime::current()))
        .build()
        .unwrap()
}

impl World {
    fn new() -> Self {
        let (clock, shared, faults) = (Arc::default(), memory(), Faults::new());
        Self {
            here: node(
                &clock,
                Faulty::new(Arc::clone(&shared), faults.clone()),
                limits(),
            ),
            there: node(&clock, shared, limits()),
            clock,
            faults,
        }
    }

    /// A world in which there is a copy of `body` here, put there now.
    async fn with_copy(body: &Bytes) -> Self {
        let world = Self::new();
        fill(world.there.stack(), &key(), body).await;
        assert_eq!(world.get().await, Some((L3, body.clone())));
        assert_eq!(world.get().await, Some((L0, body.clone())));
        world
    }

    async fn get(&self) -> Option<(Source, Bytes)> {
        get(self.here.stack(), &key()).await
    }

    fn lookups_below(&self) -> u64 {
        self.faults.calls(Op::Lookup)
    }
}

async fn generation_in(stack: &Stack) -> Generation {
    let hit = stack.lookup(&key(), Intent::Serve).await.hit;
    hit.unwrap().generation
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_purge_through_another_process_is_a_miss_here_within_l0_max_age() {
    let (old, new) = (body(100, 1), body(100, 2));
    let world = World::with_copy(&old).await;
    let purged = world.there.stack().purge(&Target::Key(key())).await;
    assert!(purged.unwrap().generation().is_some());
    assert_eq!(world.get().await, Some((L0, old)), "it is not known here");

    world.clock.advance(MAX_AGE + MILLI);
    let here = world.here.stack();
    let looked = here.lookup(&key(), Intent::Serve).await;
    assert!(looked.hit.is_none());
    assert_eq!(world.here.l0().len(), 0, "it is not even kept");

    // That lookup's ticket is as good as any, for L0 as well.
    let ticket = Some(looked.ticket);
    let mut filling = here.fill(&key(), meta(), None, ticket).await;
    filling.write(new.clone()).await;
    filling.finish().await;
    assert!(here.drain(Duration::from_mins(1)).await);
    assert_eq!(world.get().await, Some((L0, new.clone())));
    assert_eq!(get(world.there.stack(), &key()).await, Some((L3, new)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_confirmed_is_kept_and_its_body_stays_where_it_is() {
    let body = body(100, 1);
    let world = World::with_copy(&body).await;
    let (_, held) = world.get().await.unwrap();
    let asked = world.lookups_below();
    for round in 1..4 {
        world.clock.advance(MAX_AGE + MILLI);
        for _ in 0..3 {
            let mut hit = world.here.stack().lookup(&key(), Intent::Serve).await.hit;
            let piece = hit.as_mut().unwrap().body.read().await.unwrap().unwrap();
            assert_eq!(piece.as_ptr(), in_memory(&world).await.as_ptr());
            assert_eq!(hit.unwrap().source, L0);
        }
        let message = "once for each time it grew old";
        assert_eq!(world.lookups_below(), asked + round, "{message}");
    }
    assert_eq!(held, body);
}

async fn in_memory(world: &World) -> Bytes {
    let Ok(Lookup::Hit(mut hit)) = world.here.l0().lookup(&key()).await else {
        panic!("it is in L0");
    };
    hit.body.read_all().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_demand_is_confirmed_in_the_background() {
    let body = body(100, 1);
    let world = World::with_copy(&body).await;
    let asked = world.lookups_below();
    world.clock.advance(MAX_AGE / 2 + MILLI);
    // `get` waits for what runs in the background.
    assert_eq!(world.get().await, Some((L0, body.clone())));
    assert_eq!(world.lookups_below(), asked + 1);

    // From here on nobody answers, and the copy is older than the bound, but it was confirmed in between.
    world.faults.on(Op::Lookup).fail(ErrorKind::Unavailable);
    world.clock.advance(MAX_AGE / 2);
    assert_eq!(world.get().await, Some((L0, body)));
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_what_the_background_finds_purged_is_a_miss_at_once() {
    let world = World::with_copy(&body(100, 1)).await;
    world
        .there
        .stack()
        .purge(&Target::Key(key()))
        .await
        .unwrap();
    world.clock.advance(MAX_AGE / 2 + MILLI);
    assert_eq!(world.get().await.unwrap().0, L0, "this one asks");
    assert_eq!(world.get().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_filled_anew_takes_the_place_of_the_copy() {
    let (old, new) = (body(100, 1), body(100, 2));
    let world = World::with_copy(&old).await;
    let there = world.there.stack();
    there.purge(&Target::Key(key())).await.unwrap();
    fill(there, &key(), &new).await;

    world.clock.advance(MAX_AGE + MILLI);
    assert_eq!(world.get().await, Some((L3, new.clone())));
    assert_eq!(world.get().await, Some((L0, new)));
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_what_another_process_marked_stale_is_stale_here() {
    let world = World::with_copy(&body(100, 1)).await;
    let there = world.there.stack();
    there.expire(&Target::Key(key())).await.unwrap();
    world.clock.advance(MAX_AGE + MILLI);
    let hit = world.here.stack().lookup(&key(), Intent::Serve).await.hit;
    assert!(hit.unwrap().expired_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_another_process_had_confirmed_is_taken_over() {
    let world = World::with_copy(&body(100, 1)).await;
    let there = world.there.stack();
    let generation = generation_in(there).await;
    let fresher = Meta::new(Timestamp::from_millis(7), FAR);
    let key = &key();
    let updated = there.update_meta(key, generation, fresher.clone(), None);
    assert!(updated.await);

    world.clock.advance(MAX_AGE + MILLI);
    for source in [L3, L0] {
        let looked = world.here.stack().lookup(key, Intent::Serve).await;
        // Who holds a hit holds the right to promote it.
        assert_eq!(looked.hit.map(|hit| hit.meta).as_ref(), Some(&fresher));
        assert_eq!(world.get().await.unwrap().0, source);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revalidation_of_ones_own_confirms_the_copy() {
    let body = body(100, 1);
    let world = World::with_copy(&body).await;
    let here = world.here.stack();
    world.clock.advance(MAX_AGE + MILLI);
    let looked = here.lookup(&key(), Intent::Revalidate).await;
    let (generation, meta) = (
        looked.hit.unwrap().generation,
        Meta::new(Timestamp::from_millis(7), FAR),
    );
    let key = &key();
    let updated = here.update_meta(key, generation, meta, Some(&looked.ticket));
    assert!(updated.await);
    let asked = world.lookups_below();
    assert_eq!(world.get().await, Some((L0, body)));
    assert_eq!(world.lookups_below(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_p7_what_nobody_can_confirm_is_fetched_again_and_good_for_as_long() {
    let (old, new) = (body(100, 1), body(100, 2));
    let world = World::with_copy(&old).await;
    world.clock.advance(MAX_AGE + MILLI);
    world.faults.on(Op::Lookup).fail(ErrorKind::Unavailable);
    world.faults.on(Op::Fence).fail(ErrorKind::Unavailable);
    assert_eq!(world.get().await, None, "the origin is to be asked");

    fill(world.here.stack(), &key(), &new).await;
    for _ in 0..3 {
        assert_eq!(world.get().await, Some((L0, new.clone())));
        world.clock.advance(MAX_AGE / 3);
    }
    world.clock.advance(3 * MILLI);
    assert_eq!(world.get().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_makes_nothing_believed_for_longer() {
    let world = World::with_copy(&body(100, 1)).await;
    let there = world.there.stack();
    there.purge(&Target::Key(key())).await.unwrap();
    let now = world.clock.now();
    world.clock.set(now.before(Duration::from_hours(1)));
    assert_eq!(world.get().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_bound_nobody_below_is_asked() {
    let (clock, shared, faults) = (Arc::default(), memory(), Faults::new());
    let tiers = node(
        &clock,
        Faulty::new(shared, faults.clone()),
        Limits::default(),
    );
    fill(tiers.stack(), &key(), &body(100, 1)).await;
    let asked = faults.calls(Op::Lookup);
    clock.advance(Duration::from_hours(1));
    assert_eq!(get(tiers.stack(), &key()).await.unwrap().0, L0);
    assert_eq!(faults.calls(Op::Lookup), asked);
}

#[tokio::test]
async fn a_bound_of_nothing_is_refused() {
    let limits = Limits {
        l0_max_age: Some(Duration::ZERO),
        ..Limits::default()
    };
    let built = MultiTier::builder(Remote(memory()))
        .l0(memory())
        .limits(limits)
        .runtime(Arc::new(TokioRuntime::current()))
        .build();
    let refused = |error: &BuildError| error.to_string().contains("l0_max_age");
    assert!(built.is_err_and(|error| refused(&error)));
}

const OLD: u64 = 1;
const BELIEVED: &str = "a copy was confirmed after the purge";

/// Somebody here reads an object, which is in L0 already if `is_copied`, while somebody there purges it and
/// time passes: no copy here may count as confirmed later than the purge.
fn reader_here_purge_there(is_copied: bool) -> Report {
    explore(&terrace_testkit::Limits::preemptions(1), |explorer| {
        let clock = Arc::new(ManualClock::default());
        let (upper, lower) = (memory_tier(), memory_tier());
        for tier in [Some(&lower), is_copied.then_some(&upper)] {
            let Some(tier) = tier else { continue };
            let stored = Object::new(100, OLD).store(&**tier, &key()).now_or_never();
            assert_eq!(stored.unwrap().unwrap(), Committed::Published);
        }
        let here = stepped(explorer, &clock, &upper, &lower);
        let there = stepped(explorer, &clock, &memory_tier(), &lower);
        let (time, passes, purged) = (Arc::clone(&clock), explorer.clone(), Arc::clone(&clock));
        let at = Arc::new(parking_lot::Mutex::new(Timestamp::MAX));
        let noted = Arc::clone(&at);
        Scenario::new()
            .actor("reader", async move {
                if let Some(mut hit) = here.lookup(&key(), Intent::Serve).await.hit {
                    while hit.body.read().await.unwrap().is_some() {}
                }
            })
            .actor("purger", async move {
                there.purge(&Target::Key(key())).await.unwrap();
                *noted.lock() = purged.now();
            })
            .actor("time", async move {
                passes.step("time passes").await;
                time.advance(MAX_AGE);
            })
            .check(async move {
                let Ok(Lookup::Hit(hit)) = upper.lookup(&key()).await else {
                    return Ok(());
                };
                assert_eq!(hit.generation, generation(OLD));
                let in_time = hit.meta.confirmed() <= *at.lock();
                in_time.then_some(()).ok_or(BELIEVED.into())
            })
    })
}

fn memory_tier() -> Arc<dyn Tier> {
    Arc::new(MemoryTier::builder(1 << 20).epoch_slots(1).build())
}

fn stepped(
    explorer: &Explorer,
    clock: &Arc<ManualClock>,
    upper: &Arc<dyn Tier>,
    lower: &Arc<dyn Tier>,
) -> Stack {
    let port = Arc::new(explorer.clone());
    let lower = Stepped::new("L3", Arc::clone(lower), explorer).coarse();
    let tiers = MultiTier::builder(Remote(lower))
        .l0(Stepped::new("L0", Arc::clone(upper), explorer).coarse())
        .runtime(port.clone())
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .random(port)
        .limits(Limits {
            epoch_slots: 1,
            ..limits()
        })
        .build();
    tiers.unwrap().stack().clone()
}

#[test]
fn p3_no_copy_counts_as_confirmed_later_than_a_purge_through_another_process() {
    for is_copied in [false, true] {
        let report = reader_here_purge_there(is_copied);
        report.assert_holds();
        println!("copied before: {is_copied}: {report}");
    }
}
