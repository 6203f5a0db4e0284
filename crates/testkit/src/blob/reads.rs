use futures::StreamExt;
use terrace_core::{BlobName, BlobStore, ErrorKind};

use super::Blobs;
use super::support::{check_absent, check_present, get, put, refusal};
use crate::cancel::{MAX_POLLS, drop_after};
use crate::sample::{blob_name, body, generation, key, variant};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

pub(super) fn cases() -> Vec<Case<dyn BlobStore>> {
    cases![
        an_absent_blob_is_not_found,
        ranges_at_every_place,
        ranges_of_one_byte_around_every_power_of_two,
        a_range_that_leaves_the_blob_is_invalid,
        a_reversed_range_is_invalid,
        empty_ranges_are_empty,
        ranges_of_an_empty_blob,
        p1_concurrent_readers_see_the_same_bytes,
        p1_a_reader_of_a_deleted_blob_never_gets_other_bytes,
        a_reader_dropped_early_does_no_harm,
        ranges_read_in_turns,
        blobs_of_one_generation_are_distinct,
        a_get_dropped_at_each_poll_does_no_harm,
        a_read_dropped_at_each_poll_does_no_harm,
        a_head_dropped_at_each_poll_does_no_harm,
    ]
}

async fn an_absent_blob_is_not_found(store: Blobs) -> Outcome {
    check_absent(&store, &blob_name(1, 1)).await?;
    put(&store, &blob_name(1, 2), &body(100, 2), 100).await?;
    check_absent(&store, &blob_name(1, 1)).await
}

async fn ranges_at_every_place(store: Blobs) -> Outcome {
    const LEN: usize = 200_003;
    let (name, body) = (blob_name(1, 1), body(LEN, 1));
    put(&store, &name, &body, 65_536).await?;
    let places = [
        0,
        1,
        2,
        4095,
        4096,
        65_535,
        65_536,
        65_537,
        131_072,
        LEN - 1,
        LEN,
    ];
    for start in places {
        for end in places.into_iter().filter(|end| *end >= start) {
            let read = get(&store, &name, start as u64..end as u64).await?;
            check!(read == body[start..end], "bytes {start}..{end} of {LEN}");
        }
    }
    Ok(())
}

async fn ranges_of_one_byte_around_every_power_of_two(store: Blobs) -> Outcome {
    const LEN: usize = 1 << 20;
    let (name, body) = (blob_name(1, 1), body(LEN, 1));
    put(&store, &name, &body, LEN).await?;
    for at in (0..20).flat_map(|n| [(1_usize << n) - 1, 1 << n]) {
        let read = get(&store, &name, at as u64..at as u64 + 1).await?;
        check!(read == body[at..=at], "the byte at {at}");
    }
    Ok(())
}

async fn a_range_that_leaves_the_blob_is_invalid(store: Blobs) -> Outcome {
    const LEN: u64 = 1000;
    let name = blob_name(1, 1);
    put(&store, &name, &body(1000, 1), 1000).await?;
    for range in [
        0..LEN + 1,
        LEN - 1..LEN + 1,
        LEN..LEN + 1,
        LEN + 1..LEN + 1,
        LEN + 1..LEN + 2,
        0..u64::MAX,
    ] {
        let kind = refusal(&store, &name, range.clone()).await;
        check_eq!(kind, Some(ErrorKind::Invalid), "{range:?} of {LEN} bytes");
    }
    Ok(())
}

async fn a_reversed_range_is_invalid(store: Blobs) -> Outcome {
    let name = blob_name(1, 1);
    put(&store, &name, &body(1000, 1), 1000).await?;
    #[expect(clippy::reversed_empty_ranges, reason = "this is the point")]
    let reversed = 10..9;
    let kind = refusal(&store, &name, reversed).await;
    check_eq!(kind, Some(ErrorKind::Invalid), "10..9");
    Ok(())
}

async fn empty_ranges_are_empty(store: Blobs) -> Outcome {
    let name = blob_name(1, 1);
    put(&store, &name, &body(1000, 1), 1000).await?;
    for at in [0, 1, 500, 999, 1000] {
        check_eq!(
            get(&store, &name, at..at).await?.len(),
            0,
            "bytes {at}..{at}"
        );
    }
    Ok(())
}

async fn ranges_of_an_empty_blob(store: Blobs) -> Outcome {
    let name = blob_name(1, 1);
    put(&store, &name, &body(0, 1), 1).await?;
    check_eq!(get(&store, &name, 0..0).await?.len(), 0, "bytes 0..0");
    let kind = refusal(&store, &name, 0..1).await;
    check_eq!(kind, Some(ErrorKind::Invalid), "0..1 of nothing");
    Ok(())
}

async fn p1_concurrent_readers_see_the_same_bytes(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(500_000, 1));
    put(&store, &name, &body, 99_999).await?;
    let readers = (0..16).map(|n| {
        let (store, start) = (store.clone(), n * 10_000);
        let expected = body.slice(start..);
        async move {
            let read = get(&store, &name, start as u64..500_000).await?;
            check!(read == expected, "bytes from {start} on");
            Ok(())
        }
    });
    together(readers).await.map(drop)
}

async fn p1_a_reader_of_a_deleted_blob_never_gets_other_bytes(store: Blobs) -> Outcome {
    for round in 0..8 {
        let (name, content) = (blob_name(round, 1), body(2_000_000, round));
        put(&store, &name, &content, 1 << 20).await?;
        let mut reader = store.get(&name, 0..2_000_000).await?;
        let mut at = 0;
        if round % 2 == 0 {
            let first = reader.next().await.ok_or("the first piece")??;
            check!(content.starts_with(&first), "the first bytes");
            at = first.len();
        }
        store.delete(&name).await?;
        // Another blob may take over its space.
        put(
            &store,
            &blob_name(round, 2),
            &body(2_000_000, 900 + round),
            1 << 20,
        )
        .await?;
        while let Some(piece) = reader.next().await {
            let Ok(piece) = piece else {
                at = content.len();
                break;
            };
            let end = at + piece.len();
            check!(end <= content.len(), "more bytes than it had");
            check!(
                content[at..end] == piece,
                "bytes {at}..{end} are of another blob"
            );
            at = end;
        }
        check_eq!(
            at,
            content.len(),
            "a clean end comes after the last byte only"
        );
    }
    Ok(())
}

async fn a_reader_dropped_early_does_no_harm(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(3_000_000, 1));
    put(&store, &name, &body, 1 << 20).await?;
    for _ in 0..100 {
        drop(store.get(&name, 0..3_000_000).await?);
        let mut reader = store.get(&name, 5..3_000_000).await?;
        check!(reader.next().await.is_some(), "a first piece");
        drop(reader);
    }
    check_present(&store, &name, &body).await
}

async fn ranges_read_in_turns(store: Blobs) -> Outcome {
    const LEN: usize = 1_000_000;
    let (name, body) = (blob_name(1, 1), body(LEN, 1));
    put(&store, &name, &body, LEN).await?;
    let mut readers = Vec::new();
    for start in [0, 1, 250_000, 999_999] {
        let read = store.get(&name, start as u64..LEN as u64).await?;
        readers.push((start, read));
    }
    while !readers.is_empty() {
        let mut left = Vec::new();
        for (at, mut read) in readers {
            match read.next().await.transpose()? {
                Some(piece) => {
                    let end = at + piece.len();
                    check!(body.get(at..end) == Some(&piece[..]), "bytes {at}..{end}");
                    left.push((end, read));
                }
                None => check_eq!(at, LEN, "where a reader ends"),
            }
        }
        readers = left;
    }
    Ok(())
}

async fn blobs_of_one_generation_are_distinct(store: Blobs) -> Outcome {
    // A generation is unique per key only.
    let keys = [key(1), variant(key(1), 1), variant(key(1), 2), key(2)];
    let names = keys.map(|key| BlobName {
        key,
        generation: generation(7),
    });
    for (n, name) in (0..).zip(&names) {
        put(&store, name, &body(1000, n), 1000).await?;
    }
    for (n, name) in (0..).zip(&names) {
        check_present(&store, name, &body(1000, n)).await?;
    }
    store.delete(&names[0]).await?;
    check_absent(&store, &names[0]).await?;
    check_present(&store, &names[1], &body(1000, 1)).await
}

async fn a_get_dropped_at_each_poll_does_no_harm(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(300_000, 1));
    put(&store, &name, &body, 300_000).await?;
    for polls in 0..MAX_POLLS {
        let ended = drop_after(polls, store.get(&name, 0..300_000)).await;
        check_present(&store, &name, &body).await?;
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

async fn a_read_dropped_at_each_poll_does_no_harm(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(1_000_000, 1));
    put(&store, &name, &body, 300_000).await?;
    for polls in 0..MAX_POLLS {
        let ended = drop_after(polls, get(&store, &name, 7..1_000_000)).await;
        check_present(&store, &name, &body).await?;
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

async fn a_head_dropped_at_each_poll_does_no_harm(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(1000, 1));
    put(&store, &name, &body, 1000).await?;
    for polls in 0..MAX_POLLS {
        let ended = drop_after(polls, store.head(&name)).await;
        check_present(&store, &name, &body).await?;
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}
