use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use libtest_mimic::Failed;
use terrace_core::{Committed, ErrorKind, Fence, Key, Lookup, Target, Tier};

use super::AnyTier;
use super::support::{check_is, group, store};
use crate::sample::{Object, generation, key, meta, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

/// Fills at once.
const FILLS: u64 = 32;

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        p3_a_purge_racing_with_32_fills,
        p3_a_purge_of_all_variants_racing_with_32_fills,
        p3_an_expire_racing_with_32_fills,
        p3_a_purge_racing_with_update_meta,
        p1_readers_racing_with_replacements,
        p1_32_concurrent_fills_leave_one_whole_object,
        concurrent_purges_all_succeed,
    ]
}

/// The generation that `key` has, after a check that all of the hit belongs to it.
async fn whole(tier: &AnyTier, key: &Key, len: usize, seeds: u64) -> Result<Option<u64>, Failed> {
    let Lookup::Hit(found) = tier.lookup(key).await? else {
        return Ok(None);
    };
    let seed = (0..seeds)
        .find(|seed| generation(*seed) == found.generation)
        .ok_or_else(|| Failed::from(format!("nobody wrote {}", found.generation)))?;
    check_is(found, &Object::new(len, seed)).await?;
    Ok(Some(seed))
}

/// Fills under `fence`. A tier may say that it is contended instead of fencing.
async fn fill(tier: AnyTier, key: Key, object: Object, fence: Fence) -> Result<bool, Failed> {
    match object.store_under(&*tier, &key, fence).await {
        Ok(committed) => Ok(committed == Committed::Published),
        Err(e) if e.kind() == ErrorKind::Contended => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Waits a little, in each round more: so that a purge meets fills at every one of their steps.
async fn stagger(round: u64) {
    for _ in 0..round % 10 {
        tokio::task::yield_now().await;
    }
}

/// A purge, then lookups of `key`, none of which may see a generation whose fence is older.
async fn purge_then_look(
    tier: AnyTier,
    round: u64,
    target: Target,
    keys: Vec<Key>,
) -> Result<bool, Failed> {
    stagger(round).await;
    tier.purge(&target).await?;
    for _ in 0..20 {
        for key in &keys {
            if let Lookup::Hit(found) = tier.lookup(key).await? {
                let message = format!("{} came back after the purge", found.generation);
                return Err(Failed::from(message));
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(true)
}

async fn race(tier: &AnyTier, round: u64, keys: Vec<Key>, target: Target) -> Outcome {
    let mut tasks = Vec::new();
    for (n, key) in (0..FILLS).zip(keys.iter().cycle()) {
        let fence = tier.fence(key).await?;
        let object = Object::new(3000, round * FILLS + n);
        tasks.push(fill(Arc::clone(tier), *key, object, fence).boxed());
    }
    // In the middle, so that some fills start before it and some after.
    let purge = purge_then_look(Arc::clone(tier), round, target, keys.clone()).boxed();
    tasks.insert(tasks.len() / 2, purge);
    together(tasks).await?;
    for key in &keys {
        let left = tier.lookup(key).await?;
        check!(
            matches!(left, Lookup::Miss(_)),
            "all fences were older than the purge, yet {left:?} is left"
        );
    }
    Ok(())
}

async fn p3_a_purge_racing_with_32_fills(tier: AnyTier) -> Outcome {
    for round in 0..60 {
        // Half of the rounds purge what is there, half what is not.
        if round % 2 == 0 {
            store(&*tier, &key(round), &Object::new(100, 100_000 + round)).await?;
        }
        race(&tier, round, vec![key(round)], Target::Key(key(round))).await?;
    }
    Ok(())
}

async fn p3_a_purge_of_all_variants_racing_with_32_fills(tier: AnyTier) -> Outcome {
    for round in 0..40 {
        let primary = key(round);
        let keys = (0..8).map(|n| variant(primary, n)).chain([primary]);
        let keys: Vec<_> = keys.collect();
        if round % 2 == 0 {
            store(&*tier, &keys[0], &Object::new(100, 100_000 + round)).await?;
        }
        race(&tier, round, keys, group(round)).await?;
    }
    Ok(())
}

async fn p3_an_expire_racing_with_32_fills(tier: AnyTier) -> Outcome {
    for round in 0..40 {
        let at = terrace_core::Timestamp::from_millis(7);
        let mut tasks = Vec::new();
        for n in 0..FILLS {
            let fence = tier.fence(&key(round)).await?;
            let object = Object::new(3000, round * FILLS + n);
            tasks.push(fill(Arc::clone(&tier), key(round), object, fence).boxed());
        }
        let expire = {
            let tier = Arc::clone(&tier);
            async move {
                stagger(round).await;
                tier.expire(&Target::Key(key(round)), at).await?;
                Ok(true)
            }
        };
        tasks.insert(tasks.len() / 2, expire.boxed());
        together(tasks).await?;
        if let Lookup::Hit(left) = tier.lookup(&key(round)).await? {
            let message = "what was admitted before the expire is stale";
            check_eq!(left.expired_at, Some(at), "{message}");
        }
    }
    Ok(())
}

async fn p3_a_purge_racing_with_update_meta(tier: AnyTier) -> Outcome {
    for round in 0..60 {
        store(&*tier, &key(round), &Object::new(3000, round)).await?;
        let updates = (0..8).map(|n| {
            let tier = Arc::clone(&tier);
            let update = async move {
                let key = key(round);
                match tier.update_meta(&key, generation(round), meta(n)).await {
                    Err(e) if e.kind() != ErrorKind::Contended => Err(e.into()),
                    _ => Ok(true),
                }
            };
            update.boxed()
        });
        let mut tasks: Vec<_> = updates.collect();
        let target = Target::Key(key(round));
        let purge = purge_then_look(Arc::clone(&tier), round, target, vec![key(round)]);
        tasks.insert(4, purge.boxed());
        together(tasks).await?;
        let left = tier.lookup(&key(round)).await?;
        check!(
            matches!(left, Lookup::Miss(_)),
            "{left:?} came back after the purge"
        );
    }
    Ok(())
}

async fn p1_readers_racing_with_replacements(tier: AnyTier) -> Outcome {
    const LEN: usize = 20_000;
    const SEEDS: u64 = 100;
    store(&*tier, &key(1), &Object::new(LEN, 0)).await?;
    let done = Arc::new(AtomicBool::new(false));
    let readers = (0..4).map(|_| {
        let (tier, done) = (Arc::clone(&tier), Arc::clone(&done));
        async move {
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                // The body may vanish under a reader, so an error is fine; other bytes are not.
                match tier.lookup(&key(1)).await? {
                    Lookup::Hit(mut found) => {
                        let seed = (0..SEEDS).find(|seed| generation(*seed) == found.generation);
                        let seed = seed.ok_or("nobody wrote this generation")?;
                        check!(seed >= last, "fill {seed} was seen after fill {last}");
                        last = seed;
                        let object = Object::new(LEN, seed);
                        check_eq!(found.meta, object.entry.meta, "metadata of fill {seed}");
                        if let Ok(bytes) = found.body.read_all().await {
                            check!(bytes == object.body, "the body of fill {seed}");
                        }
                    }
                    Lookup::Miss(_) => return Err("a replacement leaves no gap".into()),
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        .boxed()
    });
    let writer = {
        let (tier, done) = (Arc::clone(&tier), Arc::clone(&done));
        async move {
            let mut outcome = Ok(());
            for seed in 1..SEEDS {
                outcome = store(&*tier, &key(1), &Object::new(LEN, seed)).await;
                if outcome.is_err() {
                    break;
                }
            }
            done.store(true, Ordering::Release);
            outcome
        }
    };
    together(readers.chain([writer.boxed()])).await.map(drop)
}

async fn p1_32_concurrent_fills_leave_one_whole_object(tier: AnyTier) -> Outcome {
    for round in 0..20 {
        let mut tasks = Vec::new();
        for n in 0..FILLS {
            let fence = tier.fence(&key(round)).await?;
            tasks.push(fill(
                Arc::clone(&tier),
                key(round),
                Object::new(3000, n),
                fence,
            ));
        }
        let published = together(tasks).await?;
        check!(
            published.contains(&true),
            "no purge came in between: at least one fill is published"
        );
        let left = whole(&tier, &key(round), 3000, FILLS).await?;
        let left = left.and_then(|seed| usize::try_from(seed).ok());
        check!(
            left.is_some_and(|seed| published[seed]),
            "what is visible is one that was published, not {left:?}"
        );
    }
    Ok(())
}

async fn concurrent_purges_all_succeed(tier: AnyTier) -> Outcome {
    for round in 0..20 {
        store(&*tier, &key(round), &Object::new(100, round)).await?;
        let purges = (0..8).map(|n| {
            let tier = Arc::clone(&tier);
            async move {
                let target = match n % 2 {
                    0 => Target::Key(key(round)),
                    _ => group(round),
                };
                Ok(tier.purge(&target).await?)
            }
        });
        let outcomes = together(purges).await?;
        let mut found: Vec<_> = outcomes
            .iter()
            .filter_map(terrace_core::PurgeOutcome::generation)
            .collect();
        // A stack of tiers may find it at one level for one purge, and at another for the next.
        found.dedup();
        check_eq!(found, vec![generation(round)], "what they found");
        let left = tier.lookup(&key(round)).await?;
        check!(
            matches!(left, Lookup::Miss(_)),
            "{left:?} is left after eight purges"
        );
    }
    Ok(())
}
