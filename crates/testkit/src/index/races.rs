use std::sync::Arc;

use terrace_core::{Cas, IndexStore, Record};

use super::Index;
use super::history::{Log, Recorder};
use super::patient::patient;
use crate::sample::{FAR_AHEAD, LONG_AGO, key, record, version};
use crate::suite::{Case, Outcome, cases, check_eq, together};

/// Writers at once.
const WRITERS: u64 = 32;
/// Reads and updates of each writer in a recorded history.
const STEPS: u64 = 30;

pub(super) fn cases() -> Vec<Case<dyn IndexStore>> {
    cases![
        p4_32_concurrent_put_new_have_one_winner,
        p4_32_concurrent_put_new_past_retention_have_one_winner,
        p4_32_concurrent_cas_updates_have_one_winner_per_version,
        p4_32_concurrent_deletes_have_one_winner,
        p4_deletes_and_cas_updates_of_one_version_have_one_winner,
        p4_touch_ttl_never_undoes_an_update,
        p4_concurrent_histories_are_linearizable,
        a_write_acknowledged_to_one_is_seen_by_all,
        concurrent_writers_of_different_keys_do_not_meet,
    ]
}

/// The numbers of the calls that were applied.
fn winners(answers: &[Cas]) -> Vec<u64> {
    let answers = (0..).zip(answers);
    answers
        .filter(|(_, answer)| **answer == Cas::Applied)
        .map(|(n, _)| n)
        .collect()
}

async fn p4_32_concurrent_put_new_have_one_winner(store: Index) -> Outcome {
    let store = patient(store);
    for round in 0..20 {
        race_put_new(&store, round).await?;
    }
    Ok(())
}

async fn p4_32_concurrent_put_new_past_retention_have_one_winner(store: Index) -> Outcome {
    let store = patient(store);
    for round in 0..20 {
        let passed = Record {
            retain_until: LONG_AGO,
            ..record(100, 5000 + round)
        };
        let put = store.put_new(&key(round), &passed).await?;
        check_eq!(put, Cas::Applied, "put_new");
        race_put_new(&store, round).await?;
    }
    Ok(())
}

async fn race_put_new(store: &Index, round: u64) -> Outcome {
    let attempts = (0..WRITERS).map(|n| {
        let store = Arc::clone(store);
        async move {
            let (key, record) = (key(round), record(100, round * WRITERS + n));
            Ok(store.put_new(&key, &record).await?)
        }
    });
    let winners = winners(&together(attempts).await?);
    check_eq!(winners.len(), 1, "winners of round {round}");
    check_eq!(
        store.get(&key(round)).await?,
        Some(record(100, round * WRITERS + winners[0])),
        "the winner's record stands"
    );
    Ok(())
}

async fn p4_32_concurrent_cas_updates_have_one_winner_per_version(store: Index) -> Outcome {
    let store = patient(store);
    let mut current = record(100, 0);
    let put = store.put_new(&key(1), &current).await?;
    check_eq!(put, Cas::Applied, "put_new");
    for round in 1..=20 {
        let attempts = (0..WRITERS).map(|n| {
            let (store, expected) = (Arc::clone(&store), current.version);
            async move {
                let next = record(100, round * WRITERS + n);
                Ok(store.cas_update(&key(1), expected, &next).await?)
            }
        });
        let winners = winners(&together(attempts).await?);
        check_eq!(winners.len(), 1, "winners of round {round}");
        current = record(100, round * WRITERS + winners[0]);
        let got = store.get(&key(1)).await?;
        check_eq!(got.as_ref(), Some(&current), "the winner's record stands");
    }
    Ok(())
}

async fn p4_32_concurrent_deletes_have_one_winner(store: Index) -> Outcome {
    let store = patient(store);
    for round in 0..20 {
        let put = store.put_new(&key(1), &record(100, round)).await?;
        check_eq!(put, Cas::Applied, "put_new after a delete");
        let attempts = (0..WRITERS).map(|_| {
            let store = Arc::clone(&store);
            async move { Ok(store.delete(&key(1), version(round)).await?) }
        });
        let winners = winners(&together(attempts).await?);
        check_eq!(winners.len(), 1, "winners of round {round}");
        check_eq!(store.get(&key(1)).await?, None, "gone");
    }
    Ok(())
}

async fn p4_deletes_and_cas_updates_of_one_version_have_one_winner(store: Index) -> Outcome {
    let store = patient(store);
    for round in 0..40 {
        let first = record(100, round * 100);
        let put = store.put_new(&key(round), &first).await?;
        check_eq!(put, Cas::Applied, "put_new");
        let attempts = (0..WRITERS).map(|n| {
            let (store, expected) = (Arc::clone(&store), first.version);
            async move {
                let next = record(100, round * 100 + 1 + n);
                Ok(match n % 2 {
                    0 => store.delete(&key(round), expected).await?,
                    _ => store.cas_update(&key(round), expected, &next).await?,
                })
            }
        });
        let winners = winners(&together(attempts).await?);
        check_eq!(winners.len(), 1, "winners of round {round}");
        let winner = winners[0];
        let expected = (winner % 2 == 1).then(|| record(100, round * 100 + 1 + winner));
        let left = store.get(&key(round)).await?;
        check_eq!(left, expected, "the winner's word stands");
    }
    Ok(())
}

async fn p4_touch_ttl_never_undoes_an_update(store: Index) -> Outcome {
    let store = patient(store);
    for round in 0..40 {
        let (first, next) = (record(100, round), record(100, 1000 + round));
        let put = store.put_new(&key(round), &first).await?;
        check_eq!(put, Cas::Applied, "put_new");
        let calls = (0..WRITERS).map(|n| {
            let (store, expected, next) = (Arc::clone(&store), first.version, next.clone());
            async move {
                Ok(match n {
                    7 => store.cas_update(&key(round), expected, &next).await?,
                    _ => store.touch_ttl(&key(round), expected, FAR_AHEAD).await?,
                })
            }
        });
        let answers = together(calls).await?;
        let message = "touches leave the version, so the update wins";
        check_eq!(answers[7], Cas::Applied, "{message}");
        let left = store.get(&key(round)).await?;
        check_eq!(left, Some(next), "the update stands, retention included");
    }
    Ok(())
}

async fn p4_concurrent_histories_are_linearizable(store: Index) -> Outcome {
    let store = patient(store);
    let first = record(100, 0);
    let put = store.put_new(&key(1), &first).await?;
    check_eq!(put, Cas::Applied, "put_new");
    let recorder = Arc::new(Recorder::default());
    let workers = (0..WRITERS).map(|worker| {
        let (store, recorder) = (Arc::clone(&store), Arc::clone(&recorder));
        async move {
            let mut log = Log::new(recorder);
            for step in 0..STEPS {
                let begun = log.begin();
                let got = store.get(&key(1)).await?;
                let seen = got.ok_or("the record vanished")?.version;
                log.read(begun, seen);

                let next = record(100, 1 + worker * STEPS + step);
                let begun = log.begin();
                let answer = store.cas_update(&key(1), seen, &next).await?;
                log.update(begun, seen, next.version, answer);
            }
            Ok(log)
        }
    });
    let logs = together(workers).await?;
    let last = store.get(&key(1)).await?.ok_or("the record vanished")?;
    Log::check(logs, first.version, last.version)
}

async fn a_write_acknowledged_to_one_is_seen_by_all(store: Index) -> Outcome {
    let store = patient(store);
    for round in 0..100 {
        let record = record(100, round);
        let put = store.put_new(&key(round), &record).await?;
        check_eq!(put, Cas::Applied, "put_new");
        let readers = (0..4).map(|_| {
            let store = Arc::clone(&store);
            async move { Ok(store.get(&key(round)).await?) }
        });
        for seen in together(readers).await? {
            check_eq!(
                seen.as_ref(),
                Some(&record),
                "a read after the acknowledgement"
            );
        }
    }
    Ok(())
}

async fn concurrent_writers_of_different_keys_do_not_meet(store: Index) -> Outcome {
    let store = patient(store);
    let writers = (0..WRITERS).map(|n| {
        let store = Arc::clone(&store);
        async move {
            let mut current = record(100, n * 100);
            let put = store.put_new(&key(n), &current).await?;
            check_eq!(put, Cas::Applied, "nobody else writes key {n}");
            for step in 1..10 {
                let next = record(100, n * 100 + step);
                let expected = current.version;
                let update = store.cas_update(&key(n), expected, &next).await?;
                check_eq!(update, Cas::Applied, "nobody else writes key {n}");
                current = next;
            }
            Ok(())
        }
    });
    together(writers).await?;
    for n in 0..WRITERS {
        let expected = Some(record(100, n * 100 + 9));
        check_eq!(store.get(&key(n)).await?, expected, "key {n}");
    }
    Ok(())
}
