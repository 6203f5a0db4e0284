use terrace_core::{Committed, Key, Lookup, Target, Tier, Timestamp};

use super::AnyTier;
use super::support::{check_hit, check_is, check_miss, group, hit, miss, store};
use crate::cancel::{MAX_POLLS, drop_after};
use crate::sample::{Object, key, meta, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        a_lookup_dropped_at_each_poll_does_no_harm,
        a_read_dropped_at_each_poll_does_no_harm,
        p5_an_admit_dropped_at_each_poll_publishes_nothing,
        p5_a_write_dropped_at_each_poll_publishes_nothing,
        p1_a_commit_dropped_at_each_poll_is_whole_or_nothing,
        p1_a_replacing_commit_dropped_at_each_poll_is_before_or_after,
        a_purge_dropped_at_each_poll_is_before_or_after,
        a_purge_of_all_variants_dropped_at_each_poll_can_be_repeated,
        an_expire_dropped_at_each_poll_is_before_or_after,
        an_update_meta_dropped_at_each_poll_is_before_or_after,
        many_dropped_calls_leave_the_tier_usable,
    ]
}

/// A purge voids whatever was dropped and may still be under way; after it the key is as new.
async fn purged_for_good(tier: &AnyTier, key: &Key, seed: u64) -> Outcome {
    tier.purge(&Target::Key(*key)).await?;
    for _ in 0..5 {
        check_miss(&**tier, key).await?;
        tokio::task::yield_now().await;
    }
    let object = Object::new(500, seed);
    store(&**tier, key, &object).await?;
    check_hit(&**tier, key, &object).await
}

async fn a_lookup_dropped_at_each_poll_does_no_harm(tier: AnyTier) -> Outcome {
    let object = Object::new(70_000, 1);
    store(&*tier, &key(1), &object).await?;
    for polls in 0..MAX_POLLS {
        let ended = drop_after(polls, tier.lookup(&key(1))).await.is_some();
        let missed = drop_after(polls, tier.lookup(&key(2))).await.is_some();
        check_hit(&*tier, &key(1), &object).await?;
        check_miss(&*tier, &key(2)).await?;
        if ended && missed {
            break;
        }
    }
    Ok(())
}

async fn a_read_dropped_at_each_poll_does_no_harm(tier: AnyTier) -> Outcome {
    let object = Object::new(300_000, 1);
    store(&*tier, &key(1), &object).await?;
    for polls in 0..MAX_POLLS {
        let mut found = hit(&*tier, &key(1)).await?;
        let ended = drop_after(polls, found.body.read_all()).await.is_some();
        drop(found);
        check_hit(&*tier, &key(1), &object).await?;
        if ended {
            break;
        }
    }
    Ok(())
}

async fn p5_an_admit_dropped_at_each_poll_publishes_nothing(tier: AnyTier) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let object = Object::new(3000, n);
        let fence = miss(&*tier, &key(n)).await?;
        let key = key(n);
        let admit = tier.admit(&key, object.entry.clone(), fence);
        let ended = drop_after(polls, admit).await.is_some();
        check_miss(&*tier, &key).await?;
        purged_for_good(&tier, &key, 1000 + n).await?;
        if ended {
            break;
        }
    }
    Ok(())
}

async fn p5_a_write_dropped_at_each_poll_publishes_nothing(tier: AnyTier) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let object = Object::new(1_000_000, n);
        let fence = miss(&*tier, &key(n)).await?;
        let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
        let ended = drop_after(polls, fill.write(object.body.clone()))
            .await
            .is_some();
        drop(fill);
        check_miss(&*tier, &key(n)).await?;
        purged_for_good(&tier, &key(n), 1000 + n).await?;
        if ended {
            break;
        }
    }
    Ok(())
}

async fn p1_a_commit_dropped_at_each_poll_is_whole_or_nothing(tier: AnyTier) -> Outcome {
    // Small enough to be stored in line somewhere, and too large for that.
    for (part, len) in (0..).zip([100, 300_000]) {
        for polls in 0..MAX_POLLS {
            let n = part * 1000 + polls as u64;
            let object = Object::new(len, n);
            let fence = miss(&*tier, &key(n)).await?;
            let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
            fill.write(object.body.clone()).await?;
            let ended = drop_after(polls, fill.commit(object.commit())).await;
            if let Some(committed) = ended {
                check_eq!(committed?, Committed::Published, "nothing came in between");
                check_hit(&*tier, &key(n), &object).await?;
                break;
            }
            if let Lookup::Hit(found) = tier.lookup(&key(n)).await? {
                check_is(found, &object).await?;
            }
            purged_for_good(&tier, &key(n), 5000 + n).await?;
        }
    }
    Ok(())
}

async fn p1_a_replacing_commit_dropped_at_each_poll_is_before_or_after(tier: AnyTier) -> Outcome {
    for (part, len) in (0..).zip([100, 300_000]) {
        for polls in 0..MAX_POLLS {
            let n = part * 1000 + polls as u64;
            let (old, new) = (Object::new(len, n), Object::new(len + 7, 5000 + n));
            store(&*tier, &key(n), &old).await?;
            let fence = hit(&*tier, &key(n)).await?.fence;
            let mut fill = tier.admit(&key(n), new.entry.clone(), fence).await?;
            fill.write(new.body.clone()).await?;
            let ended = drop_after(polls, fill.commit(new.commit())).await;
            if let Some(committed) = ended {
                check_eq!(committed?, Committed::Published, "nothing came in between");
                check_hit(&*tier, &key(n), &new).await?;
                break;
            }
            let found = hit(&*tier, &key(n)).await?;
            let which = if found.generation == old.generation() {
                &old
            } else {
                &new
            };
            check_is(found, which).await?;
            purged_for_good(&tier, &key(n), 9000 + n).await?;
        }
    }
    Ok(())
}

async fn a_purge_dropped_at_each_poll_is_before_or_after(tier: AnyTier) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let object = Object::new(3000, n);
        store(&*tier, &key(n), &object).await?;
        let target = Target::Key(key(n));
        let ended = drop_after(polls, tier.purge(&target)).await;
        if let Some(outcome) = ended {
            check_eq!(
                outcome?.generation(),
                Some(object.generation()),
                "it was there"
            );
            check_miss(&*tier, &key(n)).await?;
            break;
        }
        if let Lookup::Hit(found) = tier.lookup(&key(n)).await? {
            check_is(found, &object).await?;
        }
        purged_for_good(&tier, &key(n), 1000 + n).await?;
    }
    Ok(())
}

async fn a_purge_of_all_variants_dropped_at_each_poll_can_be_repeated(tier: AnyTier) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let keys = [key(n), variant(key(n), 1), variant(key(n), 2)];
        for (seed, stored) in (0..).zip(keys) {
            store(&*tier, &stored, &Object::new(3000, seed)).await?;
        }
        let unseen = variant(key(n), 3);
        let fence = tier.fence(&unseen).await?;
        let target = group(n);
        let ended = drop_after(polls, tier.purge(&target)).await.is_some();
        if !ended {
            tier.purge(&group(n)).await?;
        }
        for stored in keys {
            check_miss(&*tier, &stored).await?;
        }
        let late = Object::new(100, 77);
        if let Ok(committed) = late.store_under(&*tier, &unseen, fence).await {
            check_eq!(committed, Committed::Fenced, "a fence older than the purge");
        }
        purged_for_good(&tier, &keys[1], 1000 + n).await?;
        if ended {
            break;
        }
    }
    Ok(())
}

async fn an_expire_dropped_at_each_poll_is_before_or_after(tier: AnyTier) -> Outcome {
    let at = Timestamp::from_millis(100_000);
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let object = Object::new(3000, n);
        store(&*tier, &key(n), &object).await?;
        let target = Target::Key(key(n));
        let ended = drop_after(polls, tier.expire(&target, at)).await.is_some();
        check_hit(&*tier, &key(n), &object).await?;
        let expired_at = hit(&*tier, &key(n)).await?.expired_at;
        if ended {
            check_eq!(expired_at, Some(at), "acknowledged");
            break;
        }
        check!(
            expired_at.is_none_or(|got| got == at),
            "neither before nor after: {expired_at:?}"
        );
        purged_for_good(&tier, &key(n), 1000 + n).await?;
    }
    Ok(())
}

async fn an_update_meta_dropped_at_each_poll_is_before_or_after(tier: AnyTier) -> Outcome {
    for polls in 0..MAX_POLLS {
        let n = polls as u64;
        let old = Object::new(70_000, n);
        let mut new = old.clone();
        new.entry.meta = meta(5000 + n);
        store(&*tier, &key(n), &old).await?;
        let key = key(n);
        let update = tier.update_meta(&key, old.generation(), meta(5000 + n));
        let ended = drop_after(polls, update).await;
        if let Some(updated) = ended {
            check!(updated?, "it is current");
            check_hit(&*tier, &key, &new).await?;
            break;
        }
        let found = hit(&*tier, &key).await?;
        let which = if found.meta == old.entry.meta {
            &old
        } else {
            &new
        };
        check_is(found, which).await?;
        purged_for_good(&tier, &key, 1000 + n).await?;
    }
    Ok(())
}

async fn many_dropped_calls_leave_the_tier_usable(tier: AnyTier) -> Outcome {
    // More than any pool, permit count or worker table holds.
    for n in 0..200 {
        let polls = 1 + usize::from(n % 2 == 0);
        let object = Object::new(3000, n);
        let _ = drop_after(polls, tier.lookup(&key(n % 10))).await;
        let _ = drop_after(polls, object.store(&*tier, &key(n % 10))).await;
        let target = Target::Key(key(n % 10));
        let _ = drop_after(polls, tier.purge(&target)).await;
    }
    for n in 0..10 {
        purged_for_good(&tier, &key(n), 1000 + n).await?;
    }
    Ok(())
}
