//! Readers of a response that is still on its way.

use std::task::Poll;

use pingora_cache::storage::{HitHandler, Storage};
use terrace_testkit::drop_after;

use crate::rig::{Rig, finish, page, read_all, span, url};

/// Asserts that the next read waits for the origin.
async fn assert_waits(handler: &mut HitHandler) {
    let mut read = Box::pin(handler.read_body());
    assert!(matches!(futures::poll!(read.as_mut()), Poll::Pending));
}

#[tokio::test]
async fn the_originator_reads_its_own_body_while_an_older_one_is_stored() {
    let rig = Rig::new();
    rig.store(&url("a"), b"old").await;
    let mut fill = rig.begin(&url("a"), &page(Some(6))).await;
    let mut own = rig.own_reader(&url("a"), &fill).await;
    fill.write_body((&b"new"[..]).into(), false).await.unwrap();
    assert_eq!(own.read_body().await.unwrap().unwrap(), "new");
    assert_waits(&mut own).await;
    fill.write_body((&b"er"[..]).into(), false).await.unwrap();
    fill.write_body((&b"!"[..]).into(), true).await.unwrap();
    fill.finish().await.unwrap();
    assert_eq!(read_all(&mut own).await.unwrap(), b"er!");
    finish(own, &rig, &url("a")).await;
}

#[tokio::test]
async fn of_two_fills_of_one_key_each_reads_its_own() {
    let rig = Rig::new();
    let mut fills = [
        rig.begin(&url("a"), &page(Some(3))).await,
        rig.begin(&url("a"), &page(Some(3))).await,
    ];
    let mut readers = [
        rig.own_reader(&url("a"), &fills[0]).await,
        rig.own_reader(&url("a"), &fills[1]).await,
    ];
    for (fill, body) in fills.iter_mut().zip([&b"one"[..], b"two"]) {
        fill.write_body(body.into(), true).await.unwrap();
    }
    for fill in fills {
        fill.finish().await.unwrap();
    }
    for (reader, body) in readers.iter_mut().zip([&b"one"[..], b"two"]) {
        assert_eq!(read_all(reader).await.unwrap(), body);
    }
}

#[tokio::test]
async fn who_waited_gets_the_body_in_progress_before_an_older_one() {
    let rig = Rig::new();
    rig.store(&url("a"), b"old").await;
    let mut fill = rig.begin(&url("a"), &page(None)).await;
    let (_, mut waiter) = rig.hit(&url("a")).await;
    assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), "filling");
    assert_eq!(waiter.entry_id(), fill.entry_id());
    fill.write_body((&b"new"[..]).into(), false).await.unwrap();
    fill.finish().await.unwrap();
    assert_eq!(read_all(&mut waiter).await.unwrap(), b"new");
}

#[tokio::test]
async fn a_reader_in_progress_waits_for_its_range_and_does_not_count() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(Some(10))).await;
    let mut readers = [
        rig.own_reader(&url("a"), &fill).await,
        rig.hit(&url("a")).await.1,
    ];
    for reader in &mut readers {
        assert!(!reader.should_count_access());
        assert!(reader.can_seek() && !reader.can_seek_multipart());
        assert!(reader.seek(10, None).is_err(), "past the end");
        reader.seek(3, Some(6)).unwrap();
        assert!(reader.seek(4, Some(6)).is_err(), "once");
    }
    fill.write_body((&b"01234"[..]).into(), false)
        .await
        .unwrap();
    for reader in &mut readers {
        assert_eq!(reader.read_body().await.unwrap().unwrap(), "34");
    }
    fill.write_body((&b"567"[..]).into(), false).await.unwrap();
    // The rest of the body may take its time.
    for reader in &mut readers {
        assert_eq!(read_all(reader).await.unwrap(), b"5");
    }
}

#[tokio::test]
async fn a_range_of_a_body_that_breaks_off_is_an_error_and_of_one_without_length_there_is_none() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(Some(10))).await;
    let mut reader = rig.hit(&url("a")).await.1;
    reader.seek(3, Some(6)).unwrap();
    fill.write_body((&b"01234"[..]).into(), false)
        .await
        .unwrap();
    drop(fill);
    read_all(&mut reader).await.expect_err("a byte is missing");
    let _fill = rig.begin(&url("b"), &page(None)).await;
    let mut reader = rig.hit(&url("b")).await.1;
    assert!(!reader.can_seek());
    assert!(reader.seek(0, Some(1)).is_err());
}

#[tokio::test]
async fn when_the_upstream_dies_readers_get_an_error_and_nothing_is_stored() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(Some(10))).await;
    let mut readers = [
        rig.own_reader(&url("a"), &fill).await,
        rig.hit(&url("a")).await.1,
    ];
    fill.write_body((&b"half"[..]).into(), false).await.unwrap();
    drop(fill);
    for reader in &mut readers {
        read_all(reader)
            .await
            .expect_err("half a body is not a body");
    }
    rig.drained().await;
    assert!(rig.lookup(&url("a")).await.is_none());
}

#[tokio::test]
async fn an_aborted_fill_leaves_the_older_object() {
    let rig = Rig::new();
    rig.store(&url("a"), b"old").await;
    let mut fill = rig.begin(&url("a"), &page(None)).await;
    fill.write_body((&b"new"[..]).into(), false).await.unwrap();
    drop(fill);
    rig.drained().await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"old");
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_not_stored() {
    let rig = Rig::new();
    for body in [&b"short"[..], b"much too long"] {
        let mut fill = rig.begin(&url("a"), &page(Some(10))).await;
        let mut reader = rig.own_reader(&url("a"), &fill).await;
        fill.write_body(body.into(), true).await.unwrap();
        fill.finish()
            .await
            .expect("an error would cut the client's response short");
        read_all(&mut reader)
            .await
            .expect_err("not what was announced");
        rig.drained().await;
        assert!(rig.lookup(&url("a")).await.is_none());
    }
}

#[tokio::test]
async fn a_reader_that_leaves_does_not_disturb_the_fill() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(None)).await;
    let own = rig.own_reader(&url("a"), &fill).await;
    fill.write_body((&b"bo"[..]).into(), false).await.unwrap();
    drop(own);
    fill.write_body((&b"dy"[..]).into(), false).await.unwrap();
    fill.finish().await.unwrap();
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"body");
}

#[tokio::test]
async fn writing_never_waits_for_a_reader() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(None)).await;
    // Pingora runs this reader in the writer's loop: it will not read while a write is pending.
    let mut own = rig.own_reader(&url("a"), &fill).await;
    let chunk = bytes::Bytes::from(vec![7; 64 * 1024]);
    for _ in 0..100 {
        fill.write_body(chunk.clone(), false).await.unwrap();
    }
    fill.finish().await.unwrap();
    assert_eq!(read_all(&mut own).await.unwrap().len(), 100 * 64 * 1024);
}

#[tokio::test]
async fn a_dropped_write_is_all_or_an_abort() {
    let rig = Rig::new();
    let mut polls = 0;
    loop {
        let mut fill = rig.begin(&url("a"), &page(None)).await;
        let mut reader = rig.own_reader(&url("a"), &fill).await;
        let written = drop_after(polls, fill.write_body((&b"all of it"[..]).into(), true)).await;
        fill.finish()
            .await
            .expect("an error would cut the client's response short");
        rig.drained().await;
        let read = read_all(&mut reader).await;
        let stored = rig.lookup(&url("a")).await;
        if written.is_some() {
            assert_eq!(read.unwrap(), b"all of it");
            assert_eq!(
                read_all(&mut stored.unwrap().1).await.unwrap(),
                b"all of it"
            );
            return;
        }
        // Never polled: nothing was begun, and an empty body was finished. Polled: torn.
        if polls > 0 {
            assert!(read.is_err() && stored.is_none(), "after {polls} polls");
        }
        rig.purge(&url("a")).await;
        polls += 1;
    }
}

#[tokio::test]
async fn a_dropped_finish_stores_all_or_nothing() {
    let rig = Rig::new();
    for polls in 0..8 {
        let mut fill = rig.begin(&url("a"), &page(None)).await;
        let mut reader = rig.own_reader(&url("a"), &fill).await;
        fill.write_body((&b"all of it"[..]).into(), true)
            .await
            .unwrap();
        let finished = drop_after(polls, fill.finish()).await.is_some();
        rig.drained().await;
        match (read_all(&mut reader).await, finished) {
            (Ok(read), _) => assert_eq!(read, b"all of it"),
            (Err(_), finished) => assert!(!finished),
        }
        match (rig.lookup(&url("a")).await, finished) {
            (Some((_, mut handler)), _) => {
                assert_eq!(read_all(&mut handler).await.unwrap(), b"all of it");
            }
            (None, finished) => assert!(!finished),
        }
        rig.purge(&url("a")).await;
    }
}

#[tokio::test]
async fn a_beginning_that_is_dropped_leaves_nothing_to_join() {
    let rig = Rig::new();
    for polls in 0.. {
        let meta = page(None);
        let key = url("a");
        let span = span();
        let begun = drop_after(polls, rig.storage.get_miss_handler(&key, &meta, &span)).await;
        let found = rig.lookup(&key).await;
        if begun.is_some() {
            assert!(found.is_some());
            assert!(polls > 1, "it never waited: this tests nothing");
            return;
        }
        assert!(found.is_none(), "after {polls} polls");
    }
}
