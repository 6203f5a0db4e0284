//! Copies of what another tier holds, as promotions make them.

use std::sync::Arc;

use futures::FutureExt;
use terrace_core::{Committed, Replaces, Tier};

use super::AnyTier;
use super::support::{check_fenced, check_hit, hit, miss, store};
use crate::sample::{Object, key};
use crate::suite::{Case, Outcome, cases, check_eq, together};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        a_copy_replaces_what_its_lookup_saw,
        a_copy_made_after_a_miss_gives_way_to_a_fill,
        a_copy_made_after_a_hit_gives_way_to_a_fill,
        copies_racing_with_fills_give_way_to_them,
    ]
}

/// The `n`-th object, copied by somebody who saw that of `seen` here, or nothing.
fn copy(n: u64, seen: Option<&Object>) -> Object {
    let mut copy = Object::new(2000, n);
    copy.entry.replaces = Replaces::OnlySeen(seen.map(Object::generation));
    copy
}

async fn a_copy_replaces_what_its_lookup_saw(tier: AnyTier) -> Outcome {
    let fence = miss(&*tier, &key(1)).await?;
    let first = copy(1, None);
    let committed = first.store_under(&*tier, &key(1), fence).await?;
    check_eq!(committed, Committed::Published, "nothing is there");
    check_hit(&*tier, &key(1), &first).await?;

    let fence = hit(&*tier, &key(1)).await?.fence;
    let second = copy(2, Some(&first));
    let committed = second.store_under(&*tier, &key(1), fence).await?;
    check_eq!(committed, Committed::Published, "what was seen is there");
    check_hit(&*tier, &key(1), &second).await
}

async fn a_copy_made_after_a_miss_gives_way_to_a_fill(tier: AnyTier) -> Outcome {
    let fence = miss(&*tier, &key(1)).await?;
    let filled = Object::new(1000, 1);
    store(&*tier, &key(1), &filled).await?;
    check_fenced(&*tier, &key(1), &copy(2, None), fence).await?;
    check_hit(&*tier, &key(1), &filled).await
}

async fn a_copy_made_after_a_hit_gives_way_to_a_fill(tier: AnyTier) -> Outcome {
    let old = Object::new(1000, 1);
    store(&*tier, &key(1), &old).await?;
    let fence = hit(&*tier, &key(1)).await?.fence;
    let filled = Object::new(1000, 2);
    store(&*tier, &key(1), &filled).await?;
    check_fenced(&*tier, &key(1), &copy(3, Some(&old)), fence).await?;
    check_hit(&*tier, &key(1), &filled).await
}

async fn copies_racing_with_fills_give_way_to_them(tier: AnyTier) -> Outcome {
    for round in 0..40 {
        let filled = Object::new(2000, 1000 + round);
        let mut tasks = Vec::new();
        for n in 0..4 {
            let fence = miss(&*tier, &key(round)).await?;
            let tier = Arc::clone(&tier);
            // A tier may call it contended, or refuse it for the other copies: that replaces nothing.
            let copied = async move {
                drop(copy(n, None).store_under(&*tier, &key(round), fence).await);
                Ok(false)
            };
            tasks.push(copied.boxed());
        }
        let fence = miss(&*tier, &key(round)).await?;
        let fill = {
            let (tier, filled) = (Arc::clone(&tier), filled.clone());
            async move {
                let committed = filled.store_under(&*tier, &key(round), fence).await;
                Ok(matches!(committed, Ok(Committed::Published)))
            }
        };
        tasks.insert(2, fill.boxed());
        let is_published = together(tasks).await?[2];
        if is_published {
            check_hit(&*tier, &key(round), &filled).await?;
        }
    }
    Ok(())
}
