use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use libtest_mimic::Failed;
use terrace_core::{BlobName, BlobStore, Timestamp};

use super::Blobs;
use super::support::{list, put};
use crate::cancel::{MAX_POLLS, drop_after};
use crate::sample::{blob_name, body, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

pub(super) fn cases() -> Vec<Case<dyn BlobStore>> {
    cases![
        list_of_an_empty_store_is_empty,
        list_sees_every_blob_once,
        list_follows_puts_and_deletes,
        list_between_changes_keeps_what_is_stable,
        a_list_dropped_early_does_no_harm,
        lists_at_the_same_time_do_not_meet,
        times_do_not_run_backwards,
    ]
}

async fn list_of_an_empty_store_is_empty(store: Blobs) -> Outcome {
    check_eq!(list(&store).await?.len(), 0, "blobs");
    Ok(())
}

async fn list_sees_every_blob_once(store: Blobs) -> Outcome {
    let mut expected = Vec::new();
    for (n, len) in (0..300).zip(0_usize..) {
        let mut name = blob_name(n % 60, n);
        if n % 3 == 0 {
            name.key = variant(name.key, n);
        }
        put(&store, &name, &body(len, n), 100).await?;
        expected.push((name, n));
    }
    expected.sort_unstable();
    let listed = list(&store).await?;
    let listed: Vec<_> = listed.iter().map(|info| (info.name, info.len)).collect();
    check!(
        listed == expected,
        "300 blobs with their lengths, each once; listed {}",
        listed.len()
    );
    Ok(())
}

/// The names listed, which are all different.
async fn names(store: &Blobs) -> Result<BTreeSet<BlobName>, Failed> {
    let listed = list(store).await?;
    let names: BTreeSet<_> = listed.iter().map(|info| info.name).collect();
    check_eq!(names.len(), listed.len(), "each blob is listed once");
    Ok(names)
}

async fn list_follows_puts_and_deletes(store: Blobs) -> Outcome {
    let mut expected = BTreeSet::new();
    for n in 0..10 {
        put(&store, &blob_name(n, n), &body(10, n), 10).await?;
        expected.insert(blob_name(n, n));
        check_eq!(names(&store).await?, expected, "after a put");
    }
    for n in 0..10 {
        store.delete(&blob_name(n, n)).await?;
        expected.remove(&blob_name(n, n));
        check_eq!(names(&store).await?, expected, "after a delete");
    }
    Ok(())
}

async fn list_between_changes_keeps_what_is_stable(store: Blobs) -> Outcome {
    // Numbers divisible by three are stable, some others go and others come while the list is read.
    let stable = |n: &u64| n.is_multiple_of(3);
    for n in (0..300).filter(|n| stable(n) || n % 3 == 1) {
        put(&store, &blob_name(n, n), &body(5, n), 5).await?;
    }
    let mut going = (0..300).filter(|n| n % 3 == 1);
    let mut coming = (0..300).filter(|n| n % 3 == 2);
    let mut visits = BTreeMap::new();
    let mut listed = store.list();
    while let Some(info) = listed.try_next().await? {
        *visits.entry(info.name).or_insert(0) += 1;
        for n in going.by_ref().take(2) {
            store.delete(&blob_name(n, n)).await?;
        }
        for n in coming.by_ref().take(1) {
            put(&store, &blob_name(n, n), &body(5, n), 5).await?;
        }
    }
    for n in (0..300).filter(stable) {
        let visits = visits.get(&blob_name(n, n)).copied().unwrap_or(0);
        check_eq!(
            visits,
            1,
            "visits of blob {n}, which was there all the time"
        );
    }
    check!(
        visits.values().all(|visits| *visits == 1),
        "no blob is listed twice"
    );
    Ok(())
}

async fn a_list_dropped_early_does_no_harm(store: Blobs) -> Outcome {
    for n in 0..50 {
        put(&store, &blob_name(n, n), &body(5, n), 5).await?;
    }
    for _ in 0..100 {
        drop(store.list());
        let mut listed = store.list();
        check!(listed.try_next().await?.is_some(), "a first blob");
    }
    for polls in 0..MAX_POLLS {
        let _ = drop_after(polls, store.list().try_collect::<Vec<_>>()).await;
    }
    check_eq!(list(&store).await?.len(), 50, "blobs");
    Ok(())
}

async fn lists_at_the_same_time_do_not_meet(store: Blobs) -> Outcome {
    let mut expected = BTreeSet::new();
    for n in 0..100 {
        put(&store, &blob_name(n, n), &body(5, n), 5).await?;
        expected.insert(blob_name(n, n));
    }
    let lists = (0..8).map(|_| {
        let store = store.clone();
        async move { names(&store).await }
    });
    for listed in together(lists).await? {
        check_eq!(listed, expected, "every list is whole");
    }
    Ok(())
}

async fn times_do_not_run_backwards(store: Blobs) -> Outcome {
    let mut last = Timestamp::EPOCH;
    for n in 0..5 {
        put(&store, &blob_name(n, n), &body(5, n), 5).await?;
        let info = store.head(&blob_name(n, n)).await?;
        let modified = info.ok_or("it was put")?.modified;
        check!(
            modified >= last,
            "{modified:?} after {last:?}, by one store's clock"
        );
        check!(
            modified > Timestamp::EPOCH,
            "collection needs to know when it was put"
        );
        last = modified;
    }
    for n in 0..5 {
        // Asked again later: a blob is immutable, its time with it.
        let info = store.head(&blob_name(n, n)).await?;
        let again = info.ok_or("it was put")?.modified;
        check!(again <= last, "{again:?} of blob {n} moved past {last:?}");
    }
    Ok(())
}
