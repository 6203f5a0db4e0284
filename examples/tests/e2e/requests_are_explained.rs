//! `/explain` tells what is held, and why the last answer was what it was, and changes nothing by that.

use hyper::header::{CACHE_CONTROL, ETAG, VARY};

use crate::support::{AUTHORITY, Answer, Content, Gate, Origin, Proxy, Setup, eventually, folder};

async fn explain(proxy: &Proxy, path: &str, more: &str) -> String {
    let reply = ask(proxy, path, more, "text/plain").await;
    assert!(reply.0 == 200, "{reply:?}");
    reply.1
}

async fn ask(proxy: &Proxy, path: &str, more: &str, accept: &str) -> (u16, String) {
    let path = path.replace('/', "%2F").replace('?', "%3F");
    let asked = format!("/explain?url=http%3A%2F%2F{AUTHORITY}{path}{more}");
    let reply = proxy
        .admin_ask(&asked)
        .header("accept", accept)
        .send()
        .await;
    let status = reply.status.as_u16();
    let body = reply.whole().await.to_vec();
    (status, String::from_utf8(body).expect("text"))
}

/// What is told once the last answer is remembered: a client may have it a moment before.
async fn explains(proxy: &Proxy, path: &str, parts: &[&str]) {
    eventually(&format!("{parts:?} are told of {path}"), async || {
        let told = explain(proxy, path, "").await;
        parts.iter().all(|part| told.contains(part))
    })
    .await;
}

fn has(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_and_why_the_last_answer_was_what_it_was() {
    let content = Content::new(1, 1000);
    let answer = content.clone();
    let origin = Origin::start(move |seen| {
        let answer = Answer::new(answer.clone());
        match seen.path.as_str() {
            "/private" => answer.header(CACHE_CONTROL, "private"),
            "/stale" => answer.header(CACHE_CONTROL, "max-age=0, stale-while-revalidate=600"),
            _ => answer.header(ETAG, "\"v1\""),
        }
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;

    explains(
        &proxy,
        "/a",
        &["last answer: not remembered", "L0: nothing", "L3: nothing"],
    )
    .await;
    proxy.get("/a").await.expect(&content).await;
    proxy.durable_commits(1).await;
    explains(
        &proxy,
        "/a",
        &[
            "last answer: miss",
            "fwd=uri-miss; stored",
            "L0: fresh",
            "L3: fresh",
            "\"v1\"",
            "1000 bytes",
        ],
    )
    .await;
    proxy.get("/a").await.expect(&content).await;
    explains(
        &proxy,
        "/a",
        &[
            "last answer: hit",
            "it was stored, and fresh",
            "hit; detail=L0",
        ],
    )
    .await;

    proxy.get("/private").await.expect(&content).await;
    explains(
        &proxy,
        "/private",
        &["last answer: pass", "Cache-Control: private", "L0: nothing"],
    )
    .await;
    assert_eq!(proxy.purge("/a").await, 200);
    explains(
        &proxy,
        "/a",
        &["last answer: hit", "L0: nothing", "L3: nothing"],
    )
    .await;

    let (status, json) = ask(&proxy, "/private", "", "application/json").await;
    assert_eq!(status, 200);
    has(
        &json,
        &[
            r#""reason": "private""#,
            r#""level": "L3""#,
            r#""state": "nothing""#,
        ],
    );
    proxy.get("/stale").await.expect(&content).await;
    has(
        &explain(&proxy, "/stale", "").await,
        &["L0: stale", "while revalidating 600 s"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_is_no_hit_and_promotes_nothing() {
    let content = Content::new(1, 1000);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/a").await.expect(&content).await;
    proxy.durable_commits(1).await;
    assert!(proxy.terminate().await.success());
    // L0 is empty now: a hit would be copied there.
    let proxy = Setup::new(origin.address, data.path()).start().await;
    for _ in 0..5 {
        has(
            &explain(&proxy, "/a", "").await,
            &["L0: nothing", "L3: fresh", "not remembered"],
        );
    }
    let metrics = proxy.metrics().await;
    for name in [
        "terrace_tier_lookups_total",
        "terrace_proxy_requests_total",
        "terrace_promotion_lanes_started_total",
    ] {
        let counted = metrics.sum(name, &[]);
        assert!(counted < 1.0, "{name} is {counted}");
    }
    let hit = proxy.get("/a").await;
    assert_eq!(hit.cache(), "hit; detail=L3");
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_and_bodies_on_their_way_are_told() {
    let content = Content::new(1, 200_000);
    let gate = Gate::new();
    let (answer, held) = (
        Answer::new(content.clone()).header(VARY, "Accept-Language"),
        gate.clone(),
    );
    let origin = Origin::start(move |seen| match seen.path.as_str() {
        "/slow" => answer.clone().hold_at(100_000, &held),
        _ => answer.clone(),
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    for (before, language) in (0..).zip(["de", "fr"]) {
        // Of two first variants that are stored at once, only one may stay.
        proxy.durable_commits(before).await;
        let asked = proxy
            .ask("GET", "/page")
            .header("accept-language", language);
        asked.send().await.expect(&content).await;
    }
    let told = explain(&proxy, "/page", "&header=Accept-Language:fr").await;
    has(
        &told,
        &[
            "variant slot",
            "vary           Accept-Language",
            "L0: fresh",
        ],
    );
    let told = explain(&proxy, "/page", "&header=Accept-Language:es").await;
    let variant = told.split("variant slot").nth(1).expect("another variant");
    has(variant, &["L0: nothing", "L3: nothing"]);

    let mut slow = proxy.get("/slow").await;
    assert!(slow.next().await.expect("the body has begun").is_some());
    eventually("the body in progress is told", async || {
        let told = explain(&proxy, "/slow", "").await;
        told.contains("in progress: arriving") && told.contains("of 200000 bytes")
    })
    .await;
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_purge_may_ask_and_mistakes_are_named() {
    let origin = Origin::start(|_| Answer::new(Content::new(1, 10))).await;
    let data = folder();
    let setup = Setup::new(origin.address, data.path()).arg("--purge-token-only");
    let proxy = setup
        .env("TERRACE_PURGE_TOKEN", "s3cret-4711")
        .start()
        .await;
    assert_eq!(ask(&proxy, "/a", "", "*/*").await.0, 403);
    let asked = format!("/explain?url=http%3A%2F%2F{AUTHORITY}%2Fa");
    let asked = proxy
        .admin_ask(&asked)
        .header("authorization", "Bearer s3cret-4711");
    assert_eq!(asked.send().await.status, 200);

    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    for (wrong, told) in [
        ("/explain", "which URL?"),
        ("/explain?url=%2Fa", "needs a Host"),
        ("/explain?url=ftp%3A%2F%2Fa%2F", "neither http nor https"),
        (
            "/explain?url=http%3A%2F%2Fa%2F&header=nothing",
            "Name:Value",
        ),
        ("/explain?what=1", "unknown"),
    ] {
        let reply = proxy.admin(wrong).await;
        assert_eq!(reply.status, 400, "{wrong}");
        let body = reply.whole().await.to_vec();
        has(&String::from_utf8(body).expect("text"), &[told]);
    }
}
