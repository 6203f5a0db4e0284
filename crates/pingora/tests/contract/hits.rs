use terrace_testkit::drop_after;

use crate::rig::{Rig, finish, page, page_with, read_all, url};

/// More than one piece of the durable tier's, and more than one checksum block.
static LARGE: [u8; 50_000] = {
    let mut body = [0; 50_000];
    let (mut at, mut byte) = (0, 0);
    while at < body.len() {
        body[at] = byte;
        byte = (byte + 1) % 251;
        at += 1;
    }
    body
};

#[tokio::test]
async fn a_handler_may_be_dropped_unread_and_looked_up_again() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    for _ in 0..3 {
        drop(rig.hit(&url("a")).await);
        let (_, mut handler) = rig.hit(&url("a")).await;
        assert_eq!(read_all(&mut handler).await.unwrap(), b"body");
        finish(handler, &rig, &url("a")).await;
    }
}

#[tokio::test]
async fn head_finishes_without_a_read_and_promotes_nothing() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    rig.forget_l0(&url("a")).await;
    let (meta, handler) = rig.hit(&url("a")).await;
    assert_eq!(meta.headers()["content-length"], "50000");
    finish(handler, &rig, &url("a")).await;
    rig.drained().await;
    assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), "L3");
}

#[tokio::test]
async fn a_whole_read_promotes() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    rig.forget_l0(&url("a")).await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), LARGE);
    finish(handler, &rig, &url("a")).await;
    rig.drained().await;
    assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), "L0");
}

#[tokio::test]
async fn with_a_content_length_finish_may_come_without_the_last_read() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    for from in ["L0", "L3"] {
        if from == "L3" {
            rig.forget_l0(&url("a")).await;
        }
        let (_, mut handler) = rig.hit(&url("a")).await;
        let mut read = 0;
        while read < LARGE.len() {
            read += handler
                .read_body()
                .await
                .unwrap()
                .expect("more bytes")
                .len();
        }
        finish(handler, &rig, &url("a")).await;
        rig.drained().await;
    }
    assert_eq!(
        rig.source(&url("a")).await.unwrap().as_str(),
        "L0",
        "it was read as a whole"
    );
}

#[tokio::test]
async fn ranges_are_sought_read_to_the_end_and_sought_again() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    for from in ["L0", "L3"] {
        if from == "L3" {
            rig.forget_l0(&url("a")).await;
        }
        assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), from);
        let (_, mut handler) = rig.hit(&url("a")).await;
        assert!(handler.can_seek() && handler.can_seek_multipart());
        for (start, end) in [
            (30_000, 40_001),
            (0, 1),
            (49_999, 50_000),
            (10, 45_000),
            (7, 7),
        ] {
            handler.seek_multipart(start, Some(end)).unwrap();
            assert_eq!(
                read_all(&mut handler).await.unwrap(),
                LARGE[start..end],
                "{start}..{end}"
            );
            assert!(
                handler.read_body().await.unwrap().is_none(),
                "the end stays the end"
            );
        }
        handler.seek(40_000, None).unwrap();
        assert_eq!(read_all(&mut handler).await.unwrap(), LARGE[40_000..]);
        finish(handler, &rig, &url("a")).await;
        rig.drained().await;
    }
    assert_eq!(
        rig.source(&url("a")).await.unwrap().as_str(),
        "L3",
        "a body that was sought is not promoted as the whole"
    );
}

#[tokio::test]
async fn an_end_past_the_body_is_its_end_and_a_start_past_it_an_error() {
    let rig = Rig::new();
    rig.store(&url("a"), b"0123456789").await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    handler.seek(4, Some(1_000_000)).unwrap();
    assert_eq!(read_all(&mut handler).await.unwrap(), b"456789");
    for (start, end) in [(10, None), (10, Some(10)), (usize::MAX, None), (5, Some(4))] {
        assert!(handler.seek(start, end).is_err(), "{start}..{end:?}");
    }
    handler.seek(9, Some(10)).unwrap();
    assert_eq!(read_all(&mut handler).await.unwrap(), b"9");
}

#[tokio::test]
async fn a_hit_says_what_an_eviction_manager_asks() {
    let rig = Rig::new();
    let id = rig.store(&url("a"), b"12345").await;
    let (_, handler) = rig.hit(&url("a")).await;
    assert!(handler.should_count_access());
    assert_eq!(handler.get_eviction_weight(), 5);
    assert_eq!(
        handler.entry_id(),
        Some(id),
        "the fill and the hit name one entry"
    );
}

#[tokio::test]
async fn a_read_that_is_dropped_loses_nothing() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    rig.forget_l0(&url("a")).await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    let (mut read, mut dropped) = (Vec::new(), 0);
    loop {
        // Pingora's loops select over the reader: a pending read is dropped when another branch is ready.
        let Some(piece) = drop_after(1, handler.read_body()).await else {
            dropped += 1;
            tokio::task::yield_now().await;
            continue;
        };
        let Some(piece) = piece.unwrap() else { break };
        read.extend_from_slice(&piece);
    }
    assert!(dropped > 0, "no read was ever pending: this tests nothing");
    assert_eq!(read, LARGE);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_never_an_end() {
    let rig = Rig::new();
    rig.store(&url("a"), &LARGE).await;
    rig.forget_l0(&url("a")).await;
    rig.cut.store(true, std::sync::atomic::Ordering::Relaxed);
    let (_, mut handler) = rig.hit(&url("a")).await;
    let error = read_all(&mut handler)
        .await
        .expect_err("the blob ends early");
    assert!(error.to_string().contains("read_body"), "{error}");
}

#[tokio::test]
async fn headers_keep_their_case_their_order_and_their_duplicates() {
    let rig = Rig::new();
    let fields = [
        ("X-B", "1"),
        ("Set-Cookie", "a=1"),
        ("x-a", "2"),
        ("Set-Cookie", "b=2"),
    ];
    let stored = page_with(Some(1), &fields);
    rig.store_as(&url("a"), &stored, b"x").await;
    for from in ["L0", "L3"] {
        let (meta, _) = rig.hit(&url("a")).await;
        let wire = |meta: &pingora_cache::CacheMeta| {
            let mut wire = Vec::new();
            meta.response_header().header_to_h1_wire(&mut wire);
            String::from_utf8(wire).unwrap()
        };
        assert_eq!(wire(&meta), wire(&stored), "{from}");
        assert_eq!(
            meta.serialize().unwrap(),
            stored.serialize().unwrap(),
            "{from}"
        );
        rig.forget_l0(&url("a")).await;
    }
}

#[tokio::test]
async fn an_empty_body_is_a_hit() {
    let rig = Rig::new();
    for len in [Some(0), None] {
        rig.store_as(&url("a"), &page(len), b"").await;
        let (_, mut handler) = rig.hit(&url("a")).await;
        assert!(handler.read_body().await.unwrap().is_none());
        assert!(handler.seek(0, None).is_err());
    }
}

#[tokio::test]
async fn user_tags_and_variants_are_objects_of_their_own() {
    let rig = Rig::new();
    let tagged = pingora_cache::CacheKey::new("https://example.com/a", "tenant");
    rig.store(&tagged, b"tenant's").await;
    assert!(rig.lookup(&url("a")).await.is_none());
    rig.store(&url("a"), b"everybody's").await;
    let (_, mut handler) = rig.hit(&tagged).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"tenant's");
}
