use terrace_core::{Cas, IndexStore};

use super::Index;
use crate::sample::{key, record, version};
use crate::suite::{Case, Outcome, cases, check_eq};

pub(super) fn cases() -> Vec<Case<dyn IndexStore>> {
    cases![
        cas_update_replaces,
        cas_update_under_a_wrong_version_conflicts,
        cas_update_of_an_absent_key_conflicts,
        cas_update_under_an_older_version_conflicts,
        delete_removes,
        delete_under_a_wrong_version_conflicts,
        delete_of_an_absent_key_conflicts,
        delete_then_put_new,
    ]
}

async fn cas_update_replaces(store: Index) -> Outcome {
    let (first, second) = (record(100, 1), record(3000, 2));
    check_eq!(
        store.put_new(&key(1), &first).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(
        store.cas_update(&key(1), first.version, &second).await?,
        Cas::Applied,
        "cas_update"
    );
    check_eq!(store.get(&key(1)).await?, Some(second), "replaced whole");
    Ok(())
}

async fn cas_update_under_a_wrong_version_conflicts(store: Index) -> Outcome {
    let (first, second) = (record(100, 1), record(100, 2));
    check_eq!(
        store.put_new(&key(1), &first).await?,
        Cas::Applied,
        "put_new"
    );
    for wrong in [second.version, version(3)] {
        check_eq!(
            store.cas_update(&key(1), wrong, &second).await?,
            Cas::Conflict,
            "another version"
        );
    }
    check_eq!(store.get(&key(1)).await?, Some(first), "nothing changed");
    Ok(())
}

async fn cas_update_of_an_absent_key_conflicts(store: Index) -> Outcome {
    let update = store
        .cas_update(&key(1), version(1), &record(100, 2))
        .await?;
    check_eq!(update, Cas::Conflict, "absent");
    check_eq!(store.get(&key(1)).await?, None, "still absent");
    Ok(())
}

async fn cas_update_under_an_older_version_conflicts(store: Index) -> Outcome {
    let mut current = record(100, 0);
    check_eq!(
        store.put_new(&key(1), &current).await?,
        Cas::Applied,
        "put_new"
    );
    for n in 1..20 {
        let next = record(100, n);
        check_eq!(
            store.cas_update(&key(1), current.version, &next).await?,
            Cas::Applied,
            "update {n}"
        );
        for old in 0..n {
            check_eq!(
                store
                    .cas_update(&key(1), version(old), &record(100, 999))
                    .await?,
                Cas::Conflict,
                "version {old} of {n}"
            );
        }
        current = next;
    }
    check_eq!(
        store.get(&key(1)).await?,
        Some(current),
        "the last one stands"
    );
    Ok(())
}

async fn delete_removes(store: Index) -> Outcome {
    let record = record(100, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(
        store.delete(&key(1), record.version).await?,
        Cas::Applied,
        "delete"
    );
    check_eq!(store.get(&key(1)).await?, None, "gone");
    check_eq!(
        store.delete(&key(1), record.version).await?,
        Cas::Conflict,
        "a repeat"
    );
    Ok(())
}

async fn delete_under_a_wrong_version_conflicts(store: Index) -> Outcome {
    let record = record(100, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(
        store.delete(&key(1), version(2)).await?,
        Cas::Conflict,
        "another version"
    );
    check_eq!(store.get(&key(1)).await?, Some(record), "nothing changed");
    Ok(())
}

async fn delete_of_an_absent_key_conflicts(store: Index) -> Outcome {
    check_eq!(
        store.delete(&key(1), version(1)).await?,
        Cas::Conflict,
        "absent"
    );
    Ok(())
}

async fn delete_then_put_new(store: Index) -> Outcome {
    for n in 0..5 {
        let record = record(100, n);
        check_eq!(
            store.put_new(&key(1), &record).await?,
            Cas::Applied,
            "put_new {n}"
        );
        check_eq!(
            store.get(&key(1)).await?,
            Some(record.clone()),
            "record {n}"
        );
        check_eq!(
            store.delete(&key(1), record.version).await?,
            Cas::Applied,
            "delete {n}"
        );
    }
    Ok(())
}
