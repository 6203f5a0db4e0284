use terrace_core::{Cas, IndexStore, Record, Timestamp};

use super::Index;
use crate::sample::{FAR_AHEAD, LONG_AGO, key, record, version};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn IndexStore>> {
    cases![
        touch_ttl_leaves_version_and_bytes,
        touch_ttl_under_a_wrong_version_conflicts,
        touch_ttl_of_an_absent_key_conflicts,
        touch_ttl_is_idempotent,
        a_touched_record_is_still_updated_by_its_version,
        past_retention_get_is_none,
        past_retention_put_new_applies,
        past_retention_cas_update_conflicts,
        past_retention_delete_conflicts,
        past_retention_touch_ttl_conflicts,
        past_retention_scan_skips_it,
    ]
}

/// Writes a record and lets it pass its retention.
async fn passed(store: &Index, n: u64) -> Result<Record, libtest_mimic::Failed> {
    let record = record(100, n);
    check_eq!(
        store.put_new(&key(n), &record).await?,
        Cas::Applied,
        "put_new"
    );
    let touched = store.touch_ttl(&key(n), record.version, LONG_AGO).await?;
    check_eq!(touched, Cas::Applied, "touch_ttl to a moment long ago");
    Ok(record)
}

async fn touch_ttl_leaves_version_and_bytes(store: Index) -> Outcome {
    let record = record(100, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    for until in [FAR_AHEAD, Timestamp::MAX, FAR_AHEAD] {
        check_eq!(
            store.touch_ttl(&key(1), record.version, until).await?,
            Cas::Applied,
            "touch_ttl"
        );
        let expected = Record {
            retain_until: until,
            ..record.clone()
        };
        check_eq!(
            store.get(&key(1)).await?,
            Some(expected),
            "only retain_until changes"
        );
    }
    Ok(())
}

async fn touch_ttl_under_a_wrong_version_conflicts(store: Index) -> Outcome {
    let record = record(100, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(
        store.touch_ttl(&key(1), version(2), LONG_AGO).await?,
        Cas::Conflict,
        "another version"
    );
    check_eq!(store.get(&key(1)).await?, Some(record), "nothing changed");
    Ok(())
}

async fn touch_ttl_of_an_absent_key_conflicts(store: Index) -> Outcome {
    check_eq!(
        store.touch_ttl(&key(1), version(1), FAR_AHEAD).await?,
        Cas::Conflict,
        "absent"
    );
    check_eq!(store.get(&key(1)).await?, None, "still absent");
    Ok(())
}

async fn touch_ttl_is_idempotent(store: Index) -> Outcome {
    let record = record(100, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    for _ in 0..3 {
        check_eq!(
            store.touch_ttl(&key(1), record.version, FAR_AHEAD).await?,
            Cas::Applied,
            "a repeat is applied, too"
        );
    }
    Ok(())
}

async fn a_touched_record_is_still_updated_by_its_version(store: Index) -> Outcome {
    let (first, second) = (record(100, 1), record(100, 2));
    check_eq!(
        store.put_new(&key(1), &first).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(
        store.touch_ttl(&key(1), first.version, FAR_AHEAD).await?,
        Cas::Applied,
        "touch_ttl"
    );
    check_eq!(
        store.cas_update(&key(1), first.version, &second).await?,
        Cas::Applied,
        "cas_update"
    );
    check_eq!(
        store.get(&key(1)).await?,
        Some(second),
        "with its own retention"
    );
    Ok(())
}

async fn past_retention_get_is_none(store: Index) -> Outcome {
    passed(&store, 1).await?;
    check_eq!(store.get(&key(1)).await?, None, "touched into the past");
    let born_past = Record {
        retain_until: LONG_AGO,
        ..record(100, 2)
    };
    check_eq!(
        store.put_new(&key(2), &born_past).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(store.get(&key(2)).await?, None, "written in the past");
    Ok(())
}

async fn past_retention_put_new_applies(store: Index) -> Outcome {
    passed(&store, 1).await?;
    let next = record(100, 9);
    check_eq!(
        store.put_new(&key(1), &next).await?,
        Cas::Applied,
        "as good as absent"
    );
    check_eq!(store.get(&key(1)).await?, Some(next), "the new record");
    Ok(())
}

async fn past_retention_cas_update_conflicts(store: Index) -> Outcome {
    let old = passed(&store, 1).await?;
    let update = store
        .cas_update(&key(1), old.version, &record(100, 9))
        .await?;
    check_eq!(update, Cas::Conflict, "as good as absent");
    check_eq!(store.get(&key(1)).await?, None, "still absent");
    Ok(())
}

async fn past_retention_delete_conflicts(store: Index) -> Outcome {
    let old = passed(&store, 1).await?;
    check_eq!(
        store.delete(&key(1), old.version).await?,
        Cas::Conflict,
        "as good as absent"
    );
    Ok(())
}

async fn past_retention_touch_ttl_conflicts(store: Index) -> Outcome {
    let old = passed(&store, 1).await?;
    check_eq!(
        store.touch_ttl(&key(1), old.version, FAR_AHEAD).await?,
        Cas::Conflict,
        "what has passed is not called back"
    );
    check_eq!(store.get(&key(1)).await?, None, "still absent");
    Ok(())
}

async fn past_retention_scan_skips_it(store: Index) -> Outcome {
    passed(&store, 1).await?;
    check_eq!(
        store.put_new(&key(2), &record(100, 2)).await?,
        Cas::Applied,
        "put_new"
    );
    let seen = super::scan::walk(&store, 10).await?;
    check!(
        seen.iter().all(|(seen, _)| *seen == key(2)),
        "only the record that is retained"
    );
    check_eq!(seen.len(), 1, "records seen");
    Ok(())
}
