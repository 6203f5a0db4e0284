use std::sync::Arc;

use bytes::Bytes;
use terrace_core::{
    BlockChecksums, Commit, Committed, ErrorKind, Lookup, MAX_TAGS, Tier, Timestamp,
};

use super::AnyTier;
use super::support::{check_hit, check_miss, hit, miss, store};
use crate::sample::{FAR_AHEAD, LONG_AGO, Object, body, key, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        an_absent_key_is_a_miss,
        p1_a_hit_is_what_was_written,
        p1_bodies_around_every_block_size,
        a_commit_under_the_fence_of_a_miss_is_visible,
        a_commit_under_a_fence_without_lookup_is_visible,
        a_commit_under_the_fence_of_a_hit_replaces,
        two_fills_at_once_leave_one_of_them_whole,
        two_fills_interleaved_do_not_mix,
        keys_and_variants_are_distinct,
        empty_pieces_are_nothing,
        pieces_of_one_byte,
        an_unannounced_length_is_fine,
        metadata_of_every_kind_survives,
        a_stale_object_is_a_hit,
        p5_invisible_before_commit,
        p5_a_dropped_fill_is_invisible,
        p5_a_dropped_fill_leaves_the_old_object,
        p2_a_commit_of_other_bytes_is_invalid_and_invisible,
        p2_a_commit_of_another_length_is_invalid_and_invisible,
        p2_a_refused_commit_leaves_the_old_object,
    ]
}

async fn an_absent_key_is_a_miss(tier: AnyTier) -> Outcome {
    check_miss(&*tier, &key(1)).await?;
    check_miss(&*tier, &key(1)).await
}

async fn p1_a_hit_is_what_was_written(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([0, 1, 100, 65_536, (1 << 20) + 1]) {
        let object = Object::new(len, n);
        store(&*tier, &key(n), &object).await?;
        check_hit(&*tier, &key(n), &object).await?;
        check_hit(&*tier, &key(n), &object).await?;
    }
    Ok(())
}

async fn p1_bodies_around_every_block_size(tier: AnyTier) -> Outcome {
    for (n, power) in (0..).zip(10..19) {
        for (m, len) in (0..).zip([(1 << power) - 1, 1 << power, (1 << power) + 1]) {
            let object = Object::new(len, n * 10 + m);
            store(&*tier, &key(n), &object).await?;
            check_hit(&*tier, &key(n), &object).await?;
        }
    }
    Ok(())
}

async fn a_commit_under_the_fence_of_a_miss_is_visible(tier: AnyTier) -> Outcome {
    let fence = miss(&*tier, &key(1)).await?;
    let object = Object::new(1000, 1);
    let committed = object.store_under(&*tier, &key(1), fence).await?;
    check_eq!(committed, Committed::Published, "nothing came in between");
    check_hit(&*tier, &key(1), &object).await
}

async fn a_commit_under_a_fence_without_lookup_is_visible(tier: AnyTier) -> Outcome {
    for n in 0..3 {
        let fence = tier.fence(&key(1)).await?;
        let object = Object::new(1000, n);
        let committed = object.store_under(&*tier, &key(1), fence).await?;
        check_eq!(committed, Committed::Published, "nothing came in between");
        check_hit(&*tier, &key(1), &object).await?;
    }
    Ok(())
}

async fn a_commit_under_the_fence_of_a_hit_replaces(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([1000, 0, 300, 70_000, 5]) {
        let object = Object::new(len, n);
        store(&*tier, &key(1), &object).await?;
        let fence = hit(&*tier, &key(1)).await?.fence;
        let next = Object::new(500, 100 + n);
        let committed = next.store_under(&*tier, &key(1), fence).await?;
        check_eq!(committed, Committed::Published, "nothing came in between");
        check_hit(&*tier, &key(1), &next).await?;
    }
    Ok(())
}

async fn two_fills_at_once_leave_one_of_them_whole(tier: AnyTier) -> Outcome {
    let (one, two) = (Object::new(70_000, 1), Object::new(50_000, 2));
    let (first, second) = (tier.fence(&key(1)).await?, tier.fence(&key(1)).await?);
    let committed = one.store_under(&*tier, &key(1), first).await?;
    check_eq!(committed, Committed::Published, "the first one");
    check_hit(&*tier, &key(1), &one).await?;
    // A tier may let the second win or fence it; what is visible follows.
    match two.store_under(&*tier, &key(1), second).await? {
        Committed::Published => check_hit(&*tier, &key(1), &two).await,
        Committed::Fenced => check_hit(&*tier, &key(1), &one).await,
    }
}

async fn two_fills_interleaved_do_not_mix(tier: AnyTier) -> Outcome {
    let objects = [Object::new(90_000, 1), Object::new(90_000, 2)];
    let mut fills = Vec::new();
    for object in &objects {
        let fence = tier.fence(&key(1)).await?;
        fills.push(tier.admit(&key(1), object.entry.clone(), fence).await?);
    }
    for piece in [0..30_000, 30_000..60_000, 60_000..90_000] {
        for (fill, object) in fills.iter_mut().zip(&objects) {
            fill.write(object.body.slice(piece.clone())).await?;
        }
    }
    let mut visible = None;
    for (fill, object) in fills.into_iter().zip(&objects) {
        if fill.commit(object.commit()).await? == Committed::Published {
            visible = Some(object);
        }
        let visible = visible.ok_or("the first one is published")?;
        check_hit(&*tier, &key(1), visible).await?;
    }
    Ok(())
}

async fn keys_and_variants_are_distinct(tier: AnyTier) -> Outcome {
    let keys = [key(1), variant(key(1), 1), variant(key(1), 2), key(2)];
    for (n, stored) in (0..).zip(keys) {
        store(&*tier, &stored, &Object::new(100, n)).await?;
        for (m, other) in (0..).zip(keys) {
            if m <= n {
                check_hit(&*tier, &other, &Object::new(100, m)).await?;
            } else {
                check_miss(&*tier, &other).await?;
            }
        }
    }
    Ok(())
}

async fn empty_pieces_are_nothing(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([0, 100_000]) {
        let object = Object::new(len, n);
        let fence = miss(&*tier, &key(n)).await?;
        let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
        for half in [object.body.slice(..len / 2), object.body.slice(len / 2..)] {
            fill.write(Bytes::new()).await?;
            fill.write(half).await?;
            fill.write(Bytes::new()).await?;
        }
        let committed = fill.commit(object.commit()).await?;
        check_eq!(committed, Committed::Published, "commit");
        check_hit(&*tier, &key(n), &object).await?;
    }
    Ok(())
}

async fn pieces_of_one_byte(tier: AnyTier) -> Outcome {
    let object = Object::new(2000, 1);
    let fence = miss(&*tier, &key(1)).await?;
    let mut fill = tier.admit(&key(1), object.entry.clone(), fence).await?;
    for at in 0..object.body.len() {
        fill.write(object.body.slice(at..=at)).await?;
    }
    let committed = fill.commit(object.commit()).await?;
    check_eq!(committed, Committed::Published, "commit");
    check_hit(&*tier, &key(1), &object).await
}

async fn an_unannounced_length_is_fine(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([0, 100, 100_000]) {
        let mut object = Object::new(len, n);
        object.entry.len = None;
        store(&*tier, &key(n), &object).await?;
        check_hit(&*tier, &key(n), &object).await?;
    }
    Ok(())
}

async fn metadata_of_every_kind_survives(tier: AnyTier) -> Outcome {
    let plain = Object::new(100, 1);
    let mut empty = plain.clone();
    empty.entry.meta = terrace_core::Meta::new(Timestamp::EPOCH, FAR_AHEAD);
    let mut large = plain.clone();
    large.entry.meta.internal = (0..=255).collect();
    large.entry.meta.header = body(30_000, 7);
    let mut tagged = plain.clone();
    tagged.entry.meta.tags = (0..MAX_TAGS).map(|n| format!("{n:0>256}").into()).collect();
    let mut eternal = plain.clone();
    eternal.entry.meta.fresh_until = Timestamp::MAX;
    eternal.entry.meta.stale_until = Timestamp::MAX;
    for object in [plain, empty, large, tagged, eternal] {
        store(&*tier, &key(1), &object).await?;
        check_hit(&*tier, &key(1), &object).await?;
        tier.purge(&terrace_core::Target::Key(key(1))).await?;
    }
    Ok(())
}

async fn a_stale_object_is_a_hit(tier: AnyTier) -> Outcome {
    let mut object = Object::new(100, 1);
    object.entry.meta.fresh_until = LONG_AGO;
    store(&*tier, &key(1), &object).await?;
    check_hit(&*tier, &key(1), &object).await?;
    let found = hit(&*tier, &key(1)).await?;
    check!(
        !found.is_fresh(Timestamp::from_millis(2)),
        "and says that it is stale"
    );
    Ok(())
}

async fn p5_invisible_before_commit(tier: AnyTier) -> Outcome {
    let object = Object::new(300_000, 1);
    let fence = miss(&*tier, &key(1)).await?;
    let mut fill = tier.admit(&key(1), object.entry.clone(), fence).await?;
    check_miss(&*tier, &key(1)).await?;
    for piece in [0..100_000, 100_000..300_000] {
        fill.write(object.body.slice(piece)).await?;
        check_miss(&*tier, &key(1)).await?;
    }
    let committed = fill.commit(object.commit()).await?;
    check_eq!(committed, Committed::Published, "commit");
    check_hit(&*tier, &key(1), &object).await
}

async fn p5_a_dropped_fill_is_invisible(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([0, 1, 300_000]) {
        let object = Object::new(len, n);
        let fence = miss(&*tier, &key(n)).await?;
        let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
        fill.write(object.body.clone()).await?;
        drop(fill);
        check_miss(&*tier, &key(n)).await?;
        let next = Object::new(200, 100 + n);
        store(&*tier, &key(n), &next).await?;
        check_hit(&*tier, &key(n), &next).await?;
    }
    Ok(())
}

async fn p5_a_dropped_fill_leaves_the_old_object(tier: AnyTier) -> Outcome {
    let (old, new) = (Object::new(100_000, 1), Object::new(100_000, 2));
    store(&*tier, &key(1), &old).await?;
    let fence = hit(&*tier, &key(1)).await?.fence;
    let mut fill = tier.admit(&key(1), new.entry.clone(), fence).await?;
    check_hit(&*tier, &key(1), &old).await?;
    fill.write(new.body.clone()).await?;
    check_hit(&*tier, &key(1), &old).await?;
    drop(fill);
    check_hit(&*tier, &key(1), &old).await
}

async fn p2_a_commit_of_other_bytes_is_invalid_and_invisible(tier: AnyTier) -> Outcome {
    for (n, len) in (0..).zip([1, 100, 100_000]) {
        let object = Object::new(len, n);
        let mut other = object.body.to_vec();
        other[len / 2] ^= 1;
        let fence = miss(&*tier, &key(n)).await?;
        let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
        fill.write(other.into()).await?;
        let refused = fill.commit(object.commit()).await.map_err(|e| e.kind());
        check_eq!(refused, Err(ErrorKind::Invalid), "one bit differs");
        check_miss(&*tier, &key(n)).await?;
    }
    Ok(())
}

async fn p2_a_commit_of_another_length_is_invalid_and_invisible(tier: AnyTier) -> Outcome {
    for (n, written) in (0..).zip([0, 1, 99_999, 100_001]) {
        let object = Object::new(100_000, n);
        let fence = miss(&*tier, &key(n)).await?;
        let mut fill = tier.admit(&key(n), object.entry.clone(), fence).await?;
        // More than was announced may be refused by the write already.
        let ended = match fill.write(body(written, n)).await {
            Ok(()) => fill.commit(object.commit()).await,
            Err(refused) => Err(refused),
        };
        let refused = ended.map_err(|e| e.kind());
        check_eq!(
            refused,
            Err(ErrorKind::Invalid),
            "{written} of 100000 bytes"
        );
        check_miss(&*tier, &key(n)).await?;
    }
    Ok(())
}

async fn p2_a_refused_commit_leaves_the_old_object(tier: AnyTier) -> Outcome {
    let (old, new) = (Object::new(1000, 1), Object::new(1000, 2));
    store(&*tier, &key(1), &old).await?;
    let fence = hit(&*tier, &key(1)).await?.fence;
    let mut fill = tier.admit(&key(1), new.entry.clone(), fence).await?;
    fill.write(new.body.clone()).await?;
    let commit = Commit {
        checksums: Arc::new(BlockChecksums::of(b"something else")),
    };
    let refused = fill.commit(commit).await.map_err(|e| e.kind());
    check_eq!(refused, Err(ErrorKind::Invalid), "other bytes");
    check_hit(&*tier, &key(1), &old).await?;
    let fence = match tier.lookup(&key(1)).await? {
        Lookup::Hit(hit) => hit.fence,
        Lookup::Miss(fence) => fence,
    };
    let committed = new.store_under(&*tier, &key(1), fence).await?;
    check_eq!(committed, Committed::Published, "the next attempt");
    check_hit(&*tier, &key(1), &new).await
}
