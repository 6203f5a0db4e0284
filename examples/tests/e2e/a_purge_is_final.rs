//! What was purged never comes back, and a purge that was not done is not acknowledged.

use std::path::Path;

use hyper::StatusCode;
use hyper::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::{Answer, Content, Gate, KIB, Origin, Proxy, Setup, eventually, folder};

const LANGUAGES: [&str; 3] = ["de", "en", "fr"];

/// One for each of our languages, of `size` bytes.
async fn origin_of_variants(size: u64) -> (Origin, [Content; 3]) {
    let contents = [1, 2, 3].map(|seed| Content::new(seed, size));
    let known = contents.clone();
    let origin = Origin::start(move |seen| {
        let language = seen.header(ACCEPT_LANGUAGE);
        let index = LANGUAGES.iter().position(|it| *it == language);
        Answer::new(known[index.expect("a language of ours")].clone())
            .header(VARY, "Accept-Language")
    })
    .await;
    (origin, contents)
}

/// Asks for all variants, each of which must come from `expected`.
async fn get_variants(proxy: &Proxy, contents: &[Content; 3], expected: [&str; 3]) {
    for ((language, content), expected) in LANGUAGES.iter().zip(contents).zip(expected) {
        let ask = proxy
            .ask("GET", "/page")
            .header("accept-language", language);
        let reply = ask.send().await;
        assert_eq!(reply.cache(), expected, "{language}");
        reply.expect(content).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_variants_also_over_a_restart_and_a_kill() {
    // The one size is kept in the index, the other is not.
    for size in [100, 100 * KIB] {
        let (origin, contents) = origin_of_variants(size).await;
        let data = folder();
        let setup = || Setup::new(origin.address, data.path());
        let misses = ["uri", "vary", "vary"].map(|what| format!("fwd={what}-miss; stored"));
        let misses = misses.each_ref().map(String::as_str);
        let from = |level| match level {
            0 => ["hit; detail=L0"; 3],
            _ => ["hit; detail=L3"; 3],
        };

        let proxy = setup().start().await;
        assert_eq!(proxy.purge("/page").await, 404);
        get_variants(&proxy, &contents, misses).await;
        proxy.durable_commits(3).await;
        get_variants(&proxy, &contents, from(0)).await;
        assert_eq!(proxy.purge("/page").await, 200);
        assert_eq!(proxy.purge("/page").await, 404);
        get_variants(&proxy, &contents, misses).await;
        proxy.durable_commits(6).await;
        assert!(proxy.terminate().await.success());

        let proxy = setup().start().await;
        get_variants(&proxy, &contents, from(3)).await;
        assert_eq!(proxy.purge("/page").await, 200);
        // An acknowledged purge is on the disk.
        proxy.kill().await;

        let proxy = setup().start().await;
        get_variants(&proxy, &contents, misses).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_whoever_may_and_nobody_else() {
    let content = Content::new(1, 10);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path())
        .env("TERRACE_PURGE_TOKEN", "s3cret-4711")
        .arg("--purge-token-only")
        .start()
        .await;
    proxy.get("/page").await.expect(&content).await;
    proxy.durable_commits(1).await;
    for token in [
        "",
        "Bearer s3cret",
        "Bearer s3cret-47110",
        "Basic s3cret-4711",
    ] {
        let mut ask = proxy.ask("PURGE", "/page");
        if !token.is_empty() {
            ask = ask.header("authorization", token);
        }
        assert_eq!(ask.send().await.status, 403, "{token:?}");
    }
    assert_eq!(proxy.get("/page").await.cache(), "hit; detail=L0");
    let ask = proxy
        .ask("PURGE", "/page")
        .header("authorization", "Bearer s3cret-4711");
    assert_eq!(ask.send().await.status, 200);
    assert_eq!(proxy.get("/page").await.cache(), "fwd=uri-miss; stored");
    assert!(!proxy.log().contains("s3cret"), "a secret is in the log");
}

async fn soft_purge(proxy: &Proxy, path: &str) -> StatusCode {
    let ask = proxy.ask("PURGE", path).header("terrace-soft-purge", "1");
    ask.send().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_one_keeps_the_body_and_has_it_confirmed() {
    let content = Content::new(1, 100 * KIB);
    let answer = Answer::new(content.clone()).header(ETAG, "\"v1\"");
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let setup = || Setup::new(origin.address, data.path());
    let proxy = setup().start().await;
    proxy.get("/page").await.expect(&content).await;
    proxy.durable_commits(1).await;

    assert_eq!(soft_purge(&proxy, "/page").await, 200);
    let reply = proxy.get("/page").await;
    assert_eq!(reply.cache(), "fwd=stale; fwd-status=304; detail=L0");
    reply.expect(&content).await;
    assert_eq!(origin.last().header(IF_NONE_MATCH), "\"v1\"");
    let reply = proxy.get("/page").await;
    assert_eq!(reply.cache(), "hit; detail=L0");
    reply.expect(&content).await;

    // It is remembered.
    assert_eq!(soft_purge(&proxy, "/page").await, 200);
    proxy.kill().await;
    let proxy = setup().start().await;
    let reply = proxy.get("/page").await;
    assert_eq!(reply.cache(), "fwd=stale; fwd-status=304; detail=L3");
    reply.expect(&content).await;
    assert_eq!(origin.count("/page"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_one_lets_the_stale_body_be_served_while_it_is_fetched_anew() {
    let (old, new) = (Content::new(1, 100 * KIB), Content::new(2, 100 * KIB));
    let gate = Gate::new();
    let first =
        Answer::new(old.clone()).header(CACHE_CONTROL, "max-age=3600, stale-while-revalidate=3600");
    let second = Answer::new(new.clone()).delayed_by(&gate);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        let is_first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        if is_first {
            first.clone()
        } else {
            second.clone()
        }
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.expect(&old).await;
    proxy.durable_commits(1).await;

    assert_eq!(soft_purge(&proxy, "/page").await, 200);
    // The origin holds its answer back.
    for _ in 0..3 {
        let reply = proxy.get("/page").await;
        assert_eq!(reply.cache(), "hit; detail=L0");
        // In the very millisecond of the purge, it is 0.
        let ttl = reply.header("cache-status").split("ttl=").nth(1);
        let ttl: i64 = ttl.and_then(|ttl| ttl.parse().ok()).expect("a lifetime");
        assert!(ttl <= 0, "{ttl} s are left: it is not stale");
        reply.expect(&old).await;
    }
    eventually("the origin is asked", async || origin.count("/page") == 2).await;
    gate.open();
    eventually("the new body is served", async || {
        let body = proxy.get("/page").await.whole().await;
        assert!(body == old.bytes() || body == new.bytes());
        body == new.bytes()
    })
    .await;
    assert_eq!(origin.count("/page"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_body_that_is_on_its_way_too() {
    let content = Content::new(1, 3000 * KIB);
    let gate = Gate::new();
    let answer = Answer::new(content.clone()).hold_at(64 * KIB, &gate);
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let setup = || Setup::new(origin.address, data.path());
    let proxy = setup().start().await;

    let paths = ["/before-a-restart", "/after-a-restart"];
    let mut under_way = Vec::new();
    for path in paths {
        let mut reply = proxy.get(path).await;
        let mut checker = content.checker();
        let first = reply.next().await.expect("the body has begun");
        checker
            .push(&first.expect("it has bytes"))
            .expect("the right ones");
        under_way.push((reply, checker));
        // Nothing was stored yet, and nothing will be.
        assert_eq!(proxy.purge(path).await, 404);
    }
    gate.open();
    for (reply, checker) in under_way {
        reply.expect_rest(checker).await;
    }
    let again = proxy.get(paths[0]).await;
    assert_eq!(again.cache(), "fwd=uri-miss; stored");
    again.expect(&content).await;

    assert!(proxy.terminate().await.success());
    let proxy = setup().start().await;
    assert_eq!(proxy.get(paths[0]).await.cache(), "hit; detail=L3");
    let again = proxy.get(paths[1]).await;
    assert_eq!(again.cache(), "fwd=uri-miss; stored");
    again.expect(&content).await;
}

/// Takes the index's write lock, as a stuck process would.
async fn lock_index(data: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(data.join("index.db"));
    let mut connection = options.connect().await.expect("the index is SQLite");
    let locked = sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut connection)
        .await;
    locked.expect("nobody else writes");
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn or_else_it_is_not_acknowledged_and_everything_is_served_meanwhile() {
    let content = Content::new(1, 100 * KIB);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.expect(&content).await;
    proxy.durable_commits(1).await;

    let lock = lock_index(data.path()).await;
    let purging = proxy.ask("PURGE", "/page").send();
    let serving = async {
        // What is stored, and what is not and cannot be.
        for path in ["/page", "/other", "/other", "/another"] {
            let reply = proxy.get(path).await;
            assert_eq!(reply.status, 200);
            reply.expect(&content).await;
        }
    };
    let (purged, ()) = tokio::join!(purging, serving);
    assert_eq!(purged.status, 503);
    assert_eq!(purged.header("retry-after"), "1");
    let why = purged.whole().await;
    assert!(
        why.starts_with(b"not purged: a cache tier did not do it"),
        "{why:?}"
    );

    lock.close().await.expect("the lock is let go");
    assert_eq!(proxy.purge("/page").await, 200);
    let again = proxy.get("/page").await;
    assert_eq!(again.cache(), "fwd=uri-miss; stored");
    again.expect(&content).await;
}
