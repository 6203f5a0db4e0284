use terrace_core::{Target, Tier, Timestamp};

use super::AnyTier;
use super::support::{check_hit, check_miss, group, hit, store};
use crate::sample::{Object, generation, key, meta, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        update_meta_replaces_metadata_and_keeps_the_body,
        update_meta_many_times,
        update_meta_of_nothing_is_refused,
        update_meta_of_another_generation_is_refused,
        p3_update_meta_does_not_call_back_what_was_purged,
        update_meta_clears_a_soft_purge,
        update_meta_clears_a_soft_purge_of_all_variants_for_its_key_only,
        an_expire_after_update_meta_counts,
        update_meta_leaves_other_keys,
    ]
}

const AT: Timestamp = Timestamp::from_millis(100_000);

async fn update_meta_replaces_metadata_and_keeps_the_body(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([0, 100, 70_000]) {
        let mut object = Object::new(len, n);
        store(&*tier, &key(n), &object).await?;
        object.entry.meta = meta(500 + n);
        let updated = tier
            .update_meta(&key(n), object.generation(), meta(500 + n))
            .await?;
        check!(updated, "it is current");
        check_hit(&*tier, &key(n), &object).await?;
    }
    Ok(())
}

async fn update_meta_many_times(tier: AnyTier) -> Outcome {
    let mut object = Object::new(70_000, 1);
    store(&*tier, &key(1), &object).await?;
    for n in 0..20 {
        object.entry.meta = meta(500 + n);
        let updated = tier
            .update_meta(&key(1), object.generation(), meta(500 + n))
            .await?;
        check!(updated, "it is current");
        check_hit(&*tier, &key(1), &object).await?;
    }
    Ok(())
}

async fn update_meta_of_nothing_is_refused(tier: AnyTier) -> Outcome {
    let updated = tier.update_meta(&key(1), generation(1), meta(500)).await?;
    check!(!updated, "nothing is current");
    check_miss(&*tier, &key(1)).await
}

async fn update_meta_of_another_generation_is_refused(tier: AnyTier) -> Outcome {
    let (old, new) = (Object::new(100, 1), Object::new(100, 2));
    store(&*tier, &key(1), &old).await?;
    store(&*tier, &key(1), &new).await?;
    for other in [old.generation(), generation(99)] {
        let updated = tier.update_meta(&key(1), other, meta(500)).await?;
        check!(!updated, "it is not current");
        check_hit(&*tier, &key(1), &new).await?;
    }
    Ok(())
}

async fn p3_update_meta_does_not_call_back_what_was_purged(tier: AnyTier) -> Outcome {
    for (n, target) in (0..).zip([Target::Key(key(1)), group(1)]) {
        store(&*tier, &key(1), &Object::new(100, n)).await?;
        tier.purge(&target).await?;
        let updated = tier.update_meta(&key(1), generation(n), meta(500)).await?;
        check!(!updated, "it is gone");
        check_miss(&*tier, &key(1)).await?;
    }
    Ok(())
}

async fn update_meta_clears_a_soft_purge(tier: AnyTier) -> Outcome {
    let mut object = Object::new(100, 1);
    store(&*tier, &key(1), &object).await?;
    tier.expire(&Target::Key(key(1)), AT).await?;
    object.entry.meta = meta(500);
    let updated = tier
        .update_meta(&key(1), object.generation(), meta(500))
        .await?;
    check!(updated, "a stale object is current all the same");
    check_hit(&*tier, &key(1), &object).await?;
    let expired_at = hit(&*tier, &key(1)).await?.expired_at;
    check_eq!(expired_at, None, "the origin has confirmed it");
    Ok(())
}

async fn update_meta_clears_a_soft_purge_of_all_variants_for_its_key_only(
    tier: AnyTier,
) -> Outcome {
    let keys = [key(1), variant(key(1), 1), variant(key(1), 2)];
    for confirmed in keys {
        for (n, stored) in (0..).zip(keys) {
            store(&*tier, &stored, &Object::new(100, n)).await?;
        }
        tier.expire(&group(1), AT).await?;
        let current = hit(&*tier, &confirmed).await?.generation;
        let updated = tier.update_meta(&confirmed, current, meta(500)).await?;
        check!(updated, "a stale object is current all the same");
        for stored in keys {
            let expired_at = hit(&*tier, &stored).await?.expired_at;
            let expected = (stored != confirmed).then_some(AT);
            check_eq!(
                expired_at,
                expected,
                "{stored} after confirming {confirmed}"
            );
        }
    }
    Ok(())
}

async fn an_expire_after_update_meta_counts(tier: AnyTier) -> Outcome {
    let later = Timestamp::from_millis(300_000);
    for (n, target) in (1..).zip([Target::Key(key(1)), group(2)]) {
        store(&*tier, &key(n), &Object::new(100, n)).await?;
        tier.expire(&Target::Key(key(n)), AT).await?;
        let updated = tier.update_meta(&key(n), generation(n), meta(500)).await?;
        check!(updated, "it is current");
        tier.expire(&target, later).await?;
        let expired_at = hit(&*tier, &key(n)).await?.expired_at;
        check_eq!(expired_at, Some(later), "the earlier one was cleared");
    }
    Ok(())
}

async fn update_meta_leaves_other_keys(tier: AnyTier) -> Outcome {
    let others = [key(2), variant(key(1), 1)];
    for stored in others.into_iter().chain([key(1)]) {
        store(&*tier, &stored, &Object::new(100, 1)).await?;
    }
    let updated = tier.update_meta(&key(1), generation(1), meta(500)).await?;
    check!(updated, "it is current");
    for other in others {
        check_hit(&*tier, &other, &Object::new(100, 1)).await?;
    }
    Ok(())
}
