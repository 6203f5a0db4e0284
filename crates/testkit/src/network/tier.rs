use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use libtest_mimic::Failed;
use parking_lot::Mutex;
use terrace_core::{
    Applied, Body, Committed, Error, Generation, Hit, Lookup, Result, Target, Tier, Timestamp,
};

use super::{Behind, ends, fails, leaves, recovers};
use crate::proxy::{Towards, WireFault};
use crate::sample::{Object, generation, key, meta};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

type AnyTier = Behind<dyn Tier>;

pub(crate) fn cases() -> Vec<Case<AnyTier>> {
    cases![
        silence_ends_every_call_and_it_recovers,
        a_black_hole_ends_every_call_and_it_recovers,
        refused_connections_are_errors_and_it_recovers,
        a_half_closed_connection_is_left,
        calls_dropped_in_silence_cost_nothing,
        p1_a_body_that_breaks_off_is_no_whole_body,
        p1_a_body_that_is_half_closed_is_no_whole_body,
        p1_a_body_that_falls_silent_ends,
        p1_a_commit_whose_answer_is_lost_is_whole_or_nothing,
        p5_a_fill_that_breaks_publishes_nothing,
        p3_a_purge_whose_answer_is_lost_is_not_acknowledged_in_vain,
        p3_what_was_purged_under_resets_does_not_come_back,
    ]
}

/// Longer than what any adapter keeps beside the metadata.
const LEN: usize = 1_000_000;

async fn store(tier: &AnyTier, n: u64, object: &Object) -> Outcome {
    let stored = recovers("a fill", || async {
        object.store(&*tier.store, &key(n)).await
    });
    check_eq!(stored.await?, Committed::Published, "a fill without faults");
    Ok(())
}

async fn hit(tier: &AnyTier, n: u64) -> Result<Option<Hit>, Failed> {
    match recovers("lookup", || async { tier.store.lookup(&key(n)).await }).await? {
        Lookup::Hit(hit) => Ok(Some(hit)),
        Lookup::Miss(_) => Ok(None),
    }
}

/// Reads what is left. An error may end it, but neither other bytes nor an early end. Whether it was whole.
async fn right_or_error(body: &mut Body, expected: &[u8]) -> Result<bool, Failed> {
    let mut at = 0;
    loop {
        match ends("read", body.read()).await? {
            Err(_) => return Ok(false),
            Ok(None) => break,
            Ok(Some(piece)) => {
                let end = at + piece.len();
                check!(
                    expected.get(at..end) == Some(&piece[..]),
                    "bytes {at}..{end} are not those stored"
                );
                at = end;
            }
        }
    }
    check_eq!(at, expected.len(), "bytes before a clean end");
    Ok(true)
}

/// It is there as it was stored.
async fn check_whole(tier: &AnyTier, n: u64, object: &Object) -> Outcome {
    let whole = recovers("a hit", || async {
        match tier.store.lookup(&key(n)).await? {
            Lookup::Hit(mut hit) => Ok(Some((hit.generation, hit.body.read_all().await?))),
            Lookup::Miss(_) => Ok(None),
        }
    });
    let (generation, body) = whole.await?.ok_or("it is a miss")?;
    check_eq!(generation, object.generation(), "generation");
    check!(body == object.body, "its body");
    Ok(())
}

async fn begin(tier: &AnyTier) -> Outcome {
    store(tier, 1, &Object::new(LEN, 1)).await?;
    store(tier, 2, &Object::new(100, 2)).await
}

async fn all_fail(tier: &AnyTier, fence: terrace_core::Fence) -> Outcome {
    const AT: Timestamp = Timestamp::from_millis(7);
    let tier = &tier.store;
    let target = Target::Key(key(2));
    fails("lookup", tier.lookup(&key(1))).await?;
    fails("fence", tier.fence(&key(1))).await?;
    fails("purge", tier.purge(&target)).await?;
    fails("expire", tier.expire(&target, AT)).await?;
    fails(
        "update_meta",
        tier.update_meta(&key(2), generation(2), meta(9)),
    )
    .await?;
    let object = Object::new(LEN, 3);
    fails("a fill", object.store_under(&**tier, &key(3), fence)).await
}

async fn is_well(tier: &AnyTier) -> Outcome {
    tier.proxy.heal().await;
    check_whole(tier, 1, &Object::new(LEN, 1)).await?;
    let object = Object::new(LEN, 4);
    store(tier, 4, &object).await?;
    check_whole(tier, 4, &object).await?;
    let purged = recovers("purge", || async {
        tier.store.purge(&Target::Key(key(4))).await
    });
    let purged = purged.await?.generation();
    check_eq!(purged, Some(object.generation()), "what a purge found");
    check!(hit(tier, 4).await?.is_none(), "it was purged");
    Ok(())
}

async fn silence_ends_every_call_and_it_recovers(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    let fence = recovers("fence", || async { tier.store.fence(&key(3)).await }).await?;
    tier.proxy.silence();
    all_fail(&tier, fence).await?;
    is_well(&tier).await
}

async fn a_black_hole_ends_every_call_and_it_recovers(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    let fence = recovers("fence", || async { tier.store.fence(&key(3)).await }).await?;
    tier.proxy.black_hole();
    tier.proxy.reset();
    all_fail(&tier, fence).await?;
    is_well(&tier).await
}

async fn refused_connections_are_errors_and_it_recovers(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    let fence = recovers("fence", || async { tier.store.fence(&key(3)).await }).await?;
    tier.proxy.refuse().await;
    tier.proxy.reset();
    all_fail(&tier, fence).await?;
    is_well(&tier).await
}

async fn a_half_closed_connection_is_left(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    for _ in 0..3 {
        tier.proxy.set(Towards::Client, WireFault::HalfClose(0));
        fails("lookup", tier.store.lookup(&key(1))).await?;
        tier.proxy.heal().await;
        check!(hit(&tier, 1).await?.is_some(), "it is there");
    }
    is_well(&tier).await
}

async fn calls_dropped_in_silence_cost_nothing(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    tier.proxy.silence();
    // More than any pool holds.
    for _ in 0..200 {
        leaves(async { tier.store.lookup(&key(1)).await }).await;
        leaves(async { tier.store.purge(&Target::Key(key(2))).await }).await;
    }
    is_well(&tier).await
}

/// Reads the body while `fault` happens to what comes, beginning at different places of it.
async fn read_under(tier: &AnyTier, fault: impl Fn(u64) -> WireFault) -> Outcome {
    let object = Object::new(LEN, 1);
    for after in [0, 1, 1_000, 70_000, 300_000, 900_000] {
        let Some(mut found) = hit(tier, 1).await? else {
            return Err("it is a miss".into());
        };
        check_eq!(found.generation, object.generation(), "generation");
        tier.proxy.set(Towards::Client, fault(after));
        right_or_error(&mut found.body, &object.body).await?;
        tier.proxy.heal().await;
        check_whole(tier, 1, &object).await?;
    }
    Ok(())
}

async fn p1_a_body_that_breaks_off_is_no_whole_body(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    read_under(&tier, |after| WireFault::Reset(after..=after)).await
}

async fn p1_a_body_that_is_half_closed_is_no_whole_body(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    read_under(&tier, WireFault::HalfClose).await
}

async fn p1_a_body_that_falls_silent_ends(tier: Arc<AnyTier>) -> Outcome {
    begin(&tier).await?;
    let object = Object::new(LEN, 1);
    let Some(mut found) = hit(&tier, 1).await? else {
        return Err("it is a miss".into());
    };
    tier.proxy.silence();
    right_or_error(&mut found.body, &object.body).await?;
    is_well(&tier).await
}

async fn p1_a_commit_whose_answer_is_lost_is_whole_or_nothing(tier: Arc<AnyTier>) -> Outcome {
    for n in 0..6 {
        let object = Object::new(if n % 2 == 0 { 100 } else { LEN }, 10 + n);
        let filling = recovers("a fill", || async {
            let fence = tier.store.fence(&key(n)).await?;
            let entry = object.entry.clone();
            let mut fill = tier.store.admit(&key(n), entry, fence).await?;
            fill.write(object.body.clone()).await?;
            Ok(fill)
        });
        let fill = filling.await?;
        tier.proxy.set(Towards::Client, WireFault::Reset(0..=0));
        let answer = ends("commit", fill.commit(object.commit())).await?;
        tier.proxy.heal().await;
        let left = hit(&tier, n).await?.is_some();
        if left {
            check_whole(&tier, n, &object).await?;
        }
        check_commit(answer, left)?;
    }
    Ok(())
}

fn check_commit(answer: Result<Committed, Error>, left: bool) -> Outcome {
    match answer {
        Ok(Committed::Published) => check!(left, "published, and it is a miss"),
        Ok(Committed::Fenced) => return Err("nobody came before it".into()),
        Err(error) if error.applied() == Applied::No => {
            check!(
                !left,
                "it said it had done nothing, and it is a hit: {error:?}"
            );
        }
        Err(_) => {}
    }
    Ok(())
}

async fn p5_a_fill_that_breaks_publishes_nothing(tier: Arc<AnyTier>) -> Outcome {
    for n in 0..8 {
        let object = Object::new(LEN, 10 + n);
        let fence = recovers("fence", || async { tier.store.fence(&key(n)).await }).await?;
        // Less than the body: the fill cannot get through. Or all of it, and then not even the commit.
        let (during, before_commit) = match n % 2 {
            0 => (WireFault::Reset(0..=LEN as u64 / 2), None),
            _ => (WireFault::None, Some(WireFault::Reset(0..=0))),
        };
        tier.proxy.set(Towards::Server, during);
        let filling = async {
            let entry = object.entry.clone();
            let mut fill = tier.store.admit(&key(n), entry, fence).await?;
            for piece in object.body.chunks(50_000) {
                fill.write(object.body.slice_ref(piece)).await?;
            }
            if let Some(fault) = before_commit {
                tier.proxy.set(Towards::Server, fault);
            }
            fill.commit(object.commit()).await
        };
        let answer = ends("a fill", filling).await?;
        tier.proxy.heal().await;
        let left = hit(&tier, n).await?.is_some();
        if left {
            check_whole(&tier, n, &object).await?;
        }
        check_commit(answer, left)?;
    }
    Ok(())
}

async fn p3_a_purge_whose_answer_is_lost_is_not_acknowledged_in_vain(
    tier: Arc<AnyTier>,
) -> Outcome {
    for n in 0..6 {
        let object = Object::new(3000, 10 + n);
        store(&tier, n, &object).await?;
        let direction = [Towards::Client, Towards::Server][usize::from(n % 2 == 0)];
        tier.proxy.set(direction, WireFault::Reset(0..=0));
        let answer = ends("purge", tier.store.purge(&Target::Key(key(n)))).await?;
        tier.proxy.heal().await;
        let left = hit(&tier, n).await?.is_some();
        match answer {
            Ok(_) => check!(!left, "an acknowledged purge, and it is a hit"),
            Err(error) if error.applied() == Applied::No => {
                check!(
                    left,
                    "it said it had done nothing, and it is a miss: {error:?}"
                );
            }
            Err(_) => {}
        }
        // Again, as whoever was not acknowledged will: then it holds.
        let again = recovers("purge", || async {
            tier.store.purge(&Target::Key(key(n))).await
        });
        again.await?;
        check!(hit(&tier, n).await?.is_none(), "it was purged");
    }
    Ok(())
}

/// What happened when, by one count of all beginnings and ends.
#[derive(Default)]
struct Record {
    ticks: AtomicU64,
    /// Generations, with the moment by which their fence had been taken.
    fenced: Mutex<Vec<(Generation, u64)>>,
    /// Acknowledged purges: when they began and had ended.
    purges: Mutex<Vec<(u64, u64)>>,
}

impl Record {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// A lookup that began at `begun` has found `found`.
    fn check(&self, found: Generation, begun: u64) -> Outcome {
        let fenced = self.fenced.lock();
        let fence = fenced.iter().find(|(generation, _)| *generation == found);
        let (_, fence) = fence.ok_or("nobody wrote what was found")?;
        let purges = self.purges.lock();
        let voided = purges.iter().any(|(from, to)| fence < from && *to < begun);
        check!(!voided, "what was purged came back, under an older fence");
        Ok(())
    }
}

async fn p3_what_was_purged_under_resets_does_not_come_back(tier: Arc<AnyTier>) -> Outcome {
    let record = Arc::new(Record::default());
    // Soon enough to cut many a purge in two.
    let fault = WireFault::Reset(0..=4_000);
    tier.proxy.set(Towards::Server, fault);
    let fault = WireFault::Reset(10_000..=100_000);
    tier.proxy.set(Towards::Client, fault);
    let fills = (0..6).map(|client| {
        let (tier, record) = (Arc::clone(&tier), Arc::clone(&record));
        async move {
            for step in 0..40 {
                let length = [200, 2_000][usize::from(step % 4 == 0)];
                let object = Object::new(length, 1 + client * 100 + step);
                let Ok(fence) = ends("fence", tier.store.fence(&key(1))).await? else {
                    continue;
                };
                let taken = (object.generation(), record.tick());
                record.fenced.lock().push(taken);
                drop(ends("a fill", object.store_under(&*tier.store, &key(1), fence)).await?);
                look(&tier, &record).await?;
            }
            Ok(())
        }
        .boxed()
    });
    let purges = (0..2).map(|_| {
        let (tier, record) = (Arc::clone(&tier), Arc::clone(&record));
        async move {
            for _ in 0..60 {
                let begun = record.tick();
                let target = Target::Key(key(1));
                let purge = tier.store.purge(&target);
                if ends("purge", purge).await?.is_ok() {
                    let ended = record.tick();
                    record.purges.lock().push((begun, ended));
                }
                look(&tier, &record).await?;
            }
            Ok(())
        }
        .boxed()
    });
    together(fills.chain(purges)).await?;
    tier.proxy.heal().await;
    recovers("lookup", || async { tier.store.lookup(&key(1)).await }).await?;
    look(&tier, &record).await?;
    let object = Object::new(LEN, 9_000);
    store(&tier, 2, &object).await?;
    check_whole(&tier, 2, &object).await
}

async fn look(tier: &AnyTier, record: &Record) -> Outcome {
    let begun = record.tick();
    match ends("lookup", tier.store.lookup(&key(1))).await? {
        Ok(Lookup::Hit(hit)) => record.check(hit.generation, begun),
        Ok(Lookup::Miss(_)) | Err(_) => Ok(()),
    }
}
