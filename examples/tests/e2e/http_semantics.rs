//! What HTTP caches do for clients: conditions, `HEAD`, staleness; and what they must not store or mix up.

use hyper::header::{AGE, CACHE_CONTROL, ETAG, IF_NONE_MATCH, LAST_MODIFIED, VARY};
use hyper::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{
    AUTHORITY, Answer, Connection, Content, Gate, KIB, Origin, Proxy, Setup, eventually, folder,
};

/// An origin whose first answer is the first of `answers`, and so on; the last one is repeated.
async fn one_by_one(answers: Vec<Answer>) -> Origin {
    let asked = AtomicUsize::new(0);
    let last = answers.len() - 1;
    Origin::start(move |_| answers[asked.fetch_add(1, Ordering::Relaxed).min(last)].clone()).await
}

/// Stored, but stale when it comes.
fn stale(content: &Content, windows: &str) -> Answer {
    Answer::new(content.clone())
        .header(CACHE_CONTROL, &format!("max-age=5{windows}"))
        .header(AGE, "10")
}

/// Asks until what was stored on the way is in L0.
async fn in_memory(proxy: &Proxy, path: &str) {
    eventually("it is in L0", async || {
        let reply = proxy.get(path).await;
        let is_hit = reply.cache() == "hit; detail=L0";
        reply.whole().await;
        is_hit
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_from_what_get_stored() {
    let content = Content::new(1, 100 * KIB);
    let answer = Answer::new(content.clone()).header(ETAG, "\"v1\"");
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    // A HEAD that misses fetches the whole.
    let head = proxy.ask("HEAD", "/page").send().await;
    assert_eq!(head.cache(), "fwd=uri-miss; stored");
    assert_eq!(head.whole().await.len(), 0);
    in_memory(&proxy, "/page").await;
    let head = proxy.ask("HEAD", "/page").send().await;
    assert_eq!(
        (head.status.as_u16(), &*head.cache()),
        (200, "hit; detail=L0")
    );
    assert_eq!(head.header("content-length"), content.len().to_string());
    assert_eq!(head.header("etag"), "\"v1\"");
    assert_eq!(head.whole().await.len(), 0);
    proxy.get("/page").await.expect(&content).await;
    assert_eq!(origin.count("/page"), 1);
    assert_eq!(origin.last().method, Method::GET);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_it_gets_a_304() {
    const WHEN: &str = "Sat, 21 Nov 2020 06:00:00 GMT";
    let content = Content::new(1, 100);
    let answer = Answer::new(content.clone())
        .header(ETAG, "\"v1\"")
        .header(LAST_MODIFIED, WHEN);
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.expect(&content).await;
    in_memory(&proxy, "/page").await;
    for (name, value, status) in [
        ("if-none-match", "\"v1\"", 304),
        ("if-none-match", "\"v0\", W/\"v1\"", 304),
        ("if-none-match", "\"v0\"", 200),
        ("if-modified-since", WHEN, 304),
        ("if-modified-since", "Fri, 20 Nov 2020 06:00:00 GMT", 200),
    ] {
        let reply = proxy.ask("GET", "/page").header(name, value).send().await;
        assert_eq!(reply.status, status, "{name}: {value}");
        assert_eq!(reply.cache(), "hit; detail=L0");
        assert_eq!(reply.header("etag"), "\"v1\"");
        let content = if status == 200 {
            content.clone()
        } else {
            content.slice(0..0)
        };
        reply.expect(&content).await;
    }
    assert_eq!(origin.count("/page"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_is_confirmed_or_replaced() {
    let (old, new) = (Content::new(1, 100 * KIB), Content::new(2, 100 * KIB));
    let first = stale(&old, "").header(ETAG, "\"v1\"");
    let replaced = Answer::new(new.clone()).header(ETAG, "\"v2\"");
    let origin = one_by_one(vec![first.clone(), first, replaced]).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.expect(&old).await;
    proxy.durable_commits(1).await;
    let confirmed = proxy.get("/page").await;
    assert_eq!(confirmed.cache(), "fwd=stale; fwd-status=304; detail=L0");
    assert_eq!(origin.last().header(IF_NONE_MATCH), "\"v1\"");
    confirmed.expect(&old).await;
    // Confirmed, and still stale.
    let replaced = proxy.get("/page").await;
    assert_eq!(replaced.cache(), "fwd=stale; stored");
    replaced.expect(&new).await;
    in_memory(&proxy, "/page").await;
    proxy.get("/page").await.expect(&new).await;
    assert_eq!(origin.count("/page"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_is_served_at_once_while_one_request_fetches_it_anew() {
    let (old, new) = (Content::new(1, 100), Content::new(2, 100));
    let gate = Gate::new();
    let fresh = Answer::new(new.clone()).delayed_by(&gate);
    let origin = one_by_one(vec![stale(&old, ", stale-while-revalidate=600"), fresh]).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.expect(&old).await;
    proxy.durable_commits(1).await;
    for _ in 0..5 {
        let reply = proxy.get("/page").await;
        assert_eq!(reply.cache(), "hit; detail=L0");
        let status = reply.header("cache-status");
        assert!(status.contains("ttl=-"), "{status}: it is stale");
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
async fn what_is_stale_is_better_than_an_error() {
    let content = Content::new(1, 100);
    let failing = Answer::not_found().status(StatusCode::SERVICE_UNAVAILABLE);
    let mut origin = one_by_one(vec![stale(&content, ", stale-if-error=600"), failing]).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.expect(&content).await;
    proxy.durable_commits(1).await;
    let reply = proxy.get("/page").await;
    assert_eq!(
        (reply.status.as_u16(), &*reply.cache()),
        (200, "fwd=stale; fwd-status=503; detail=L0")
    );
    reply.expect(&content).await;
    origin.stop().await;
    let reply = proxy.get("/page").await;
    assert_eq!(
        (reply.status.as_u16(), &*reply.cache()),
        (200, "fwd=stale; detail=L0")
    );
    reply.expect(&content).await;
    assert_eq!(proxy.get("/other").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_one_client_or_not_to_be_kept_is_not_stored() {
    let content = Content::new(1, 100);
    let known = content.clone();
    let origin = Origin::start(move |seen| {
        let control = seen.path.trim_start_matches('/');
        Answer::new(known.clone()).header(CACHE_CONTROL, control)
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    for control in ["no-store", "private", "private,max-age=60", "max-age=0"] {
        let path = format!("/{control}");
        for _ in 0..2 {
            let reply = proxy.get(&path).await;
            assert!(
                !reply.cache().contains("stored"),
                "{control}: {}",
                reply.cache()
            );
            reply.expect(&content).await;
        }
        assert_eq!(origin.count(&path), 2, "{control}");
    }
    let post = proxy.ask("POST", "/max-age=60").send().await;
    assert_eq!(post.cache(), "fwd=method");
    let get = proxy.get("/max-age=60").await;
    assert_eq!(get.cache(), "fwd=uri-miss; stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_when_an_unsafe_request_succeeds_is_not_stored() {
    let (old, new) = (Content::new(1, 100 * KIB), Content::new(2, 100 * KIB));
    let gate = Gate::new();
    let slow = Answer::new(old.clone()).hold_at(64 * KIB, &gate);
    let changed = Answer::new(Content::new(3, 10)).header(CACHE_CONTROL, "no-store");
    let origin = one_by_one(vec![slow, changed, Answer::new(new.clone())]).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    let reading = proxy.get("/page").await;
    let put = proxy.ask("PUT", "/page").send().await;
    assert_eq!((put.status.as_u16(), &*put.cache()), (200, "fwd=method"));
    gate.open();
    reading.expect(&old).await;
    proxy.get("/page").await.expect(&new).await;
    in_memory(&proxy, "/page").await;
    proxy.get("/page").await.expect(&new).await;
    assert_eq!(origin.count("/page"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_url_has_so_many_variants_and_no_more() {
    let content = Content::new(1, 100);
    let answer = Answer::new(content.clone()).header(VARY, "x-made-up");
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    let ask = async |value: u32| {
        let ask = proxy
            .ask("GET", "/page")
            .header("x-made-up", value.to_string());
        let reply = ask.send().await;
        let cache = reply.cache();
        reply.expect(&content).await;
        cache
    };
    for value in 0..128 {
        assert!(ask(value).await.ends_with("stored"), "{value}");
    }
    for value in 128..140 {
        assert_eq!(ask(value).await, "fwd=vary-miss; detail=variants");
    }
    assert!(!ask(5).await.contains("variants"));
    // A purge makes room.
    assert_eq!(proxy.purge("/page").await, 200);
    assert_eq!(ask(140).await, "fwd=uri-miss; stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_queries_are_not_mixed_up() {
    let origin = Origin::start(|seen| {
        let url = format!("{}{}", seen.header(hyper::header::HOST), seen.path);
        Answer::new(Content::new(url.len() as u64, 100 + url.len() as u64))
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    for cache in ["fwd=uri-miss; stored", "hit; detail=L0"] {
        for (host, path) in [
            (AUTHORITY, "/a"),
            (AUTHORITY, "/a?"),
            (AUTHORITY, "/a?b"),
            (AUTHORITY, "/a?b=1"),
            ("other.e2e.example", "/a"),
        ] {
            let reply = proxy.ask("GET", path).host(host).send().await;
            assert_eq!(reply.cache(), cache, "{host}{path}");
            let len = (host.len() + path.len()) as u64;
            reply.expect(&Content::new(len, 100 + len)).await;
        }
        proxy.durable_commits(5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_them_all() {
    let content = Content::new(1, 3000 * KIB);
    let answer = Answer::new(content.clone()).header(ETAG, "\"v1\"");
    let origin = Origin::start(move |seen| match &*seen.path {
        "/chunked" => answer.clone().chunked(),
        "/nothing" => Answer::not_found(),
        _ => answer.clone(),
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    let mut connection = Connection::open(proxy.listen)
        .await
        .expect("the proxy listens");
    let mut commits = 0;
    for times in 0..3 {
        for (method, path, header, status) in [
            ("GET", "/length", None, 200),
            ("GET", "/chunked", None, 200),
            ("GET", "/length", None, 200),
            ("HEAD", "/length", None, 200),
            ("GET", "/length", Some(("range", "bytes=5-9")), 206),
            ("GET", "/length", Some(("range", "bytes=99999999-")), 416),
            ("GET", "/chunked", Some(("if-none-match", "\"v1\"")), 304),
            ("GET", "/nothing", None, 404),
            ("PURGE", "/nothing", None, 404),
            ("PURGE", "/length", None, 200),
            // What succeeds is purged.
            ("POST", "/chunked", None, 200),
            ("GET", "/chunked", None, 200),
            ("PURGE", "/chunked", None, 200),
        ] {
            let what = format!("{method} {path} {header:?} ({times})");
            let ask = proxy.ask(method, path);
            let ask = match header {
                Some((name, value)) => ask.header(name, value),
                None => ask,
            };
            let reply = connection.try_send(ask).await;
            let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(reply.status, status, "{what}");
            let is_stored = reply.header("cache-status").contains("; stored");
            match (method, status) {
                ("GET" | "POST", 200) => reply.expect(&content).await,
                ("GET", 206) => reply.expect(&content.slice(5..10)).await,
                ("HEAD", _) | (_, 304 | 416) => assert_eq!(reply.whole().await.len(), 0, "{what}"),
                _ => assert_ne!(reply.whole().await.len(), 0, "{what}"),
            }
            if is_stored {
                commits += 1;
                proxy.durable_commits(commits).await;
            }
        }
    }
}

/// Whether a body that ends with its connection is whole, nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_with_its_connection_is_not_stored() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut origin = JoinSet::new();
    origin.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            if matches!(stream.read(&mut [0; 4096]).await, Ok(0) | Err(_)) {
                // Somebody only looked whether we are there.
                continue;
            }
            count.fetch_add(1, Ordering::Relaxed);
            let answer = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nmaybe whole";
            stream.write_all(answer).await.expect("the proxy listens");
        }
    });
    let data = folder();
    let proxy = Setup::new(address, data.path()).start().await;
    for times in 1..=2 {
        let reply = proxy.get("/page").await;
        assert_eq!(reply.cache(), "fwd=uri-miss; detail=close-delimited");
        assert_eq!(reply.whole().await, "maybe whole");
        assert_eq!(asked.load(Ordering::Relaxed), times);
    }
}
