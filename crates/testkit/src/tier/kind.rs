//! What a tier says calling it costs.

use libtest_mimic::Failed;
use terrace_core::{Committed, Key, Lookup, Result, Target, Tier, TierKind, Timestamp};

use super::AnyTier;
use crate::cancel::drop_after;
use crate::sample::{Object, key, meta};
use crate::suite::{Case, Outcome, cases, check, check_eq};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![a_tier_that_says_it_is_memory_neither_waits_nor_fails]
}

/// Nobody puts a deadline on a tier that says so, nor counts its errors.
async fn a_tier_that_says_it_is_memory_neither_waits_nor_fails(tier: AnyTier) -> Outcome {
    let kind = tier.kind();
    for n in 0..50 {
        let (key, object) = (key(n % 5), Object::new(2_000, n));
        let target = Target::Key(key);
        if kind == TierKind::Memory {
            fill(&*tier, &key, &object).await?;
            read(&*tier, &key).await?;
            let updating = tier.update_meta(&key, object.generation(), meta(500));
            at_once("update_meta", updating).await?;
            let at = Timestamp::from_millis(7);
            at_once("expire", tier.expire(&target, at)).await?;
            at_once("purge", tier.purge(&target)).await?;
        }
        check_eq!(tier.kind(), kind, "its kind is constant");
    }
    Ok(())
}

async fn fill(tier: &dyn Tier, key: &Key, object: &Object) -> Outcome {
    let fence = at_once("fence", tier.fence(key)).await?;
    let admitting = tier.admit(key, object.entry.clone(), fence);
    let mut fill = at_once("admit", admitting).await?;
    at_once("write", fill.write(object.body.clone())).await?;
    let committed = at_once("commit", fill.commit(object.commit())).await?;
    check_eq!(committed, Committed::Published, "nobody came before it");
    Ok(())
}

async fn read(tier: &dyn Tier, key: &Key) -> Outcome {
    // What is memory may also have dropped it already.
    if let Lookup::Hit(mut hit) = at_once("lookup", tier.lookup(key)).await? {
        let mut read = 0;
        while let Some(piece) = at_once("read", hit.body.read()).await? {
            read += piece.len();
        }
        check!(read == 2_000, "{read} bytes of 2,000");
    }
    Ok(())
}

/// What `call` answers when it is polled once.
async fn at_once<T>(what: &str, call: impl Future<Output = Result<T>>) -> Result<T, Failed> {
    let answer = drop_after(1, call).await;
    let answer = answer.ok_or_else(|| Failed::from(format!("{what} waits")))?;
    answer.map_err(|error| Failed::from(format!("{what} fails: {error}")))
}
