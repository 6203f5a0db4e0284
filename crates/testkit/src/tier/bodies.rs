use std::ops::Range;
use std::sync::Arc;

use libtest_mimic::Failed;
use terrace_core::{Body, ErrorKind, Target, Tier};

use super::AnyTier;
use super::support::{check_hit, check_is, hit, store};
use crate::sample::{Object, key};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

pub(super) fn cases() -> Vec<Case<dyn Tier>> {
    cases![
        ranges_forwards,
        ranges_backwards,
        ranges_of_every_kind_on_one_body,
        a_seek_in_the_middle_of_reading,
        a_seek_that_leaves_the_body_is_invalid_and_changes_nothing,
        ranges_of_an_empty_body,
        bodies_dropped_unread_do_no_harm,
        p1_concurrent_readers_see_the_same_bytes,
        p1_a_body_that_is_purged_under_its_reader,
        p1_a_body_that_is_replaced_under_its_reader,
        p1_a_range_of_a_body_that_is_replaced_under_its_reader,
    ]
}

const LEN: usize = 300_007;
/// Around the blocks of the checksums (16 KiB), and around what adapters read at once.
const PLACES: [u64; 10] = [
    0, 1, 16_383, 16_384, 16_385, 65_536, 131_071, 131_072, 300_006, 300_007,
];

fn all_ranges() -> impl DoubleEndedIterator<Item = Range<u64>> {
    PLACES.into_iter().flat_map(|start| {
        PLACES
            .into_iter()
            .filter(move |end| *end >= start)
            .map(move |end| start..end)
    })
}

/// The bytes of `range`; `None` if this body cannot seek, which some cannot.
async fn range(body: &mut Body, range: &Range<u64>) -> Result<Option<Vec<u8>>, Failed> {
    match body.seek(range.clone()) {
        Ok(()) => Ok(Some(body.read_all().await?.to_vec())),
        Err(e) if e.kind() == ErrorKind::Unsupported => Ok(None),
        Err(e) => Err(e.into()),
    }
}

async fn check_ranges(tier: AnyTier, ranges: impl Iterator<Item = Range<u64>>) -> Outcome {
    let object = Object::new(LEN, 1);
    store(&*tier, &key(1), &object).await?;
    let mut found = hit(&*tier, &key(1)).await?;
    for asked in ranges {
        let Some(bytes) = range(&mut found.body, &asked).await? else {
            return check_is(found, &object).await;
        };
        check!(bytes == slice(&object, &asked), "bytes {asked:?} of {LEN}");
    }
    Ok(())
}

fn slice<'a>(object: &'a Object, range: &Range<u64>) -> &'a [u8] {
    let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
    match (start, end) {
        (Ok(start), Ok(end)) => object.body.get(start..end).unwrap_or_default(),
        _ => &[],
    }
}

async fn ranges_forwards(tier: AnyTier) -> Outcome {
    let steps = PLACES.windows(2).map(|pair| pair[0]..pair[1]);
    check_ranges(tier, steps.collect::<Vec<_>>().into_iter()).await
}

async fn ranges_backwards(tier: AnyTier) -> Outcome {
    let steps = PLACES.windows(2).rev().map(|pair| pair[0]..pair[1]);
    check_ranges(tier, steps.collect::<Vec<_>>().into_iter()).await
}

async fn ranges_of_every_kind_on_one_body(tier: AnyTier) -> Outcome {
    check_ranges(tier, all_ranges().chain(all_ranges().rev())).await
}

async fn a_seek_in_the_middle_of_reading(tier: AnyTier) -> Outcome {
    let object = Object::new(LEN, 1);
    store(&*tier, &key(1), &object).await?;
    for asked in all_ranges() {
        let mut found = hit(&*tier, &key(1)).await?;
        let first = found.body.read().await?.ok_or("a first piece")?;
        check!(object.body.starts_with(&first), "the first bytes");
        let Some(bytes) = range(&mut found.body, &asked).await? else {
            let rest = found.body.read_all().await?;
            check!(
                rest == object.body[first.len()..],
                "the position is unchanged"
            );
            return Ok(());
        };
        check!(bytes == slice(&object, &asked), "bytes {asked:?} of {LEN}");
    }
    Ok(())
}

async fn a_seek_that_leaves_the_body_is_invalid_and_changes_nothing(tier: AnyTier) -> Outcome {
    let object = Object::new(LEN, 1);
    store(&*tier, &key(1), &object).await?;
    let mut found = hit(&*tier, &key(1)).await?;
    let can_seek = found.body.seek(100..200_000).is_ok();
    #[expect(clippy::reversed_empty_ranges, reason = "this is the point")]
    let bad = [0..300_008, 300_008..300_008, 300_007..u64::MAX, 5..4];
    for asked in bad {
        let refused = found.body.seek(asked.clone()).map_err(|e| e.kind());
        let expected = if can_seek {
            ErrorKind::Invalid
        } else {
            ErrorKind::Unsupported
        };
        check_eq!(refused, Err(expected), "seek to {asked:?} of {LEN} bytes");
    }
    let expected = if can_seek { 100..200_000 } else { 0..300_007 };
    let rest = found.body.read_all().await?;
    check!(
        rest == slice(&object, &expected),
        "the position is unchanged"
    );
    Ok(())
}

async fn ranges_of_an_empty_body(tier: AnyTier) -> Outcome {
    let object = Object::new(0, 1);
    store(&*tier, &key(1), &object).await?;
    let mut found = hit(&*tier, &key(1)).await?;
    if let Some(bytes) = range(&mut found.body, &(0..0)).await? {
        check_eq!(bytes.len(), 0, "bytes 0..0");
        check!(found.body.seek(0..1).is_err(), "0..1 leaves an empty body");
    }
    check_is(found, &object).await
}

async fn bodies_dropped_unread_do_no_harm(tier: AnyTier) -> Outcome {
    let object = Object::new(LEN, 1);
    store(&*tier, &key(1), &object).await?;
    for _ in 0..200 {
        drop(hit(&*tier, &key(1)).await?);
        let mut found = hit(&*tier, &key(1)).await?;
        check!(found.body.read().await?.is_some(), "a first piece");
    }
    check_hit(&*tier, &key(1), &object).await
}

async fn p1_concurrent_readers_see_the_same_bytes(tier: AnyTier) -> Outcome {
    let object = Object::new(LEN, 1);
    store(&*tier, &key(1), &object).await?;
    let readers = (0..32).map(|_| {
        let (tier, object) = (Arc::clone(&tier), object.clone());
        async move { check_hit(&*tier, &key(1), &object).await }
    });
    together(readers).await.map(drop)
}

/// Reads what is left; an error may end it, but neither other bytes nor an early end.
async fn right_or_error(mut body: Body, expected: &[u8]) -> Outcome {
    let mut at = 0;
    loop {
        match body.read().await {
            Err(_) => return Ok(()),
            Ok(None) => break,
            Ok(Some(piece)) => {
                let end = at + piece.len();
                check!(
                    expected.get(at..end) == Some(&piece[..]),
                    "bytes {at}..{end} are not of this generation"
                );
                at = end;
            }
        }
    }
    check_eq!(at, expected.len(), "bytes before a clean end");
    Ok(())
}

async fn p1_a_body_that_is_purged_under_its_reader(tier: AnyTier) -> Outcome {
    for round in 0..6 {
        let object = Object::new(LEN, round);
        store(&*tier, &key(1), &object).await?;
        let mut found = hit(&*tier, &key(1)).await?;
        let mut read = 0;
        if round % 2 == 0 {
            read = found.body.read().await?.ok_or("a first piece")?.len();
        }
        tier.purge(&Target::Key(key(1))).await?;
        right_or_error(found.body, &object.body[read..]).await?;
    }
    Ok(())
}

async fn p1_a_body_that_is_replaced_under_its_reader(tier: AnyTier) -> Outcome {
    for round in 0..6 {
        let (old, new) = (Object::new(LEN, round), Object::new(LEN, 100 + round));
        store(&*tier, &key(1), &old).await?;
        let mut found = hit(&*tier, &key(1)).await?;
        let mut read = 0;
        if round % 2 == 0 {
            read = found.body.read().await?.ok_or("a first piece")?.len();
        }
        store(&*tier, &key(1), &new).await?;
        right_or_error(found.body, &old.body[read..]).await?;
        check_hit(&*tier, &key(1), &new).await?;
    }
    Ok(())
}

async fn p1_a_range_of_a_body_that_is_replaced_under_its_reader(tier: AnyTier) -> Outcome {
    for round in 0..6 {
        let (old, new) = (
            Object::new(LEN, round),
            Object::new(LEN - 50_000, 100 + round),
        );
        store(&*tier, &key(1), &old).await?;
        let mut found = hit(&*tier, &key(1)).await?;
        let expected = match found.body.seek(200_000..290_000) {
            Ok(()) => &old.body[200_000..290_000],
            Err(_) => &old.body[..],
        };
        store(&*tier, &key(1), &new).await?;
        right_or_error(found.body, expected).await?;
    }
    Ok(())
}
