//! A running proxy, seen from the client and from the origin.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use support::World;
use terrace_core::ErrorKind;
use terrace_testkit::Op;

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_is_a_hit_in_memory() {
    let world = World::new().await;
    world.origin.set("/a", &[MINUTE], "hello");
    let first = world.get("/a").await;
    assert_eq!((first.status, first.text()), (200, "hello"));
    assert_eq!(first.cache_status(), "terrace; fwd=uri-miss; stored");
    world.settled().await;
    let second = world.get("/a").await;
    assert_eq!((second.status, second.text()), (200, "hello"));
    assert_eq!(second.cache_status(), "terrace; hit; detail=L0");
    assert_eq!(second.header("age"), "0");
    assert_eq!(world.origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_misses_stores_what_get_needs() {
    let world = World::new().await;
    world.origin.set("/a", &[MINUTE], "hello");
    let head = world.send("HEAD", "/a", &[]).await;
    assert_eq!(
        (head.status, head.text(), head.header("content-length")),
        (200, "", "5")
    );
    assert!(world.origin.asked()[0].starts_with("get /a "));
    let get = world
        .get_until("/a", |it| it.cache_status().contains("hit"))
        .await;
    assert_eq!(get.text(), "hello");
    assert_eq!(world.origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_misses_fetches_the_whole() {
    let world = World::new().await;
    world.origin.set("/a", &[MINUTE], "0123456789");
    let range = [("range", "bytes=2-4")];
    let first = world.get_with("/a", &range).await;
    assert_eq!((first.status, first.text()), (206, "234"));
    assert_eq!(first.header("content-range"), "bytes 2-4/10");
    assert!(!world.origin.asked()[0].contains("range:"));
    world.settled().await;
    let several = world.get_with("/a", &[("range", "bytes=0-1,8-9")]).await;
    assert_eq!(several.status, 206);
    assert!(
        several
            .header("content-type")
            .starts_with("multipart/byteranges")
    );
    assert!(several.text().contains("bytes 8-9/10"));
    let weak = world
        .get_with("/a", &[range[0], ("if-range", "W/\"x\"")])
        .await;
    assert_eq!((weak.status, weak.text()), (200, "0123456789"));
    assert_eq!(world.origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_kept_apart_and_purged_together() {
    let world = World::new().await;
    let vary = [MINUTE, ("vary", "accept-language")];
    for language in ["de", "en"] {
        world.origin.set("/v", &vary, language);
        let response = world.get_with("/v", &[("accept-language", language)]).await;
        assert_eq!(response.text(), language);
    }
    world.origin.set("/v", &vary, "none");
    assert_eq!(
        world.get("/v").await.cache_status(),
        "terrace; fwd=vary-miss; stored"
    );
    world.settled().await;
    for language in ["de", "en"] {
        let response = world.get_with("/v", &[("accept-language", language)]).await;
        assert_eq!(response.text(), language);
        assert_eq!(response.cache_status(), "terrace; hit; detail=L0");
    }
    assert_eq!(world.send("PURGE", "/v", &[]).await.status, 200);
    // Pingora takes variants for void that are older than their primary slot. It is not to be relied upon.
    world.clock.set_back(Duration::from_secs(10));
    world.origin.set("/v", &vary, "new");
    for language in ["de", "en"] {
        let response = world.get_with("/v", &[("accept-language", language)]).await;
        assert_eq!(response.text(), "new", "{language}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn purges_answer_for_what_they_did() {
    let world = World::with(|config| config.purge.token = Some("s3cret".into())).await;
    world
        .origin
        .set("/a", &[MINUTE, ("etag", "\"1\"")], "hello");
    assert_eq!(world.send("PURGE", "/a", &[]).await.status, 404);
    world.get("/a").await;
    world.settled().await;
    let soft = world
        .send("PURGE", "/a", &[("terrace-soft-purge", "1")])
        .await;
    assert_eq!((soft.status, soft.text()), (200, "marked stale\n"));
    world
        .origin
        .set_status("/a", "304 Not Modified", &[MINUTE, ("etag", "\"1\"")]);
    let confirmed = world.get("/a").await;
    assert_eq!((confirmed.status, confirmed.text()), (200, "hello"));
    assert_eq!(
        confirmed.cache_status(),
        "terrace; fwd=stale; fwd-status=304; detail=L0"
    );
    assert!(world.origin.asked()[1].contains("if-none-match: \"1\""));
    // By whatever spelling of the URL.
    let absolute = "PURGE http://EXAMPLE.com:80/a HTTP/1.0\r\n\r\n";
    assert_eq!(world.raw(absolute).await.status, 200);
    assert_eq!(world.send("PURGE", "/a", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_purge() {
    let world = World::with(|config| {
        config.purge.allowed.clear();
        config.purge.token = Some("s3cret".into());
    })
    .await;
    world.origin.set("/a", &[MINUTE], "hello");
    world.get("/a").await;
    let claims = [("x-forwarded-for", "127.0.0.1")];
    assert_eq!(world.send("PURGE", "/a", &claims).await.status, 403);
    let wrong = [("authorization", "Bearer other")];
    assert_eq!(world.send("PURGE", "/a", &wrong).await.status, 403);
    let right = [("authorization", "Bearer s3cret")];
    assert_eq!(world.send("PURGE", "/a", &right).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_a_tier_did_not_do_is_not_acknowledged() {
    let world = World::new().await;
    world.origin.set("/a", &[MINUTE], "hello");
    world.get("/a").await;
    world.settled().await;
    world.faults.on(Op::CasUpdate).fail(ErrorKind::Unavailable);
    let answer = world.send("PURGE", "/a", &[]).await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("copies may be left"),
        "{}",
        answer.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_stops_a_response_that_is_on_its_way() {
    let body = vec![b'x'; 100_000];
    // The origin has said nothing yet; or nearly all.
    for held in [usize::MAX, 10] {
        let world = World::new().await;
        let gate = world.origin.set_gated("/a", &[MINUTE], &body, held);
        let (filled, ()) = tokio::join!(world.get("/a"), async {
            world.origin.until_asked(1).await;
            world.send("PURGE", "/a", &[]).await;
            gate.notify_one();
        });
        assert_eq!(filled.body.len(), body.len());
        world.settled().await;
        world.origin.set("/a", &[MINUTE], "new");
        assert_eq!(world.get("/a").await.text(), "new", "{held}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_share_one_fetch_and_all_bodies_are_whole() {
    let world = World::new().await;
    let body: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let gate = world.origin.set_gated("/big", &[MINUTE], &body, 1000);
    let requests = futures::future::join_all((0..8).map(|_| world.get("/big")));
    let (responses, ()) = tokio::join!(requests, async {
        world.origin.until_asked(1).await;
        gate.notify_one();
    });
    for response in &responses {
        assert_eq!(response.status, 200);
        assert!(response.body == body, "{}", response.cache_status());
    }
    assert_eq!(world.origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_is_served_while_it_is_revalidated_in_the_background() {
    let world = World::new().await;
    let control = ("cache-control", "max-age=5, stale-while-revalidate=60");
    world.origin.set("/a", &[control], "old");
    world.clock.set_back(Duration::from_secs(10));
    world.get("/a").await;
    world.settled().await;
    world.clock.set_back(Duration::ZERO);
    world.origin.set("/a", &[control], "new");
    let stale = world.get("/a").await;
    assert_eq!(
        (stale.text(), stale.cache_status().as_str()),
        ("old", "terrace; hit; detail=L0")
    );
    assert!(stale.header("cache-status").contains("ttl=-"), "{stale:?}");
    let fresh = world.get_until("/a", |it| it.text() == "new").await;
    assert!(!fresh.header("cache-status").contains("ttl=-"));
    assert_eq!(world.origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_is_served_when_the_origin_fails() {
    let world = World::new().await;
    let control = ("cache-control", "max-age=5, stale-if-error=60");
    world.origin.set("/a", &[control], "old");
    world.clock.set_back(Duration::from_secs(10));
    world.get("/a").await;
    world.settled().await;
    world.clock.set_back(Duration::ZERO);
    world
        .origin
        .set_status("/a", "503 Service Unavailable", &[]);
    let stale = world.get("/a").await;
    assert_eq!((stale.status, stale.text()), (200, "old"));
    assert_eq!(
        stale.cache_status(),
        "terrace; fwd=stale; fwd-status=503; detail=L0"
    );
    world.origin.break_down();
    assert_eq!(world.get("/a").await.text(), "old");
    let nothing = world.get("/b").await;
    assert_eq!(nothing.status, 502);
    assert!(nothing.text().contains("origin"), "{}", nothing.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_demand_the_origin_unless_it_is_configured_otherwise() {
    for (honour, expected) in [(true, "new"), (false, "old")] {
        let world = World::with(|config| {
            if !honour {
                config.client_directives = terrace_proxy::ClientDirectives::Ignore;
            }
        })
        .await;
        world.origin.set("/a", &[MINUTE], "old");
        world.get("/a").await;
        world.settled().await;
        world.origin.set("/a", &[MINUTE], "new");
        let response = world.get_with("/a", &[("cache-control", "no-cache")]).await;
        assert_eq!(response.text(), expected);
        let status = response.cache_status();
        assert_eq!(status.contains("fwd=request; stored"), honour, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_stored_is_not() {
    let world = World::new().await;
    let unchanged = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let cookie = [unchanged, ("set-cookie", "a=b")];
    world.origin.set("/cookie", &cookie, "x");
    world
        .origin
        .set("/private", &[("cache-control", "private, max-age=60")], "x");
    let endless = b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nconnection: close\r\n\r\nx";
    world.origin.set_raw("/endless", endless);
    for (path, reason) in [
        ("/cookie", "set-cookie"),
        ("/private", "private"),
        ("/endless", "close-delimited"),
    ] {
        for _ in 0..2 {
            let response = world.get(path).await;
            assert_eq!(
                response.cache_status(),
                format!("terrace; fwd=uri-miss; detail={reason}")
            );
        }
    }
    world.origin.set("/a", &[MINUTE], "x");
    let body =
        "POST /a HTTP/1.1\r\nhost: example.com\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx";
    assert_eq!(world.raw(body).await.cache_status(), "terrace; fwd=method");
    let fat = body.replace("POST", "GET");
    assert_eq!(world.raw(&fat).await.cache_status(), "terrace; fwd=request");
    let authorized = world
        .get_with("/a", &[("authorization", "Basic eA==")])
        .await;
    assert_eq!(
        authorized.cache_status(),
        "terrace; fwd=uri-miss; detail=authorization"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_was_cut_short_is_not_stored() {
    let world = World::new().await;
    let cut = b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 100\r\n\r\nshort";
    world.origin.set_raw("/a", cut);
    let response = world.get("/a").await;
    assert!(response.body.len() < 100);
    world.origin.set("/a", &[MINUTE], "whole");
    assert_eq!(world.get("/a").await.text(), "whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_connection_stay_there() {
    let world = World::new().await;
    let raw = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 1\r\nage: 7\r\n\
               connection: x-hop, close\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nvia: 1.1 inner\r\n\
               cache-status: inner; hit\r\n\r\nx";
    world.origin.set_raw("/a", raw.as_bytes());
    let request = [
        ("connection", "x-mine"),
        ("x-mine", "1"),
        ("te", "trailers"),
    ];
    for _ in 0..2 {
        let response = world.get_with("/a", &request).await;
        assert_eq!(response.header("x-hop"), "");
        assert_eq!(response.header("keep-alive"), "");
        assert_eq!(response.header("age"), "7");
        assert_eq!(response.all("via"), ["1.1 inner", "1.1 terrace"]);
        assert_eq!(response.all("cache-status")[0], "inner; hit");
        world.settled().await;
    }
    let asked = &world.origin.asked()[0];
    assert!(asked.contains("via: 1.1 terrace\r\n"), "{asked}");
    for gone in ["x-mine", "te: trailers"] {
        assert!(!asked.contains(gone), "{gone} is in {asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origin_goes_on_where_every_tier_fails() {
    let world = World::new().await;
    let body: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    world
        .origin
        .set("/big", &[MINUTE, ("etag", "\"1\"")], &body);
    world.get("/big").await;
    world.settled().await;
    // More than L0 takes: it is in the durable tier only.
    world
        .faults
        .on(Op::BlobGet)
        .die_at(400_000, ErrorKind::Unavailable);
    let response = world.get("/big").await;
    assert_eq!(response.cache_status(), "terrace; hit; detail=L3");
    assert!(
        response.body == body,
        "{} of {} bytes",
        response.body.len(),
        body.len()
    );
    let asked = world.origin.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("range: bytes="), "{}", asked[1]);
    assert!(asked[1].contains("if-range: \"1\""), "{}", asked[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_has_changed_cannot_patch_an_old_body() {
    let world = World::new().await;
    let body: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    world.origin.set("/big", &[MINUTE], &body);
    world.get("/big").await;
    world.settled().await;
    let other: Vec<u8> = body.iter().map(|byte| !byte).collect();
    world.origin.set("/big", &[MINUTE], &other);
    world
        .faults
        .on(Op::BlobGet)
        .die_at(400_000, ErrorKind::Unavailable);
    let response = world.get("/big").await;
    assert!(response.body.len() < body.len());
    assert!(body.starts_with(&response.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_get_no_chunks() {
    let world = World::new().await;
    let chunked =
        b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n\
                    5\r\nhello\r\n0\r\n\r\n";
    world.origin.set_raw("/a", chunked);
    for expected in ["terrace; fwd=uri-miss; stored", "terrace; hit; detail=L0"] {
        let response = world
            .raw("GET /a HTTP/1.0\r\nhost: example.com\r\n\r\n")
            .await;
        assert_eq!(response.cache_status(), expected);
        assert_eq!(
            (response.text(), response.header("transfer-encoding")),
            ("hello", "")
        );
        world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_wants_only_what_is_stored_never_reaches_the_origin() {
    let world = World::new().await;
    world.origin.set("/a", &[MINUTE], "hello");
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(world.get_with("/a", &only).await.status, 504);
    assert_eq!(world.origin.count(), 0);
    world.get("/a").await;
    assert_eq!(world.get_with("/a", &only).await.text(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_read_in_two_ways_is_refused() {
    let world = World::new().await;
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        assert_eq!(world.raw(request).await.status, 400, "{request:?}");
    }
    assert_eq!(world.origin.count(), 0);
}
