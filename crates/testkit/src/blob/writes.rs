use bytes::Bytes;
use terrace_core::BlobStore;

use super::Blobs;
use super::support::{check_absent, check_present, list, put, whole_or_absent};
use crate::cancel::{MAX_POLLS, drop_after};
use crate::sample::{blob_name, body};
use crate::suite::{Case, Outcome, cases, check, check_eq, together};

pub(super) fn cases() -> Vec<Case<dyn BlobStore>> {
    cases![
        put_then_get_is_identical,
        an_empty_blob,
        a_blob_of_one_byte,
        several_mib_in_pieces_of_odd_sizes,
        one_large_piece,
        empty_pieces_are_nothing,
        p5_invisible_until_finish,
        p5_a_dropped_writer_leaves_nothing,
        p5_a_writer_dropped_after_megabytes_leaves_nothing,
        p5_many_dropped_writers_leave_the_store_usable,
        pieces_of_one_byte,
        concurrent_writers_do_not_mix,
        concurrent_deletes_of_one_blob_succeed,
        delete_removes,
        delete_of_an_absent_blob_succeeds,
        delete_leaves_other_generations,
        a_put_dropped_at_each_poll_leaves_nothing,
        a_write_dropped_at_each_poll_leaves_nothing,
        p1_a_finish_dropped_at_each_poll_is_whole_or_nothing,
        a_delete_dropped_at_each_poll_is_whole_or_nothing,
    ]
}

async fn put_then_get_is_identical(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(10_000, 1));
    put(&store, &name, &body, 10_000).await?;
    check_present(&store, &name, &body).await
}

async fn an_empty_blob(store: Blobs) -> Outcome {
    let name = blob_name(1, 1);
    put(&store, &name, &Bytes::new(), 1).await?;
    check_present(&store, &name, &Bytes::new()).await
}

async fn a_blob_of_one_byte(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(1, 1));
    put(&store, &name, &body, 1).await?;
    check_present(&store, &name, &body).await
}

async fn several_mib_in_pieces_of_odd_sizes(store: Blobs) -> Outcome {
    // Over the part sizes of multipart uploads, which begin at 5 MiB.
    const LEN: usize = 11 * 1024 * 1024 + 7;
    for (n, piece) in [(1, 333_333), (2, 5 * 1024 * 1024), (3, 6_000_001)] {
        let (name, body) = (blob_name(n, n), body(LEN, n));
        put(&store, &name, &body, piece).await?;
        check_present(&store, &name, &body).await?;
    }
    Ok(())
}

async fn one_large_piece(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(12 * 1024 * 1024, 1));
    put(&store, &name, &body, body.len()).await?;
    check_present(&store, &name, &body).await
}

async fn empty_pieces_are_nothing(store: Blobs) -> Outcome {
    let (name, content) = (blob_name(1, 1), body(100, 1));
    let mut writer = store.put(&name).await?;
    for half in [content.slice(..50), content.slice(50..)] {
        writer.write(Bytes::new()).await?;
        writer.write(half).await?;
        writer.write(Bytes::new()).await?;
    }
    writer.finish().await?;
    check_present(&store, &name, &content).await
}

async fn p5_invisible_until_finish(store: Blobs) -> Outcome {
    let (name, content) = (blob_name(1, 1), body(12_000_000, 1));
    let mut writer = store.put(&name).await?;
    check_absent(&store, &name).await?;
    for n in 0..4 {
        writer
            .write(content.slice(n * 3_000_000..(n + 1) * 3_000_000))
            .await?;
        check_absent(&store, &name).await?;
    }
    writer.finish().await?;
    check_present(&store, &name, &content).await
}

async fn p5_a_dropped_writer_leaves_nothing(store: Blobs) -> Outcome {
    for (n, len) in [(1, 0), (2, 1), (3, 100_000)] {
        let mut writer = store.put(&blob_name(n, n)).await?;
        writer.write(body(len, n)).await?;
        drop(writer);
        check_absent(&store, &blob_name(n, n)).await?;
    }
    check_eq!(list(&store).await?.len(), 0, "blobs listed");
    Ok(())
}

async fn p5_a_writer_dropped_after_megabytes_leaves_nothing(store: Blobs) -> Outcome {
    let (name, content) = (blob_name(1, 1), body(11_000_000, 1));
    let mut writer = store.put(&name).await?;
    writer.write(content.slice(..6_000_000)).await?;
    writer.write(content.slice(6_000_000..)).await?;
    drop(writer);
    check_absent(&store, &name).await?;
    // A fill of another generation is not in its way.
    put(&store, &blob_name(1, 2), &content, 1 << 20).await?;
    check_absent(&store, &name).await?;
    check_present(&store, &blob_name(1, 2), &content).await
}

async fn p5_many_dropped_writers_leave_the_store_usable(store: Blobs) -> Outcome {
    // More than any pool or permit count holds, all open at once and then one after the other.
    let mut writers = Vec::new();
    for n in 0..100 {
        let mut writer = store.put(&blob_name(n, n)).await?;
        writer.write(body(1000, n)).await?;
        writers.push(writer);
    }
    drop(writers);
    for n in 0..200 {
        let mut writer = store.put(&blob_name(n, 1000 + n)).await?;
        writer.write(body(1000, n)).await?;
    }
    check_eq!(list(&store).await?.len(), 0, "blobs listed");
    usable(&store).await
}

async fn pieces_of_one_byte(store: Blobs) -> Outcome {
    let (name, content) = (blob_name(1, 1), body(2000, 1));
    put(&store, &name, &content, 1).await?;
    check_present(&store, &name, &content).await
}

async fn concurrent_deletes_of_one_blob_succeed(store: Blobs) -> Outcome {
    for n in 0..20 {
        put(&store, &blob_name(n, n), &body(1000, n), 1000).await?;
        let deletes = (0..8).map(|_| {
            let store = store.clone();
            async move { Ok(store.delete(&blob_name(n, n)).await?) }
        });
        together(deletes).await?;
        check_absent(&store, &blob_name(n, n)).await?;
    }
    Ok(())
}

async fn concurrent_writers_do_not_mix(store: Blobs) -> Outcome {
    // Generations of four keys, of different lengths, and every third one given up.
    let blobs: Vec<_> = (0..24)
        .zip((50_000..).step_by(977))
        .map(|(n, len)| (n % 3 != 0, blob_name(n % 4, n), body(len, n)))
        .collect();
    let writers = blobs.clone().into_iter().map(|(finishes, name, body)| {
        let store = store.clone();
        async move {
            let mut writer = store.put(&name).await?;
            for piece in body.chunks(7_001) {
                writer.write(Bytes::copy_from_slice(piece)).await?;
                tokio::task::yield_now().await;
            }
            if finishes {
                writer.finish().await?;
            }
            Ok(())
        }
    });
    together(writers).await?;
    for (finished, name, body) in &blobs {
        if *finished {
            check_present(&store, name, body).await?;
        } else {
            check_absent(&store, name).await?;
        }
    }
    Ok(())
}

async fn delete_removes(store: Blobs) -> Outcome {
    let (name, body) = (blob_name(1, 1), body(10_000, 1));
    put(&store, &name, &body, 10_000).await?;
    store.delete(&name).await?;
    check_absent(&store, &name).await
}

async fn delete_of_an_absent_blob_succeeds(store: Blobs) -> Outcome {
    let name = blob_name(1, 1);
    store.delete(&name).await?;
    put(&store, &name, &body(10, 1), 10).await?;
    store.delete(&name).await?;
    store.delete(&name).await?;
    check_absent(&store, &name).await
}

async fn delete_leaves_other_generations(store: Blobs) -> Outcome {
    let (one, two) = (blob_name(1, 1), blob_name(1, 2));
    put(&store, &one, &body(100, 1), 100).await?;
    put(&store, &two, &body(100, 2), 100).await?;
    store.delete(&one).await?;
    check_absent(&store, &one).await?;
    check_present(&store, &two, &body(100, 2)).await
}

async fn a_put_dropped_at_each_poll_leaves_nothing(store: Blobs) -> Outcome {
    for polls in 0..MAX_POLLS {
        let name = blob_name(1, polls as u64);
        let ended = drop_after(polls, store.put(&name)).await.is_some();
        check_absent(&store, &name).await?;
        if ended {
            break;
        }
    }
    usable(&store).await
}

async fn a_write_dropped_at_each_poll_leaves_nothing(store: Blobs) -> Outcome {
    let content = body(6_000_000, 1);
    for polls in 0..MAX_POLLS {
        let name = blob_name(1, polls as u64);
        let mut writer = store.put(&name).await?;
        let ended = drop_after(polls, writer.write(content.clone()))
            .await
            .is_some();
        drop(writer);
        check_absent(&store, &name).await?;
        if ended {
            break;
        }
    }
    usable(&store).await
}

async fn p1_a_finish_dropped_at_each_poll_is_whole_or_nothing(store: Blobs) -> Outcome {
    let content = body(1_000_001, 1);
    for polls in 0..MAX_POLLS {
        let name = blob_name(1, polls as u64);
        let mut writer = store.put(&name).await?;
        writer.write(content.clone()).await?;
        let ended = drop_after(polls, writer.finish()).await.is_some();
        let visible = whole_or_absent(&store, &name, &content).await?;
        if ended {
            check!(visible, "finish was acknowledged");
            break;
        }
    }
    usable(&store).await
}

async fn a_delete_dropped_at_each_poll_is_whole_or_nothing(store: Blobs) -> Outcome {
    let content = body(300_000, 1);
    for polls in 0..MAX_POLLS {
        let name = blob_name(1, polls as u64);
        put(&store, &name, &content, 300_000).await?;
        let ended = drop_after(polls, store.delete(&name)).await.is_some();
        if ended {
            check_absent(&store, &name).await?;
            break;
        }
        // The delete may still be under way: only a repeat says for sure.
        store.delete(&name).await?;
        check_absent(&store, &name).await?;
    }
    usable(&store).await
}

async fn usable(store: &Blobs) -> Outcome {
    let (name, body) = (blob_name(77, 77), body(100_000, 77));
    put(store, &name, &body, 10_000).await?;
    check_present(store, &name, &body).await?;
    store.delete(&name).await?;
    check_absent(store, &name).await
}
