use pingora_cache::storage::{MissFinishType, Storage};
use terrace_core::Clock;
use terrace_core::{Meta, SystemClock};

use crate::rig::{Rig, page, page_with, read_all, span, url};

#[tokio::test]
async fn empty_chunks_are_nothing_and_the_end_need_not_be_announced() {
    let rig = Rig::new();
    let mut fill = rig.begin(&url("a"), &page(Some(4))).await;
    for chunk in ["", "bo", "", "", "dy", ""] {
        fill.write_body(chunk.into(), false).await.unwrap();
    }
    assert!(matches!(
        fill.finish().await.unwrap(),
        MissFinishType::Created(4)
    ));
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"body");
}

#[tokio::test]
async fn a_fill_reaches_every_tier() {
    let rig = Rig::new();
    rig.store(&url("a"), b"body").await;
    assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), "L0");
    rig.forget_l0(&url("a")).await;
    assert_eq!(rig.source(&url("a")).await.unwrap().as_str(), "L3");
}

#[tokio::test]
async fn a_length_that_cannot_be_believed_is_ignored() {
    let rig = Rig::new();
    let odd = page_with(None, &[("Content-Length", "7"), ("Content-Length", "9")]);
    rig.store_as(&url("a"), &odd, b"four").await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(read_all(&mut handler).await.unwrap(), b"four");
}

#[tokio::test]
async fn what_pingora_could_not_read_back_is_not_cached() {
    let rig = Rig::new();
    let many: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let fields: Vec<_> = many.iter().map(|n| ("X-Many", n.as_str())).collect();
    let begun = rig
        .storage
        .get_miss_handler(&url("a"), &page_with(None, &fields), &span())
        .await;
    let error = begun
        .err()
        .expect("an error here means: not cached, client fine");
    assert!(error.to_string().contains("encode_meta"), "{error}");
}

#[tokio::test]
async fn stored_metadata_that_cannot_be_read_is_a_miss() {
    let rig = Rig::new();
    let key = terrace_pingora::key(&url("a"));
    let now = SystemClock.now();
    let foreign = Meta::new(now, now.after(std::time::Duration::from_mins(1)));
    let mut filling = rig.stack.fill(&key, foreign, None, None).await;
    filling.write((&b"body"[..]).into()).await;
    filling.finish().await;
    assert!(rig.lookup(&url("a")).await.is_none());
    rig.store(&url("a"), b"mine").await;
    let (_, mut handler) = rig.hit(&url("a")).await;
    assert_eq!(
        read_all(&mut handler).await.unwrap(),
        b"mine",
        "a fill replaces it"
    );
}

#[tokio::test]
async fn a_tag_of_no_write_under_way_is_an_error_never_nothing() {
    let rig = Rig::new();
    let over = rig.begin(&url("a"), &page(None)).await;
    let tag = over.streaming_write_tag().unwrap().to_vec();
    drop(over);
    for tag in [
        None,
        Some(&b""[..]),
        Some(b"12345678"),
        Some(b"too long for a tag"),
        Some(&tag),
    ] {
        let found = rig
            .storage
            .lookup_streaming_write(&url("a"), tag, &span())
            .await;
        assert!(found.is_err(), "Ok(None) makes Pingora panic");
    }
}
