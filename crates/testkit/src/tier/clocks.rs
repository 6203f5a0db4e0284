//! Processes that share a tier, and whose clocks do not agree: what came last is what counts, and not who says so.

use terrace_core::{Target, Tier, Timestamp};

use super::AnyTier;
use super::support::{check_hit, check_miss, hit, store};
use crate::sample::{FAR_AHEAD, LONG_AGO, Object, key, meta};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        a_commit_counts_whatever_its_clock_says,
        update_meta_counts_whatever_its_clock_says,
        p3_purge_counts_whatever_the_clock_of_the_fill_said,
        p6_an_expire_ahead_of_time_counts_from_then_on,
    ]
}

/// From decades behind to decades ahead, and back.
const CLOCKS: [Timestamp; 4] = [FAR_AHEAD, LONG_AGO, Timestamp::EPOCH, FAR_AHEAD];

/// An object of which its writer's clock said that it was `now`.
fn written_at(now: Timestamp, seed: u64) -> Object {
    let mut object = Object::new(1000, seed);
    object.entry.meta.updated = now;
    object
}

async fn a_commit_counts_whatever_its_clock_says(tier: AnyTier) -> Outcome {
    for (n, now) in (0..).zip(CLOCKS) {
        let object = written_at(now, n);
        store(&*tier, &key(1), &object).await?;
        check_hit(&*tier, &key(1), &object).await?;
    }
    Ok(())
}

async fn update_meta_counts_whatever_its_clock_says(tier: AnyTier) -> Outcome {
    let mut object = Object::new(1000, 1);
    store(&*tier, &key(1), &object).await?;
    for (n, now) in (500..).zip(CLOCKS) {
        let mut meta = meta(n);
        meta.updated = now;
        object.entry.meta = meta.clone();
        let updated = tier.update_meta(&key(1), object.generation(), meta).await?;
        check!(updated, "it is current");
        check_hit(&*tier, &key(1), &object).await?;
    }
    Ok(())
}

async fn p3_purge_counts_whatever_the_clock_of_the_fill_said(tier: AnyTier) -> Outcome {
    for (n, now) in (0..).zip(CLOCKS) {
        store(&*tier, &key(1), &written_at(now, n)).await?;
        tier.purge(&Target::Key(key(1))).await?;
        check_miss(&*tier, &key(1)).await?;
    }
    Ok(())
}

async fn p6_an_expire_ahead_of_time_counts_from_then_on(tier: AnyTier) -> Outcome {
    let object = Object::new(1000, 1);
    store(&*tier, &key(1), &object).await?;
    let at = Timestamp::from_millis(FAR_AHEAD.as_millis() - 1000);
    tier.expire(&Target::Key(key(1)), at).await?;
    check_hit(&*tier, &key(1), &object).await?;
    let found = hit(&*tier, &key(1)).await?;
    check_eq!(found.expired_at, Some(at), "stale since");
    let before = Timestamp::from_millis(at.as_millis() - 1);
    check!(found.is_fresh(before), "fresh until then");
    check!(!found.is_fresh(at), "not fresh from then on");
    Ok(())
}
