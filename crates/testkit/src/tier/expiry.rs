use libtest_mimic::Failed;
use terrace_core::{PurgeOutcome, Target, Tier, Timestamp};

use super::AnyTier;
use super::support::{check_fenced, check_hit, check_miss, group, hit, miss, store};
use crate::sample::{Object, generation, key, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        p6_expire_marks_stale_and_keeps_the_body,
        p6_a_later_expire_does_not_undo_an_earlier_one,
        p6_an_earlier_expire_counts_although_it_came_later,
        expire_of_nothing_is_not_found,
        p3_expire_voids_fences,
        a_fill_after_an_expire_is_fresh,
        expire_leaves_other_keys,
        expire_of_the_current_generation_marks_it,
        expire_of_another_generation_changes_nothing,
        p6_expire_of_all_variants_marks_all,
        p6_a_later_expire_of_all_variants_does_not_undo_an_earlier_one,
        p6_an_expire_of_all_variants_after_that_of_a_key,
        p6_an_expire_of_a_key_after_that_of_all_variants,
        p3_expire_of_all_variants_voids_fences_of_variants_never_seen,
        a_fill_after_an_expire_of_all_variants_is_fresh,
        purge_removes_what_was_expired,
        expire_does_not_call_back_what_was_purged,
    ]
}

const EARLY: Timestamp = Timestamp::from_millis(100_000);
const LATE: Timestamp = Timestamp::from_millis(200_000);

async fn expired_at(tier: &AnyTier, key: &terrace_core::Key) -> Result<Option<Timestamp>, Failed> {
    Ok(hit(&**tier, key).await?.expired_at)
}

async fn p6_expire_marks_stale_and_keeps_the_body(tier: AnyTier) -> Outcome {
    for (n, stored) in (0..).zip([key(1), variant(key(2), 1)]) {
        let object = Object::new(70_000, n);
        store(&*tier, &stored, &object).await?;
        check_eq!(expired_at(&tier, &stored).await?, None, "before");
        let outcome = tier.expire(&Target::Key(stored), EARLY).await?;
        let expected = PurgeOutcome::Expired(object.generation());
        check_eq!(outcome, expected, "it was there");
        check_hit(&*tier, &stored, &object).await?;
        let found = hit(&*tier, &stored).await?;
        check_eq!(found.expired_at, Some(EARLY), "stale since");
        check!(!found.is_fresh(EARLY), "not fresh from then on");
    }
    Ok(())
}

async fn p6_a_later_expire_does_not_undo_an_earlier_one(tier: AnyTier) -> Outcome {
    store(&*tier, &key(1), &Object::new(100, 1)).await?;
    for at in [EARLY, LATE, Timestamp::MAX] {
        tier.expire(&Target::Key(key(1)), at).await?;
        check_eq!(
            expired_at(&tier, &key(1)).await?,
            Some(EARLY),
            "the earliest counts"
        );
    }
    Ok(())
}

async fn p6_an_earlier_expire_counts_although_it_came_later(tier: AnyTier) -> Outcome {
    store(&*tier, &key(1), &Object::new(100, 1)).await?;
    for at in [LATE, EARLY] {
        tier.expire(&Target::Key(key(1)), at).await?;
        check_eq!(
            expired_at(&tier, &key(1)).await?,
            Some(at),
            "the earliest counts"
        );
    }
    Ok(())
}

async fn expire_of_nothing_is_not_found(tier: AnyTier) -> Outcome {
    for target in [
        Target::Key(key(1)),
        group(1),
        Target::Generation(key(1), generation(1)),
    ] {
        let outcome = tier.expire(&target, EARLY).await?;
        check_eq!(
            outcome,
            PurgeOutcome::NotFound,
            "{target:?}: nothing was there"
        );
    }
    check_miss(&*tier, &key(1)).await
}

async fn p3_expire_voids_fences(tier: AnyTier) -> Outcome {
    let fence = miss(&*tier, &key(1)).await?;
    tier.expire(&Target::Key(key(1)), EARLY).await?;
    check_fenced(&*tier, &key(1), &Object::new(1000, 1), fence).await?;
    check_miss(&*tier, &key(1)).await?;

    let old = Object::new(1000, 2);
    store(&*tier, &key(1), &old).await?;
    let fence = hit(&*tier, &key(1)).await?.fence;
    tier.expire(&Target::Key(key(1)), EARLY).await?;
    check_fenced(&*tier, &key(1), &Object::new(1000, 3), fence).await?;
    check_hit(&*tier, &key(1), &old).await?;
    check_eq!(
        expired_at(&tier, &key(1)).await?,
        Some(EARLY),
        "still stale"
    );
    Ok(())
}

async fn a_fill_after_an_expire_is_fresh(tier: AnyTier) -> Outcome {
    for n in 0..3 {
        let object = Object::new(100, n);
        store(&*tier, &key(1), &object).await?;
        check_hit(&*tier, &key(1), &object).await?;
        check_eq!(expired_at(&tier, &key(1)).await?, None, "fill {n} is new");
        tier.expire(&Target::Key(key(1)), EARLY).await?;
    }
    Ok(())
}

async fn expire_leaves_other_keys(tier: AnyTier) -> Outcome {
    let others = [key(2), variant(key(1), 1)];
    for stored in others.into_iter().chain([key(1)]) {
        store(&*tier, &stored, &Object::new(100, 1)).await?;
    }
    tier.expire(&Target::Key(key(1)), EARLY).await?;
    for other in others {
        check_eq!(expired_at(&tier, &other).await?, None, "another key");
    }
    Ok(())
}

async fn expire_of_the_current_generation_marks_it(tier: AnyTier) -> Outcome {
    let object = Object::new(100, 1);
    store(&*tier, &key(1), &object).await?;
    let target = Target::Generation(key(1), object.generation());
    let outcome = tier.expire(&target, EARLY).await?;
    let expected = PurgeOutcome::Expired(object.generation());
    check_eq!(outcome, expected, "it is current");
    check_eq!(
        expired_at(&tier, &key(1)).await?,
        Some(EARLY),
        "stale since"
    );
    Ok(())
}

async fn expire_of_another_generation_changes_nothing(tier: AnyTier) -> Outcome {
    store(&*tier, &key(1), &Object::new(100, 1)).await?;
    store(&*tier, &key(1), &Object::new(100, 2)).await?;
    for other in [1, 99] {
        let target = Target::Generation(key(1), generation(other));
        let outcome = tier.expire(&target, EARLY).await?;
        check_eq!(outcome, PurgeOutcome::NotFound, "it is not current");
        check_eq!(expired_at(&tier, &key(1)).await?, None, "still fresh");
    }
    Ok(())
}

async fn p6_expire_of_all_variants_marks_all(tier: AnyTier) -> Outcome {
    let whole_group = [key(1), variant(key(1), 1), variant(key(1), 2)];
    for (n, stored) in (0..).zip(whole_group) {
        store(&*tier, &stored, &Object::new(100, n)).await?;
    }
    store(&*tier, &key(2), &Object::new(100, 9)).await?;
    let outcome = tier.expire(&group(1), EARLY).await?;
    let expected = PurgeOutcome::Expired(generation(0));
    check_eq!(outcome, expected, "what is said is of the primary slot");
    for (n, stored) in (0..).zip(whole_group) {
        check_hit(&*tier, &stored, &Object::new(100, n)).await?;
        check_eq!(
            expired_at(&tier, &stored).await?,
            Some(EARLY),
            "stale since"
        );
    }
    check_eq!(expired_at(&tier, &key(2)).await?, None, "another group");
    Ok(())
}

async fn p6_a_later_expire_of_all_variants_does_not_undo_an_earlier_one(tier: AnyTier) -> Outcome {
    let stored = variant(key(1), 1);
    store(&*tier, &stored, &Object::new(100, 1)).await?;
    for at in [EARLY, LATE, Timestamp::MAX] {
        tier.expire(&group(1), at).await?;
        check_eq!(
            expired_at(&tier, &stored).await?,
            Some(EARLY),
            "the earliest counts"
        );
    }
    Ok(())
}

async fn p6_an_expire_of_all_variants_after_that_of_a_key(tier: AnyTier) -> Outcome {
    let (early, late) = (variant(key(1), 1), variant(key(1), 2));
    for stored in [early, late] {
        store(&*tier, &stored, &Object::new(100, 1)).await?;
    }
    tier.expire(&Target::Key(early), EARLY).await?;
    tier.expire(&group(1), LATE).await?;
    check_eq!(
        expired_at(&tier, &early).await?,
        Some(EARLY),
        "the earliest counts"
    );
    check_eq!(
        expired_at(&tier, &late).await?,
        Some(LATE),
        "stale with its group"
    );
    Ok(())
}

async fn p6_an_expire_of_a_key_after_that_of_all_variants(tier: AnyTier) -> Outcome {
    let (early, late) = (variant(key(1), 1), variant(key(1), 2));
    for stored in [early, late] {
        store(&*tier, &stored, &Object::new(100, 1)).await?;
    }
    tier.expire(&group(1), LATE).await?;
    tier.expire(&Target::Key(early), EARLY).await?;
    tier.expire(&Target::Key(late), Timestamp::MAX).await?;
    check_eq!(
        expired_at(&tier, &early).await?,
        Some(EARLY),
        "the earliest counts"
    );
    check_eq!(
        expired_at(&tier, &late).await?,
        Some(LATE),
        "the earliest counts"
    );
    Ok(())
}

async fn p3_expire_of_all_variants_voids_fences_of_variants_never_seen(tier: AnyTier) -> Outcome {
    let whole_group = [key(1), variant(key(1), 1), variant(key(1), 2)];
    let mut fences = Vec::new();
    for stored in whole_group {
        fences.push(miss(&*tier, &stored).await?);
    }
    tier.expire(&group(1), EARLY).await?;
    for (n, (stored, fence)) in (0..).zip(whole_group.into_iter().zip(fences)) {
        check_fenced(&*tier, &stored, &Object::new(100, n), fence).await?;
        check_miss(&*tier, &stored).await?;
    }
    Ok(())
}

async fn a_fill_after_an_expire_of_all_variants_is_fresh(tier: AnyTier) -> Outcome {
    let whole_group = [key(1), variant(key(1), 1), variant(key(1), 2)];
    for round in 0..3 {
        for (n, stored) in (0..).zip(whole_group) {
            let object = Object::new(100, round * 10 + n);
            store(&*tier, &stored, &object).await?;
            check_hit(&*tier, &stored, &object).await?;
            check_eq!(expired_at(&tier, &stored).await?, None, "a new fill");
        }
        tier.expire(&group(1), EARLY).await?;
    }
    Ok(())
}

async fn purge_removes_what_was_expired(tier: AnyTier) -> Outcome {
    for (n, target) in (0..).zip([Target::Key(key(1)), group(1)]) {
        store(&*tier, &key(1), &Object::new(100, n)).await?;
        tier.expire(&target, EARLY).await?;
        let outcome = tier.purge(&target).await?;
        check_eq!(outcome, PurgeOutcome::Purged(generation(n)), "it was there");
        check_miss(&*tier, &key(1)).await?;
    }
    Ok(())
}

async fn expire_does_not_call_back_what_was_purged(tier: AnyTier) -> Outcome {
    for (n, target) in (0..).zip([Target::Key(key(1)), group(1)]) {
        store(&*tier, &key(1), &Object::new(100, n)).await?;
        tier.purge(&target).await?;
        let outcome = tier.expire(&target, EARLY).await?;
        check_eq!(outcome, PurgeOutcome::NotFound, "it is gone");
        check_miss(&*tier, &key(1)).await?;
    }
    Ok(())
}
