use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use libtest_mimic::Failed;
use terrace_core::{Applied, Cas, Error, IndexStore, Record, Result, Version};

use super::{Behind, PAUSE, ends, fails, leaves, recovers};
use crate::proxy::{Towards, WireFault};
use crate::sample::{FAR_AHEAD, key, record, version};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

type Index = Behind<dyn IndexStore>;

pub(crate) fn cases() -> Vec<Case<Index>> {
    cases![
        silence_ends_every_call_and_it_recovers,
        a_black_hole_ends_every_call_and_it_recovers,
        refused_connections_are_errors_and_it_recovers,
        a_half_closed_connection_is_left,
        calls_dropped_in_silence_cost_nothing,
        p4_a_lost_answer_is_not_taken_for_a_refusal,
        p4_a_lost_request_is_before_or_after,
        p4_what_was_acknowledged_under_resets_is_there,
        p4_32_writers_under_resets_have_one_winner_per_version,
        reads_under_resets_are_whole_or_errors,
        scans_under_resets_are_whole_or_errors,
    ]
}

/// Writes the record that the trials begin with.
async fn put(index: &Index, n: u64, record: &Record) -> Outcome {
    let put = recovers("put_new", || async {
        index.store.put_new(&key(n), record).await
    });
    if put.await? == Cas::Conflict {
        // It may be there by a try whose answer came too late.
        let got = recovers("get", || async { index.store.get(&key(n)).await }).await?;
        check!(got.as_ref() == Some(record), "a conflict with {got:?}");
    }
    Ok(())
}

/// Every call there is fails, and ends.
async fn all_fail(index: &Index) -> Outcome {
    let store = &index.store;
    let (old, new) = (version(1), record(100, 9));
    fails("get", store.get(&key(1))).await?;
    fails("put_new", store.put_new(&key(2), &new)).await?;
    fails("cas_update", store.cas_update(&key(1), old, &new)).await?;
    fails("touch_ttl", store.touch_ttl(&key(1), old, FAR_AHEAD)).await?;
    fails("delete", store.delete(&key(3), version(3))).await?;
    fails("scan", store.scan(None, 10)).await
}

/// It works again, and nothing but what was asked for has happened. A request that was under way may still arrive.
async fn is_well(index: &Index) -> Outcome {
    index.proxy.heal().await;
    let got = recovers("get", || async { index.store.get(&key(1)).await }).await?;
    let seen = got.map(|record| record.version);
    let possible = [Some(version(1)), Some(version(9))];
    check!(possible.contains(&seen), "nobody wrote {seen:?}");
    let written = record(100, 50);
    put(index, 50, &written).await?;
    let got = recovers("get", || async { index.store.get(&key(50)).await }).await?;
    check_eq!(got, Some(written), "a read after a write, when all is well");
    Ok(())
}

async fn begin(index: &Index) -> Outcome {
    put(index, 1, &record(100, 1)).await?;
    put(index, 3, &record(100, 3)).await
}

async fn silence_ends_every_call_and_it_recovers(index: Arc<Index>) -> Outcome {
    begin(&index).await?;
    index.proxy.silence();
    all_fail(&index).await?;
    is_well(&index).await
}

async fn a_black_hole_ends_every_call_and_it_recovers(index: Arc<Index>) -> Outcome {
    begin(&index).await?;
    index.proxy.black_hole();
    index.proxy.reset();
    all_fail(&index).await?;
    is_well(&index).await
}

async fn refused_connections_are_errors_and_it_recovers(index: Arc<Index>) -> Outcome {
    begin(&index).await?;
    index.proxy.refuse().await;
    index.proxy.reset();
    all_fail(&index).await?;
    is_well(&index).await
}

async fn a_half_closed_connection_is_left(index: Arc<Index>) -> Outcome {
    begin(&index).await?;
    for _ in 0..3 {
        index.proxy.set(Towards::Client, WireFault::HalfClose(0));
        fails("get", index.store.get(&key(1))).await?;
        index.proxy.heal().await;
        recovers("get", || async { index.store.get(&key(1)).await }).await?;
    }
    is_well(&index).await
}

async fn calls_dropped_in_silence_cost_nothing(index: Arc<Index>) -> Outcome {
    begin(&index).await?;
    index.proxy.silence();
    // More than any pool holds.
    for _ in 0..200 {
        leaves(async { index.store.get(&key(1)).await }).await;
        leaves(async { index.store.touch_ttl(&key(3), version(3), FAR_AHEAD).await }).await;
    }
    is_well(&index).await
}

/// One write of every kind, on a record of version `n`, or on none; and whether it takes effect.
async fn write(index: &Index, kind: u64, n: u64) -> Result<Cas> {
    let (key, old, new) = (key(n), version(n), record(100, 1000 + n));
    match kind {
        0 => index.store.put_new(&key, &new).await,
        1 => index.store.cas_update(&key, old, &new).await,
        2 => index.store.delete(&key, old).await,
        _ => index.store.touch_ttl(&key, old, FAR_AHEAD).await,
    }
}

/// What is there before and after [`write`].
fn before_and_after(kind: u64, n: u64) -> (Option<Record>, Option<Record>) {
    let (old, new) = (record(100, n), record(100, 1000 + n));
    match kind {
        0 => (None, Some(new)),
        1 => (Some(old), Some(new)),
        2 => (Some(old), None),
        _ => {
            let touched = Record {
                retain_until: FAR_AHEAD,
                ..old.clone()
            };
            (Some(old), Some(touched))
        }
    }
}

async fn p4_a_lost_answer_is_not_taken_for_a_refusal(index: Arc<Index>) -> Outcome {
    for n in 10..26 {
        let kind = n % 4;
        let (before, after) = before_and_after(kind, n);
        if let Some(before) = &before {
            put(&index, n, before).await?;
        }
        index.proxy.set(Towards::Client, WireFault::Reset(0..=0));
        let answer = ends("a write", write(&index, kind, n)).await?;
        index.proxy.heal().await;
        let left = recovers("get", || async { index.store.get(&key(n)).await }).await?;
        check!(
            left == before || left == after,
            "write {kind} left {left:?}"
        );
        match answer {
            Ok(answer) => {
                check_eq!(answer, Cas::Applied, "write {kind} met nobody else");
                check_eq!(left, after, "write {kind} was acknowledged");
            }
            Err(error) if error.applied() == Applied::No => {
                check_eq!(
                    left,
                    before,
                    "write {kind} said it had done nothing: {error:?}"
                );
            }
            Err(_) => {}
        }
    }
    Ok(())
}

async fn p4_a_lost_request_is_before_or_after(index: Arc<Index>) -> Outcome {
    for n in 10..26 {
        let kind = n % 4;
        let (before, after) = before_and_after(kind, n);
        if let Some(before) = &before {
            put(&index, n, before).await?;
        }
        index.proxy.set(Towards::Server, WireFault::Reset(0..=300));
        let answer = ends("a write", write(&index, kind, n)).await?;
        index.proxy.heal().await;
        let left = recovers("get", || async { index.store.get(&key(n)).await }).await?;
        check!(
            left == before || left == after,
            "write {kind} left {left:?}"
        );
        if let Ok(answer) = answer {
            check_eq!(answer, Cas::Applied, "write {kind} met nobody else");
            check_eq!(left, after, "write {kind} was acknowledged");
        }
    }
    Ok(())
}

/// Connections break in both directions, again and again.
fn resets(index: &Index) {
    let fault = WireFault::Reset(500..=8_000);
    index.proxy.set_both(&fault);
}

/// What one writer knows of its key, on which nobody else writes.
struct Known {
    n: u64,
    /// One of these is there: the last acknowledged, and those whose answers were lost since.
    possible: Vec<Option<Version>>,
}

impl Known {
    async fn write(&mut self, index: &Index, number: u64) -> Outcome {
        let next = record(100, number);
        let Ok(present) = ends("get", index.store.get(&key(self.n))).await? else {
            return Ok(());
        };
        let seen = present.map(|record| record.version);
        check!(
            self.possible.contains(&seen),
            "{seen:?} was read, and not one of {:?}",
            self.possible
        );
        let answer = match seen {
            Some(seen) => {
                ends(
                    "cas_update",
                    index.store.cas_update(&key(self.n), seen, &next),
                )
                .await?
            }
            None => ends("put_new", index.store.put_new(&key(self.n), &next)).await?,
        };
        self.learn(seen, next.version, answer)
    }

    fn learn(
        &mut self,
        seen: Option<Version>,
        next: Version,
        answer: Result<Cas, Error>,
    ) -> Outcome {
        match answer {
            Ok(Cas::Applied) => self.possible = vec![Some(next)],
            Ok(Cas::Conflict) => {
                // A write whose answer was lost may have come in between, and nothing else.
                self.possible.retain(|version| *version != seen);
                check!(
                    !self.possible.is_empty(),
                    "a conflict on key {} with nobody",
                    self.n
                );
            }
            Err(error) if error.applied() == Applied::Unknown => self.possible.push(Some(next)),
            Err(_) => {}
        }
        Ok(())
    }
}

async fn p4_what_was_acknowledged_under_resets_is_there(index: Arc<Index>) -> Outcome {
    resets(&index);
    let writers = (0..8).map(|n| {
        let index = Arc::clone(&index);
        async move {
            let mut known = Known {
                n,
                possible: vec![None],
            };
            for step in 0..40 {
                known.write(&index, 100 + n * 1000 + step).await?;
            }
            Ok(known)
        }
    });
    let all = together(writers).await?;
    index.proxy.heal().await;
    for known in all {
        let left = recovers("get", || async { index.store.get(&key(known.n)).await }).await?;
        let left = left.map(|record| record.version);
        check!(
            known.possible.contains(&left),
            "key {} has {left:?}, and not one of {:?}",
            known.n,
            known.possible
        );
    }
    Ok(())
}

async fn p4_32_writers_under_resets_have_one_winner_per_version(index: Arc<Index>) -> Outcome {
    put(&index, 1, &record(100, 1)).await?;
    resets(&index);
    let writers = (0..32).map(|writer| {
        let index = Arc::clone(&index);
        async move {
            let (mut applied, mut unknown) = (Vec::new(), Vec::new());
            for step in 0..8 {
                let next = record(100, 100 + writer * 100 + step);
                let Ok(present) = ends("get", index.store.get(&key(1))).await? else {
                    continue;
                };
                let seen = present.ok_or("the record vanished")?.version;
                match ends("cas_update", index.store.cas_update(&key(1), seen, &next)).await? {
                    Ok(Cas::Applied) => applied.push((seen, next.version)),
                    Err(error) if error.applied() == Applied::Unknown => {
                        unknown.push((seen, next.version));
                    }
                    Ok(Cas::Conflict) | Err(_) => {}
                }
            }
            Ok((applied, unknown))
        }
    });
    let all = together(writers).await?;
    index.proxy.heal().await;
    let last = recovers("get", || async { index.store.get(&key(1)).await }).await?;
    let last = last.ok_or("the record vanished")?.version;
    one_chain(all, version(1), last)
}

type Writes = Vec<(Version, Version)>;

/// The acknowledged writes, and some of those whose answers were lost, lead from `first` to `last`, one after the other.
fn one_chain(all: Vec<(Writes, Writes)>, first: Version, last: Version) -> Outcome {
    let mut acknowledged = BTreeMap::new();
    let mut replaced_by: BTreeMap<Version, Version> = BTreeMap::new();
    for (applied, unknown) in all {
        for (old, new) in applied {
            let second = acknowledged.insert(old, new);
            check!(second.is_none(), "two writers replaced version {old}");
            replaced_by.insert(new, old);
        }
        replaced_by.extend(unknown.into_iter().map(|(old, new)| (new, old)));
    }
    // Backwards: of several lost writes on one version, that one counts which the next write saw.
    let mut at = last;
    while at != first {
        let old = *replaced_by
            .get(&at)
            .ok_or_else(|| Failed::from(format!("nobody wrote {at}, or it came back")))?;
        if acknowledged.get(&old).is_some_and(|new| *new == at) {
            acknowledged.remove(&old);
        }
        check!(
            !acknowledged.contains_key(&old),
            "a write on version {old} was acknowledged, and {at} replaced the same"
        );
        // Each is used once: a circle would be a version that came back.
        replaced_by.remove(&at);
        at = old;
    }
    check!(
        acknowledged.is_empty(),
        "{} acknowledged writes are not among what led to the last version",
        acknowledged.len()
    );
    Ok(())
}

async fn reads_under_resets_are_whole_or_errors(index: Arc<Index>) -> Outcome {
    for n in 0..20 {
        put(&index, n, &record(20_000, n)).await?;
    }
    let fault = WireFault::Reset(1_000..=60_000);
    index.proxy.set(Towards::Client, fault);
    let readers = (0..8).map(|reader| {
        let index = Arc::clone(&index);
        async move {
            let mut good = 0;
            for n in (0..60).map(|step| (reader * 7 + step) % 20) {
                if let Ok(got) = ends("get", index.store.get(&key(n))).await? {
                    check!(
                        got == Some(record(20_000, n)),
                        "record {n} is not what was written"
                    );
                    good += 1;
                }
            }
            Ok(good)
        }
    });
    together(readers).await?;
    index.proxy.heal().await;
    let got = recovers("get", || async { index.store.get(&key(3)).await }).await?;
    check!(got == Some(record(20_000, 3)), "record 3, after the faults");
    Ok(())
}

async fn scans_under_resets_are_whole_or_errors(index: Arc<Index>) -> Outcome {
    for n in 0..150 {
        put(&index, n, &record(200, n)).await?;
    }
    index
        .proxy
        .set(Towards::Client, WireFault::Reset(1_000..=12_000));
    for _ in 0..5 {
        scan_through(&index).await?;
    }
    Ok(())
}

/// Follows the cursors, asks again for a page that did not come, and sees every record once.
async fn scan_through(index: &Index) -> Outcome {
    /// A page may be too large to come through at all.
    const MAX_FAILURES: usize = 50;
    let (mut seen, mut cursor, mut failures) = (Vec::new(), None, 0);
    loop {
        match ends("scan", index.store.scan(cursor.as_ref(), 20)).await? {
            Ok(page) => {
                seen.extend(page.records);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            Err(_) if failures == MAX_FAILURES => index.proxy.heal().await,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        failures += 1;
    }
    check_eq!(seen.len(), 150, "records of all pages that came");
    let keys: BTreeSet<_> = seen.iter().map(|(key, _)| *key).collect();
    check_eq!(keys.len(), 150, "and no key twice");
    for n in 0..150 {
        let is_whole = seen.contains(&(key(n), record(200, n)));
        check!(is_whole, "record {n} is not what was written");
    }
    Ok(())
}
