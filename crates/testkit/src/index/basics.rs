use bytes::Bytes;
use terrace_core::{Cas, ErrorKind, IndexStore, MAX_MANIFEST_BYTES, Record, Timestamp};

use super::Index;
use crate::sample::{FAR_AHEAD, key, record, variant, version};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn IndexStore>> {
    cases![
        get_of_an_absent_key_is_none,
        put_new_then_get_is_identical,
        every_byte_value_survives,
        an_empty_manifest_survives,
        the_largest_record_survives,
        a_record_too_large_is_exhausted,
        versions_of_all_bit_patterns_survive,
        retention_times_of_all_sizes_survive,
        put_new_on_an_existing_key_conflicts_and_changes_nothing,
        keys_are_independent,
        primary_and_variant_keys_are_distinct,
        capabilities_are_sensible,
    ]
}

async fn get_of_an_absent_key_is_none(store: Index) -> Outcome {
    check_eq!(store.get(&key(1)).await?, None, "nothing was written");
    Ok(())
}

async fn put_new_then_get_is_identical(store: Index) -> Outcome {
    let record = record(1000, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "the key was absent"
    );
    check_eq!(
        store.get(&key(1)).await?,
        Some(record),
        "the record just written"
    );
    Ok(())
}

async fn every_byte_value_survives(store: Index) -> Outcome {
    let mut record = record(0, 1);
    record.manifest = (0..=255_u8).chain((0..=255).rev()).collect();
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(store.get(&key(1)).await?, Some(record), "bytes are opaque");
    Ok(())
}

async fn an_empty_manifest_survives(store: Index) -> Outcome {
    let record = record(0, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    check_eq!(
        store.get(&key(1)).await?,
        Some(record),
        "empty is not absent"
    );
    Ok(())
}

async fn the_largest_record_survives(store: Index) -> Outcome {
    let largest = store
        .capabilities()
        .max_record_bytes
        .min(MAX_MANIFEST_BYTES);
    for (n, len) in [largest - 1, largest].into_iter().enumerate() {
        let (key, record) = (key(n as u64), record(len, n as u64));
        check_eq!(
            store.put_new(&key, &record).await?,
            Cas::Applied,
            "put_new of {len} bytes"
        );
        let got = store.get(&key).await?;
        check!(
            got.as_ref() == Some(&record),
            "{len} bytes come back as they were"
        );
    }
    Ok(())
}

async fn a_record_too_large_is_exhausted(store: Index) -> Outcome {
    let largest = store.capabilities().max_record_bytes;
    if largest > 64 * MAX_MANIFEST_BYTES {
        return Ok(()); // Larger than any manifest may become: there is nothing to refuse.
    }
    let small = record(10, 1);
    let large = record(largest + 1, 2);
    let refused = store.put_new(&key(1), &large).await;
    check!(
        refused
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::Exhausted),
        "put_new of {} bytes is Exhausted, got {refused:?}",
        largest + 1
    );
    check_eq!(
        store.get(&key(1)).await?,
        None,
        "what was refused is absent"
    );
    check_eq!(
        store.put_new(&key(1), &small).await?,
        Cas::Applied,
        "put_new of 10 bytes"
    );
    let refused = store.cas_update(&key(1), small.version, &large).await;
    check!(
        refused
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::Exhausted),
        "cas_update to {} bytes is Exhausted, got {refused:?}",
        largest + 1
    );
    check_eq!(
        store.get(&key(1)).await?,
        Some(small),
        "what was refused changed nothing"
    );
    Ok(())
}

async fn versions_of_all_bit_patterns_survive(store: Index) -> Outcome {
    let patterns = [1, 2, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];
    for (n, pattern) in (0..).zip(patterns) {
        let mut record = record(10, n);
        record.version = terrace_core::Version::from_u64(pattern).ok_or("not zero")?;
        check_eq!(
            store.put_new(&key(n), &record).await?,
            Cas::Applied,
            "put_new of version {pattern:#x}"
        );
        check_eq!(
            store.get(&key(n)).await?,
            Some(record.clone()),
            "version {pattern:#x}"
        );
        let next = Record {
            version: version(900 + n),
            ..record.clone()
        };
        check_eq!(
            store.cas_update(&key(n), record.version, &next).await?,
            Cas::Applied,
            "cas_update from version {pattern:#x}"
        );
    }
    Ok(())
}

async fn retention_times_of_all_sizes_survive(store: Index) -> Outcome {
    let far = FAR_AHEAD.as_millis();
    for (n, millis) in (0..).zip([
        far,
        far + 1,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ]) {
        let mut record = record(10, n);
        record.retain_until = Timestamp::from_millis(millis);
        check_eq!(
            store.put_new(&key(n), &record).await?,
            Cas::Applied,
            "put_new"
        );
        check_eq!(
            store.get(&key(n)).await?,
            Some(record),
            "retained until {millis}"
        );
    }
    Ok(())
}

async fn put_new_on_an_existing_key_conflicts_and_changes_nothing(store: Index) -> Outcome {
    let (first, second) = (record(100, 1), record(100, 2));
    check_eq!(
        store.put_new(&key(1), &first).await?,
        Cas::Applied,
        "the key was absent"
    );
    for _ in 0..2 {
        check_eq!(
            store.put_new(&key(1), &second).await?,
            Cas::Conflict,
            "the key exists"
        );
        check_eq!(
            store.put_new(&key(1), &first).await?,
            Cas::Conflict,
            "the key exists, with this very record"
        );
    }
    check_eq!(store.get(&key(1)).await?, Some(first), "nothing changed");
    Ok(())
}

async fn keys_are_independent(store: Index) -> Outcome {
    for n in 0..50 {
        check_eq!(
            store.put_new(&key(n), &record(50, n)).await?,
            Cas::Applied,
            "put_new of key {n}"
        );
    }
    let deleted = store.delete(&key(7), version(7)).await?;
    check_eq!(deleted, Cas::Applied, "delete of key 7");
    for n in 0..50 {
        let expected = (n != 7).then(|| record(50, n));
        check_eq!(store.get(&key(n)).await?, expected, "key {n}");
    }
    Ok(())
}

async fn primary_and_variant_keys_are_distinct(store: Index) -> Outcome {
    let primary = key(1);
    let (one, two) = (variant(primary, 1), variant(primary, 2));
    check_eq!(
        store.put_new(&one, &record(10, 1)).await?,
        Cas::Applied,
        "put_new of a variant"
    );
    check_eq!(
        store.get(&primary).await?,
        None,
        "its primary slot is another key"
    );
    check_eq!(
        store.get(&two).await?,
        None,
        "another variant is another key"
    );
    check_eq!(
        store.put_new(&primary, &record(10, 2)).await?,
        Cas::Applied,
        "put_new of the primary slot"
    );
    check_eq!(
        store.get(&one).await?,
        Some(record(10, 1)),
        "the variant is untouched"
    );
    let deleted = store.delete(&primary, version(2)).await?;
    check_eq!(deleted, Cas::Applied, "delete of the primary slot");
    check_eq!(
        store.get(&one).await?,
        Some(record(10, 1)),
        "the variant is untouched"
    );
    Ok(())
}

async fn capabilities_are_sensible(store: Index) -> Outcome {
    let capabilities = store.capabilities();
    check!(
        capabilities.max_record_bytes >= 16 * 1024,
        "a manifest with checksums, a header and tags must fit: at least 16 KiB, not {}",
        capabilities.max_record_bytes
    );
    check_eq!(store.capabilities(), capabilities, "they do not change");
    let record = Record {
        manifest: Bytes::from(vec![0; 16 * 1024]),
        ..record(0, 1)
    };
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "16 KiB fit"
    );
    Ok(())
}
