use terrace_core::{Cas, IndexStore, Record};

use super::Index;
use super::patient::patient;
use crate::cancel::{MAX_POLLS, drop_after};
use crate::sample::{FAR_AHEAD, key, record, version};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn IndexStore>> {
    cases![
        a_get_dropped_at_each_poll_does_no_harm,
        a_scan_dropped_at_each_poll_does_no_harm,
        a_put_new_dropped_at_each_poll_is_before_or_after,
        a_cas_update_dropped_at_each_poll_is_before_or_after,
        a_delete_dropped_at_each_poll_is_before_or_after,
        a_touch_ttl_dropped_at_each_poll_is_before_or_after,
        many_dropped_calls_leave_the_store_usable,
    ]
}

/// Overwrites whatever is there, as often as a dropped call still under way gets in between; from then on no
/// such call can change anything, because the version it expects is gone for good.
async fn overwrite(store: &Index, n: u64, with: &Record) -> Outcome {
    for _ in 0..10 {
        let answer = match store.get(&key(n)).await? {
            Some(old) => store.cas_update(&key(n), old.version, with).await?,
            None => store.put_new(&key(n), with).await?,
        };
        if answer == Cas::Applied {
            let got = store.get(&key(n)).await?;
            check_eq!(got.as_ref(), Some(with), "the store goes on as usual");
            return Ok(());
        }
    }
    Err("one dropped call cannot conflict ten times".into())
}

async fn a_get_dropped_at_each_poll_does_no_harm(store: Index) -> Outcome {
    let record = record(3000, 1);
    check_eq!(
        store.put_new(&key(1), &record).await?,
        Cas::Applied,
        "put_new"
    );
    for polls in 0..MAX_POLLS {
        let ended = drop_after(polls, store.get(&key(1))).await;
        check_eq!(
            store.get(&key(1)).await?,
            Some(record.clone()),
            "after a dropped get"
        );
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

async fn a_scan_dropped_at_each_poll_does_no_harm(store: Index) -> Outcome {
    for n in 0..100 {
        check_eq!(
            store.put_new(&key(n), &record(100, n)).await?,
            Cas::Applied,
            "put_new"
        );
    }
    for polls in 0..MAX_POLLS {
        let ended = drop_after(polls, store.scan(None, 50)).await;
        check_eq!(
            super::scan::walk(&store, 50).await?.len(),
            100,
            "records seen"
        );
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

async fn a_put_new_dropped_at_each_poll_is_before_or_after(store: Index) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let put = record(3000, n);
        let ended = drop_after(polls, store.put_new(&key(n), &put)).await;
        let got = store.get(&key(n)).await?;
        match ended {
            Some(answer) => {
                check_eq!(answer?, Cas::Applied, "the key was absent");
                check_eq!(got, Some(put), "acknowledged");
                return Ok(());
            }
            None => check!(
                got.is_none() || got.as_ref() == Some(&put),
                "neither absent nor whole: {got:?}"
            ),
        }
        overwrite(&store, n, &record(100, 1000 + n)).await?;
    }
    Ok(())
}

async fn a_cas_update_dropped_at_each_poll_is_before_or_after(store: Index) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let (old, new) = (record(3000, n), record(200, 1000 + n));
        check_eq!(store.put_new(&key(n), &old).await?, Cas::Applied, "put_new");
        let ended = drop_after(polls, store.cas_update(&key(n), old.version, &new)).await;
        let got = store.get(&key(n)).await?;
        match ended {
            Some(answer) => {
                check_eq!(answer?, Cas::Applied, "the version was current");
                check_eq!(got, Some(new), "acknowledged");
                return Ok(());
            }
            None => check!(
                got.as_ref() == Some(&old) || got.as_ref() == Some(&new),
                "neither before nor after: {got:?}"
            ),
        }
        overwrite(&store, n, &record(100, 2000 + n)).await?;
    }
    Ok(())
}

async fn a_delete_dropped_at_each_poll_is_before_or_after(store: Index) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let old = record(3000, n);
        check_eq!(store.put_new(&key(n), &old).await?, Cas::Applied, "put_new");
        let ended = drop_after(polls, store.delete(&key(n), old.version)).await;
        let got = store.get(&key(n)).await?;
        match ended {
            Some(answer) => {
                check_eq!(answer?, Cas::Applied, "the version was current");
                check_eq!(got, None, "acknowledged");
                return Ok(());
            }
            None => check!(
                got.is_none() || got.as_ref() == Some(&old),
                "neither before nor after: {got:?}"
            ),
        }
        overwrite(&store, n, &record(100, 2000 + n)).await?;
    }
    Ok(())
}

async fn a_touch_ttl_dropped_at_each_poll_is_before_or_after(store: Index) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let old = record(3000, n);
        let touched = Record {
            retain_until: FAR_AHEAD,
            ..old.clone()
        };
        check_eq!(store.put_new(&key(n), &old).await?, Cas::Applied, "put_new");
        let key = key(n);
        let touch = store.touch_ttl(&key, old.version, FAR_AHEAD);
        let ended = drop_after(polls, touch).await;
        let got = store.get(&key).await?;
        match ended {
            Some(answer) => {
                check_eq!(answer?, Cas::Applied, "the version was current");
                check_eq!(got, Some(touched), "acknowledged");
                return Ok(());
            }
            None => check!(
                got.as_ref() == Some(&old) || got.as_ref() == Some(&touched),
                "neither before nor after: {got:?}"
            ),
        }
        overwrite(&store, n, &record(100, 2000 + n)).await?;
    }
    Ok(())
}

async fn many_dropped_calls_leave_the_store_usable(store: Index) -> Outcome {
    let store = patient(store);
    // More than any connection pool holds: a connection that is lost with its future would run out.
    for n in 0..200 {
        let put = record(100, n);
        let polls = 1 + usize::from(n % 2 == 0);
        let _ = drop_after(polls, store.put_new(&key(n), &put)).await;
        let _ = drop_after(polls, store.get(&key(n))).await;
        let _ = drop_after(polls, store.delete(&key(n), version(n))).await;
        let _ = drop_after(polls, store.scan(None, 10)).await;
    }
    overwrite(&store, 0, &record(100, 900)).await?;
    overwrite(&store, 500, &record(100, 901)).await
}
