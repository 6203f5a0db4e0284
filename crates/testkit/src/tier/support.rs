use libtest_mimic::Failed;
use terrace_core::{Committed, ErrorKind, Fence, Hit, Key, Lookup, Target, Tier};

use crate::sample::{Object, key};
use crate::suite::{Outcome, check, check_eq};

/// The hit of `key`.
pub(super) async fn hit(tier: &dyn Tier, key: &Key) -> Result<Hit, Failed> {
    match tier.lookup(key).await? {
        Lookup::Hit(hit) => Ok(hit),
        Lookup::Miss(_) => Err(Failed::from("expected a hit, got a miss")),
    }
}

/// The fence of a miss of `key`.
pub(super) async fn miss(tier: &dyn Tier, key: &Key) -> Result<Fence, Failed> {
    match tier.lookup(key).await? {
        Lookup::Miss(fence) => Ok(fence),
        Lookup::Hit(hit) => Err(Failed::from(format!("expected a miss, got {hit:?}"))),
    }
}

/// All variants of the `n`-th primary key.
pub(super) fn group(n: u64) -> Target {
    Target::AllVariants(key(n).primary())
}

/// `key` is a miss.
pub(super) async fn check_miss(tier: &dyn Tier, key: &Key) -> Outcome {
    miss(tier, key).await.map(drop)
}

/// `key` is a hit of `object`, and every part of it is the object's (P1).
pub(super) async fn check_hit(tier: &dyn Tier, key: &Key, object: &Object) -> Outcome {
    let found = hit(tier, key).await?;
    check_is(found, object).await
}

/// `found` is `object` in every part (P1).
pub(super) async fn check_is(mut found: Hit, object: &Object) -> Outcome {
    check_eq!(found.generation, object.generation(), "generation");
    check_eq!(found.meta, object.entry.meta, "metadata");
    if let Some(checksums) = &found.checksums {
        check_eq!(**checksums, *object.commit().checksums, "checksums");
    }
    let body = found.body.read_all().await?;
    check!(
        body == object.body,
        "the {} bytes stored, got {} bytes",
        object.body.len(),
        body.len()
    );
    let after = found.body.read().await?;
    check!(after.is_none(), "the end stays the end");
    Ok(())
}

/// Stores `object` under a fence taken now, and it is published.
pub(super) async fn store(tier: &dyn Tier, key: &Key, object: &Object) -> Outcome {
    check_eq!(
        object.store(tier, key).await?,
        Committed::Published,
        "a commit nobody came before"
    );
    Ok(())
}

/// Tries to store `object` under a void fence, and it is fenced.
///
/// A tier may refuse the fill in `admit` already, as `Contended`: that publishes as little.
pub(super) async fn check_fenced(
    tier: &dyn Tier,
    key: &Key,
    object: &Object,
    fence: Fence,
) -> Outcome {
    match object.store_under(tier, key, fence).await {
        Ok(committed) => check_eq!(committed, Committed::Fenced, "a commit under a void fence"),
        Err(e) if e.kind() == ErrorKind::Contended => {}
        Err(e) => return Err(e.into()),
    }
    if let Lookup::Hit(hit) = tier.lookup(key).await? {
        check!(
            hit.generation != object.generation(),
            "what was fenced is visible"
        );
    }
    Ok(())
}
