use terrace_core::{Committed, Key, PurgeOutcome, Target, Tier};

use super::AnyTier;
use super::support::{check_fenced, check_hit, check_miss, group, hit, miss, store};
use crate::sample::{Object, generation, key, variant};
use crate::suite::{Case, Outcome, cases, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        purge_removes,
        purge_of_nothing_is_not_found,
        purge_leaves_other_keys,
        purge_of_the_primary_slot_leaves_its_variants,
        purge_of_a_variant_leaves_the_rest_of_its_group,
        p3_purge_voids_the_fence_of_a_miss,
        p3_purge_voids_the_fence_of_a_hit,
        p3_purge_voids_a_fence_taken_without_lookup,
        p3_purge_voids_a_fill_that_is_under_way,
        p3_a_repeated_purge_voids_fences_again,
        a_fill_after_a_purge_is_visible,
        purge_of_the_current_generation_removes_it,
        purge_of_another_generation_leaves_the_object,
        p3_purge_of_the_current_generation_voids_fences,
        purge_of_all_variants_removes_all,
        purge_of_all_variants_where_the_primary_slot_is_empty,
        purge_of_all_variants_of_nothing_is_not_found,
        p3_purge_of_all_variants_voids_fences_of_variants_never_seen,
        p3_purge_of_all_variants_voids_fills_that_are_under_way,
        p3_a_purge_of_one_variant_voids_its_fences_where_others_stay,
        p3_a_purge_of_one_variant_voids_its_fill_where_others_stay,
        a_group_can_be_filled_and_purged_again_and_again,
    ]
}

async fn purge_removes(tier: AnyTier) -> Outcome {
    let object = Object::new(1000, 1);
    store(&*tier, &key(1), &object).await?;
    let outcome = tier.purge(&Target::Key(key(1))).await?;
    let expected = PurgeOutcome::Purged(object.generation());
    check_eq!(outcome, expected, "it was there");
    check_miss(&*tier, &key(1)).await?;
    let again = tier.purge(&Target::Key(key(1))).await?;
    check_eq!(again, PurgeOutcome::NotFound, "a repeat");
    Ok(())
}

async fn purge_of_nothing_is_not_found(tier: AnyTier) -> Outcome {
    for target in [
        Target::Key(key(1)),
        Target::Key(variant(key(1), 1)),
        Target::Generation(key(1), generation(1)),
    ] {
        let outcome = tier.purge(&target).await?;
        check_eq!(
            outcome,
            PurgeOutcome::NotFound,
            "{target:?}: nothing was there"
        );
    }
    check_miss(&*tier, &key(1)).await
}

async fn purge_leaves_other_keys(tier: AnyTier) -> Outcome {
    for n in 0..10 {
        store(&*tier, &key(n), &Object::new(100, n)).await?;
    }
    tier.purge(&Target::Key(key(4))).await?;
    for n in (0..10).filter(|n| *n != 4) {
        check_hit(&*tier, &key(n), &Object::new(100, n)).await?;
    }
    check_miss(&*tier, &key(4)).await
}

async fn purge_of_the_primary_slot_leaves_its_variants(tier: AnyTier) -> Outcome {
    store(&*tier, &key(1), &Object::new(100, 0)).await?;
    store(&*tier, &variant(key(1), 1), &Object::new(100, 1)).await?;
    tier.purge(&Target::Key(key(1))).await?;
    check_miss(&*tier, &key(1)).await?;
    check_hit(&*tier, &variant(key(1), 1), &Object::new(100, 1)).await
}

async fn purge_of_a_variant_leaves_the_rest_of_its_group(tier: AnyTier) -> Outcome {
    let keys = [key(1), variant(key(1), 1), variant(key(1), 2)];
    for (n, stored) in (0..).zip(keys) {
        store(&*tier, &stored, &Object::new(100, n)).await?;
    }
    let outcome = tier.purge(&Target::Key(keys[1])).await?;
    let expected = PurgeOutcome::Purged(generation(1));
    check_eq!(outcome, expected, "it was there");
    check_hit(&*tier, &keys[0], &Object::new(100, 0)).await?;
    check_miss(&*tier, &keys[1]).await?;
    check_hit(&*tier, &keys[2], &Object::new(100, 2)).await
}

async fn p3_purge_voids_the_fence_of_a_miss(tier: AnyTier) -> Outcome {
    for stored in [key(1), variant(key(2), 1)] {
        let fence = miss(&*tier, &stored).await?;
        tier.purge(&Target::Key(stored)).await?;
        check_fenced(&*tier, &stored, &Object::new(1000, 1), fence).await?;
        check_miss(&*tier, &stored).await?;
    }
    Ok(())
}

async fn p3_purge_voids_the_fence_of_a_hit(tier: AnyTier) -> Outcome {
    for stored in [key(1), variant(key(2), 1)] {
        store(&*tier, &stored, &Object::new(1000, 1)).await?;
        let fence = hit(&*tier, &stored).await?.fence;
        tier.purge(&Target::Key(stored)).await?;
        check_fenced(&*tier, &stored, &Object::new(1000, 2), fence).await?;
        check_miss(&*tier, &stored).await?;
    }
    Ok(())
}

async fn p3_purge_voids_a_fence_taken_without_lookup(tier: AnyTier) -> Outcome {
    for there in [false, true] {
        if there {
            store(&*tier, &key(1), &Object::new(1000, 1)).await?;
        }
        let fence = tier.fence(&key(1)).await?;
        tier.purge(&Target::Key(key(1))).await?;
        check_fenced(&*tier, &key(1), &Object::new(1000, 2), fence).await?;
        check_miss(&*tier, &key(1)).await?;
    }
    Ok(())
}

async fn p3_purge_voids_a_fill_that_is_under_way(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([0, 1000, 300_000]) {
        let object = Object::new(len, n);
        let fence = miss(&*tier, &key(n)).await?;
        let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
        fill.write(object.body.clone()).await?;
        tier.purge(&Target::Key(key(n))).await?;
        let committed = fill.commit(object.commit()).await?;
        check_eq!(committed, Committed::Fenced, "the purge came first");
        check_miss(&*tier, &key(n)).await?;
    }
    Ok(())
}

async fn p3_a_repeated_purge_voids_fences_again(tier: AnyTier) -> Outcome {
    for n in 0..5 {
        let fence = miss(&*tier, &key(1)).await?;
        let outcome = tier.purge(&Target::Key(key(1))).await?;
        check_eq!(outcome, PurgeOutcome::NotFound, "purge {n} of nothing");
        check_fenced(&*tier, &key(1), &Object::new(100, n), fence).await?;
        check_miss(&*tier, &key(1)).await?;
    }
    Ok(())
}

async fn a_fill_after_a_purge_is_visible(tier: AnyTier) -> Outcome {
    for n in 0..5 {
        let object = Object::new(1000, n);
        store(&*tier, &key(1), &object).await?;
        check_hit(&*tier, &key(1), &object).await?;
        tier.purge(&Target::Key(key(1))).await?;
    }
    check_miss(&*tier, &key(1)).await
}

async fn purge_of_the_current_generation_removes_it(tier: AnyTier) -> Outcome {
    let object = Object::new(1000, 1);
    store(&*tier, &key(1), &object).await?;
    let target = Target::Generation(key(1), object.generation());
    let outcome = tier.purge(&target).await?;
    let expected = PurgeOutcome::Purged(object.generation());
    check_eq!(outcome, expected, "it was current");
    check_miss(&*tier, &key(1)).await?;
    let again = tier.purge(&target).await?;
    check_eq!(again, PurgeOutcome::NotFound, "a repeat");
    Ok(())
}

async fn purge_of_another_generation_leaves_the_object(tier: AnyTier) -> Outcome {
    let (old, new) = (Object::new(1000, 1), Object::new(1000, 2));
    store(&*tier, &key(1), &old).await?;
    store(&*tier, &key(1), &new).await?;
    for other in [old.generation(), generation(99)] {
        let outcome = tier.purge(&Target::Generation(key(1), other)).await?;
        check_eq!(outcome, PurgeOutcome::NotFound, "it is not current");
        check_hit(&*tier, &key(1), &new).await?;
    }
    Ok(())
}

async fn p3_purge_of_the_current_generation_voids_fences(tier: AnyTier) -> Outcome {
    store(&*tier, &key(1), &Object::new(1000, 1)).await?;
    let fence = hit(&*tier, &key(1)).await?.fence;
    tier.purge(&Target::Generation(key(1), generation(1)))
        .await?;
    check_fenced(&*tier, &key(1), &Object::new(1000, 2), fence).await?;
    check_miss(&*tier, &key(1)).await
}

fn whole_group() -> [Key; 4] {
    let primary = key(1);
    [
        primary,
        variant(primary, 1),
        variant(primary, 2),
        variant(primary, 3),
    ]
}

async fn purge_of_all_variants_removes_all(tier: AnyTier) -> Outcome {
    store_all(&*tier).await?;
    let outside = [key(2), variant(key(2), 1)];
    for stored in outside {
        store(&*tier, &stored, &Object::new(100, 9)).await?;
    }
    let outcome = tier.purge(&group(1)).await?;
    let expected = PurgeOutcome::Purged(generation(0));
    check_eq!(outcome, expected, "what is said is of the primary slot");
    for stored in whole_group() {
        check_miss(&*tier, &stored).await?;
    }
    for stored in outside {
        check_hit(&*tier, &stored, &Object::new(100, 9)).await?;
    }
    Ok(())
}

async fn purge_of_all_variants_where_the_primary_slot_is_empty(tier: AnyTier) -> Outcome {
    let [_, variants @ ..] = whole_group();
    for (n, stored) in (0..).zip(variants) {
        store(&*tier, &stored, &Object::new(100, n)).await?;
    }
    tier.purge(&group(1)).await?;
    for stored in whole_group() {
        check_miss(&*tier, &stored).await?;
    }
    Ok(())
}

async fn purge_of_all_variants_of_nothing_is_not_found(tier: AnyTier) -> Outcome {
    for _ in 0..2 {
        let outcome = tier.purge(&group(1)).await?;
        check_eq!(outcome, PurgeOutcome::NotFound, "nothing was there");
    }
    let object = Object::new(100, 1);
    store(&*tier, &variant(key(1), 1), &object).await?;
    check_hit(&*tier, &variant(key(1), 1), &object).await
}

async fn p3_purge_of_all_variants_voids_fences_of_variants_never_seen(tier: AnyTier) -> Outcome {
    let mut fences = Vec::new();
    for (n, stored) in (0..).zip(whole_group()) {
        let fence = match n % 2 {
            0 => miss(&*tier, &stored).await?,
            _ => tier.fence(&stored).await?,
        };
        fences.push((n, stored, fence));
    }
    tier.purge(&group(1)).await?;
    for (n, stored, fence) in fences {
        check_fenced(&*tier, &stored, &Object::new(100, n), fence).await?;
        check_miss(&*tier, &stored).await?;
        let next = Object::new(100, 50 + n);
        store(&*tier, &stored, &next).await?;
        check_hit(&*tier, &stored, &next).await?;
    }
    Ok(())
}

async fn p3_purge_of_all_variants_voids_fills_that_are_under_way(tier: AnyTier) -> Outcome {
    let mut fills = Vec::new();
    for (n, stored) in (0..).zip(whole_group()) {
        let object = Object::new(100_000, n);
        let fence = miss(&*tier, &stored).await?;
        let mut fill = tier.admit(&stored, object.entry.clone(), fence).await?;
        fill.write(object.body.clone()).await?;
        fills.push((stored, object, fill));
    }
    tier.purge(&group(1)).await?;
    for (stored, object, fill) in fills {
        let committed = fill.commit(object.commit()).await?;
        check_eq!(committed, Committed::Fenced, "the purge came first");
        check_miss(&*tier, &stored).await?;
    }
    Ok(())
}

async fn p3_a_purge_of_one_variant_voids_its_fences_where_others_stay(tier: AnyTier) -> Outcome {
    for purged in whole_group() {
        store_all(&*tier).await?;
        let fences = [
            hit(&*tier, &purged).await?.fence,
            tier.fence(&purged).await?,
        ];
        tier.purge(&Target::Key(purged)).await?;
        for fence in fences {
            check_fenced(&*tier, &purged, &Object::new(1000, 9), fence).await?;
        }
        // Again, where it is not there any more.
        let fence = miss(&*tier, &purged).await?;
        tier.purge(&Target::Key(purged)).await?;
        check_fenced(&*tier, &purged, &Object::new(1000, 9), fence).await?;
        check_only_gone(&*tier, &purged).await?;
    }
    Ok(())
}

async fn p3_a_purge_of_one_variant_voids_its_fill_where_others_stay(tier: AnyTier) -> Outcome {
    for purged in whole_group() {
        store_all(&*tier).await?;
        let object = Object::new(100_000, 9);
        let fence = hit(&*tier, &purged).await?.fence;
        let mut fill = tier.admit(&purged, object.entry.clone(), fence).await?;
        fill.write(object.body.clone()).await?;
        tier.purge(&Target::Key(purged)).await?;
        let committed = fill.commit(object.commit()).await?;
        check_eq!(committed, Committed::Fenced, "the purge came first");
        check_only_gone(&*tier, &purged).await?;
    }
    Ok(())
}

async fn store_all(tier: &dyn Tier) -> Outcome {
    for (n, stored) in (0..).zip(whole_group()) {
        store(tier, &stored, &Object::new(100, n)).await?;
    }
    Ok(())
}

/// `purged` is a miss, and the rest of its group is as it was stored.
async fn check_only_gone(tier: &dyn Tier, purged: &Key) -> Outcome {
    for (n, stored) in (0..).zip(whole_group()) {
        if stored == *purged {
            check_miss(tier, &stored).await?;
        } else {
            check_hit(tier, &stored, &Object::new(100, n)).await?;
        }
    }
    Ok(())
}

async fn a_group_can_be_filled_and_purged_again_and_again(tier: AnyTier) -> Outcome {
    for round in 0..5 {
        for (n, stored) in (0..).zip(whole_group()) {
            let object = Object::new(100, round * 10 + n);
            store(&*tier, &stored, &object).await?;
            check_hit(&*tier, &stored, &object).await?;
        }
        tier.purge(&group(1)).await?;
        for stored in whole_group() {
            check_miss(&*tier, &stored).await?;
        }
    }
    Ok(())
}
