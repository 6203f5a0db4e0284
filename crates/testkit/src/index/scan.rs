use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use libtest_mimic::Failed;
use terrace_core::{Cas, IndexStore, Key, Record};

use super::Index;
use super::patient::patient;
use crate::sample::{key, record, variant, version};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

pub(super) fn cases() -> Vec<Case<dyn IndexStore>> {
    cases![
        scan_of_an_empty_store_ends,
        scan_sees_whole_records,
        scan_one_by_one,
        scan_with_a_limit_larger_than_the_store,
        scan_sees_variants,
        scan_sees_thousands_each_once,
        scan_between_changes_keeps_what_is_stable,
        scan_during_changes_keeps_what_is_stable,
        scan_cursor_survives_the_record_it_points_at,
    ]
}

/// Follows the cursors to the end.
pub(super) async fn walk(store: &Index, limit: usize) -> Result<Vec<(Key, Record)>, Failed> {
    // A page may be empty and still have a successor, but not for ever.
    const MAX_PAGES: usize = 100_000;
    let (mut seen, mut cursor) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = store.scan(cursor.as_ref(), limit).await?;
        check!(
            page.records.len() <= limit,
            "a page of {} records, the limit is {limit}",
            page.records.len()
        );
        seen.extend(page.records);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(seen);
        }
    }
    Err(Failed::from(format!("no end after {MAX_PAGES} pages")))
}

async fn put(store: &Index, key: &Key, record: &Record) -> Outcome {
    check_eq!(
        store.put_new(key, record).await?,
        Cas::Applied,
        "put_new of an absent key"
    );
    Ok(())
}

async fn scan_of_an_empty_store_ends(store: Index) -> Outcome {
    check_eq!(walk(&store, 10).await?.len(), 0, "records seen");
    Ok(())
}

async fn scan_sees_whole_records(store: Index) -> Outcome {
    put(&store, &key(1), &record(5000, 1)).await?;
    let seen = walk(&store, 10).await?;
    check_eq!(seen, vec![(key(1), record(5000, 1))], "key and record");
    Ok(())
}

async fn scan_one_by_one(store: Index) -> Outcome {
    for n in 0..17 {
        put(&store, &key(n), &record(10, n)).await?;
    }
    each_once(walk(&store, 1).await?, (0..17).map(key))
}

async fn scan_with_a_limit_larger_than_the_store(store: Index) -> Outcome {
    for n in 0..17 {
        put(&store, &key(n), &record(10, n)).await?;
    }
    for limit in [16, 17, 18, 100_000, usize::MAX] {
        each_once(walk(&store, limit).await?, (0..17).map(key))?;
    }
    Ok(())
}

async fn scan_sees_variants(store: Index) -> Outcome {
    let keys: Vec<_> = (0..5)
        .flat_map(|n| (0..4).map(move |v| variant(key(n), v)).chain([key(n)]))
        .collect();
    for (n, key) in (0..).zip(&keys) {
        put(&store, key, &record(10, n)).await?;
    }
    for limit in [1, 2, 3, 7] {
        each_once(walk(&store, limit).await?, keys.iter().copied())?;
    }
    Ok(())
}

async fn scan_sees_thousands_each_once(store: Index) -> Outcome {
    for n in 0..3000 {
        put(&store, &key(n), &record(20, n)).await?;
    }
    for limit in [97, 1000] {
        each_once(walk(&store, limit).await?, (0..3000).map(key))?;
    }
    Ok(())
}

async fn scan_between_changes_keeps_what_is_stable(store: Index) -> Outcome {
    // Keys divisible by three are stable, some others go and others come after each page.
    let stable = |n: &u64| n.is_multiple_of(3);
    for n in (0..300).filter(|n| stable(n) || n % 3 == 1) {
        put(&store, &key(n), &record(20, n)).await?;
    }
    let mut going = (0..300).filter(|n| n % 3 == 1);
    let mut coming = (0..300).filter(|n| n % 3 == 2);
    let (mut visits, mut cursor) = (BTreeMap::new(), None);
    loop {
        let page = store.scan(cursor.as_ref(), 10).await?;
        for (key, _) in page.records {
            *visits.entry(key).or_insert(0) += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        for n in going.by_ref().take(4) {
            let deleted = store.delete(&key(n), version(n)).await?;
            check_eq!(deleted, Cas::Applied, "delete of key {n}");
        }
        for n in coming.by_ref().take(2) {
            put(&store, &key(n), &record(20, n)).await?;
        }
    }
    for n in (0..300).filter(stable) {
        let visits = visits.get(&key(n)).copied().unwrap_or(0);
        check_eq!(visits, 1, "visits of key {n}, which was there all the time");
    }
    Ok(())
}

async fn scan_during_changes_keeps_what_is_stable(store: Index) -> Outcome {
    let store = patient(store);
    for n in 0..600 {
        put(&store, &key(n), &record(20, n)).await?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let writer = churn(Arc::clone(&store), Arc::clone(&over));
    let walker = async move {
        let outcome = walk_thrice(store).await;
        over.store(true, Ordering::Release);
        outcome
    };
    together([writer.boxed(), walker.boxed()]).await.map(drop)
}

/// Takes all odd keys away, puts them back, and so on.
async fn churn(store: Index, over: Arc<AtomicBool>) -> Outcome {
    let mut there = true;
    loop {
        for n in (1..600).step_by(2) {
            if over.load(Ordering::Acquire) {
                return Ok(());
            }
            // A store that never waits would keep this thread, and the walker's place in its queue, for ever.
            tokio::task::yield_now().await;
            if there {
                let deleted = store.delete(&key(n), version(n)).await?;
                check_eq!(deleted, Cas::Applied, "delete of key {n}");
            } else {
                put(&store, &key(n), &record(20, n)).await?;
            }
        }
        there = !there;
    }
}

async fn walk_thrice(store: Index) -> Outcome {
    for _ in 0..3 {
        let mut visits = BTreeMap::new();
        for (key, _) in walk(&store, 7).await? {
            *visits.entry(key).or_insert(0) += 1;
        }
        for n in (0..600).step_by(2) {
            let visits = visits.get(&key(n)).copied().unwrap_or(0);
            check_eq!(visits, 1, "visits of key {n}, which was there all the time");
        }
    }
    Ok(())
}

async fn scan_cursor_survives_the_record_it_points_at(store: Index) -> Outcome {
    for n in 0..20 {
        put(&store, &key(n), &record(10, n)).await?;
    }
    let first = store.scan(None, 5).await?;
    let seen: BTreeSet<_> = first.records.iter().map(|(key, _)| *key).collect();
    for (key, record) in &first.records {
        check_eq!(
            store.delete(key, record.version).await?,
            Cas::Applied,
            "delete"
        );
    }
    let mut rest = BTreeSet::new();
    let mut cursor = first.next;
    while let Some(at) = cursor {
        let page = store.scan(Some(&at), 5).await?;
        rest.extend(page.records.iter().map(|(key, _)| *key));
        cursor = page.next;
    }
    let expected: BTreeSet<_> = (0..20).map(key).filter(|key| !seen.contains(key)).collect();
    check_eq!(rest, expected, "those of the later pages");
    Ok(())
}

fn each_once(seen: Vec<(Key, Record)>, expected: impl Iterator<Item = Key>) -> Outcome {
    let mut seen: Vec<_> = seen.into_iter().map(|(key, _)| key).collect();
    let mut expected: Vec<_> = expected.collect();
    seen.sort_unstable();
    expected.sort_unstable();
    check!(
        seen == expected,
        "every key exactly once: {} keys, seen {}, of them {} different",
        expected.len(),
        seen.len(),
        seen.iter().collect::<BTreeSet<_>>().len()
    );
    Ok(())
}
