//! HTTP/1 and HTTP/2, with TLS and without, with clients and with upstreams: what is stored from one is served over another.

use std::net::SocketAddr;

use hyper::Version;
use hyper::header::{CACHE_CONTROL, COOKIE, ETAG, HeaderName};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{
    Answer, Certificates, Connection, Content, Gate, Http2, KIB, MIB, Origin, Proxy, Reply, Setup,
    Speaks, eventually, folder,
};

const H2: &[&str] = &["h2", "http/1.1"];

/// A proxy that listens with TLS, too, with a certificate for `localhost`.
fn with_tls(setup: Setup, certificates: &Certificates) -> Setup {
    let pair = certificates.issue("proxy", "localhost");
    let setup = setup.args(pair.args("--tls-cert", "--tls-key"));
    setup.args(["--tls-listen", "127.0.0.1:0"])
}

fn tls_address(proxy: &Proxy) -> SocketAddr {
    proxy.tls.expect("it listens with TLS")
}

/// What a test needs to speak to an upstream in one of three ways.
async fn origin(
    how: &str,
    certificates: &Certificates,
    answer: Answer,
) -> (Origin, String, Vec<&'static str>) {
    let pair = certificates.issue("origin", "localhost");
    let (speaks, scheme, options) = match how {
        "http/1.1" => (Speaks::default(), "http", vec![]),
        "h2c" => {
            let speaks = Speaks {
                tls: None,
                http2: true,
            };
            (speaks, "http", vec!["--upstream-http2"])
        }
        "h2" => {
            let speaks = Speaks {
                tls: Some(certificates.acceptor(&pair, "h2", false)),
                http2: true,
            };
            (speaks, "https", vec!["--upstream-http2"])
        }
        other => panic!("{other}"),
    };
    let origin = Origin::speaking(speaks, move |_| answer.clone()).await;
    let port = origin.address.port();
    // It listens on 127.0.0.1 only; the name may have another address, which is left out when it fails.
    (origin, format!("{scheme}://localhost:{port}"), options)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_from_any_protocol_is_served_over_any_other() {
    let certificates = Certificates::new();
    let content = Content::new(3, 100 * KIB);
    for how in ["http/1.1", "h2c", "h2"] {
        for has_length in [true, false] {
            let answer = Answer::new(content.clone())
                .header(ETAG, "\"v1\"")
                .header(HeaderName::from_static("x-thing"), "1");
            let answer = if has_length { answer } else { answer.chunked() };
            let (origin, upstream, options) = origin(how, &certificates, answer).await;
            let data = folder();
            let mut setup = with_tls(Setup::in_front_of(&[upstream], data.path()), &certificates)
                .arg("--upstream-ca")
                .arg(certificates.ca())
                .arg("--listen-h2c");
            for option in options {
                setup = setup.arg(option);
            }
            let proxy = setup.start().await;
            served_over_all(&proxy, &certificates, &content, has_length).await;
            let is_h2 = origin.last().version == Version::HTTP_2;
            assert_eq!(is_h2, how != "http/1.1");
            // The key has the scheme in it, so that clients with TLS made it be fetched once more.
            assert_eq!(origin.count("/thing"), 2, "{how}");
        }
    }
}

async fn served_over_all(
    proxy: &Proxy,
    certificates: &Certificates,
    content: &Content,
    has_length: bool,
) {
    proxy.get("/thing").await.expect(content).await;
    eventually("it is a hit", async || {
        let hit = proxy.get("/thing").await;
        let is_hit = hit.cache().starts_with("hit");
        hit.expect(content).await;
        is_hit
    })
    .await;
    // Cleartext first, from one fetch; then TLS, from another.
    let h2c = Http2::open(proxy.listen).await;
    over_http2(&h2c, content, has_length).await;
    let tls = certificates.connector(H2);
    let h2 = Http2::open_tls(tls_address(proxy), &tls).await;
    h2.get("/thing").await.expect(content).await;
    eventually("it is a hit over TLS", async || {
        let hit = h2.get("/thing").await;
        let is_hit = hit.cache().starts_with("hit");
        hit.expect(content).await;
        is_hit
    })
    .await;
    over_http2(&h2, content, has_length).await;
    let http1 = certificates.connector(&["http/1.1"]);
    let mut connection = Connection::open_tls(tls_address(proxy), &http1)
        .await
        .expect("a connection");
    let reply = connection.try_send(proxy.ask("GET", "/thing")).await;
    let reply = reply.expect("a response");
    assert!(reply.cache().starts_with("hit"), "{}", reply.cache());
    reply.expect(content).await;
}

async fn over_http2(client: &Http2, content: &Content, has_length: bool) {
    let hit = client.get("/thing").await;
    assert!(hit.cache().starts_with("hit"), "{}", hit.cache());
    assert_eq!(hit.header("x-thing"), "1");
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
        assert!(!hit.headers.contains_key(name), "{name}");
    }
    hit.expect(content).await;

    let range = client.send("GET", "/thing", &[("range", "bytes=10-99")]);
    let range = range.await;
    // Where the origin did not tell a body's length, its parts cannot be named: by HTTP/1.1 no more than here.
    if has_length {
        assert_eq!(range.status, 206);
        range.expect(&content.slice(10..100)).await;
    } else {
        assert_eq!(range.status, 200);
        range.expect(content).await;
    }

    let head = client.send("HEAD", "/thing", &[]).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.whole().await.len(), 0);

    let same = client.send("GET", "/thing", &[("if-none-match", "\"v1\"")]);
    let same = same.await;
    assert_eq!(same.status, 304);
    assert_eq!(same.whole().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_gets_what_came_over_http_2() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let certificates = Certificates::new();
    let content = Content::new(3, 10 * KIB);
    let answer = Answer::new(content.clone()).chunked();
    let (_origin, upstream, options) = origin("h2c", &certificates, answer).await;
    let data = folder();
    let setup = Setup::in_front_of(&[upstream], data.path());
    let proxy = setup.arg(options[0]).start().await;
    for _ in 0..2 {
        let mut stream = tokio::net::TcpStream::connect(proxy.listen)
            .await
            .expect("it listens");
        let request = b"GET /thing HTTP/1.0\r\nhost: e2e.example\r\n\r\n";
        stream.write_all(request).await.expect("it reads");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.expect("it answers");
        let end = reply.windows(4).position(|it| it == b"\r\n\r\n");
        let (head, body) = reply.split_at(end.expect("a header") + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert_eq!(body, content.bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_want_the_same_wait_for_one_fetch() {
    let certificates = Certificates::new();
    let content = Content::new(4, MIB);
    let gate = Gate::new();
    let answer = Answer::new(content.clone()).hold_at(64 * KIB, &gate);
    let (origin, upstream, options) = origin("h2", &certificates, answer).await;
    let data = folder();
    let setup = with_tls(Setup::in_front_of(&[upstream], data.path()), &certificates);
    let setup = setup.arg("--upstream-ca").arg(certificates.ca());
    let proxy = setup.arg(options[0]).start().await;
    let client = Http2::open_tls(tls_address(&proxy), &certificates.connector(H2)).await;
    let mut replies = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        replies.spawn(async move { client.get("/one").await });
    }
    let mut whole = JoinSet::new();
    while let Some(reply) = replies.join_next().await {
        let (reply, content) = (reply.expect("a header"), content.clone());
        whole.spawn(async move { reply.expect(&content).await });
    }
    gate.open();
    while let Some(reply) = whole.join_next().await {
        reply.expect("the whole body");
    }
    assert_eq!(origin.count("/one"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_leaves_the_fill_going() {
    let certificates = Certificates::new();
    let content = Content::new(4, 3 * MIB);
    let gate = Gate::new();
    let answer = Answer::new(content.clone()).hold_at(MIB, &gate);
    let (origin, upstream, _) = origin("http/1.1", &certificates, answer).await;
    let data = folder();
    let setup = with_tls(Setup::in_front_of(&[upstream], data.path()), &certificates);
    let proxy = setup.start().await;
    let client = Http2::open_tls(tls_address(&proxy), &certificates.connector(H2)).await;
    let mut reply = client.get("/one").await;
    assert!(reply.next().await.expect("it has begun").is_some());
    // RST_STREAM with CANCEL.
    drop(reply);
    gate.open();
    proxy.durable_commits(1).await;
    let hit = client.get("/one").await;
    assert!(hit.cache().starts_with("hit"), "{}", hit.cache());
    hit.expect(&content).await;
    assert_eq!(origin.count("/one"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_and_a_background_revalidation_over_tls_meet_the_key_of_https() {
    let certificates = Certificates::new();
    let content = Content::new(4, 10 * KIB);
    let answer = Answer::new(content.clone())
        .header(CACHE_CONTROL, "max-age=0, stale-while-revalidate=600")
        .header(ETAG, "\"v1\"");
    let (origin, upstream, _) = origin("http/1.1", &certificates, answer).await;
    let data = folder();
    let setup = with_tls(Setup::in_front_of(&[upstream], data.path()), &certificates);
    let proxy = setup.start().await;
    let client = Http2::open_tls(tls_address(&proxy), &certificates.connector(H2)).await;
    client.get("/one").await.expect(&content).await;
    eventually("a stale hit", async || {
        let reply = client.get("/one").await;
        let is_hit = reply.cache().starts_with("hit");
        reply.expect(&content).await;
        is_hit
    })
    .await;
    eventually("it is revalidated, not fetched", async || {
        origin.last().headers.contains_key("if-none-match")
    })
    .await;
    // Nothing was put under the key of http.
    assert_eq!(proxy.purge("/one").await, 404);
    let purged = client.send("PURGE", "/one", &[]).await;
    assert_eq!(purged.status, 200);
    purged.whole().await;
    let again = client.get("/one").await;
    assert_eq!(again.cache(), "fwd=uri-miss; stored");
    again.expect(&content).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_that_come_in_crumbs_go_on_as_one() {
    let certificates = Certificates::new();
    let answer = Answer::new(Content::new(4, 10));
    let (origin, upstream, _) = origin("http/1.1", &certificates, answer).await;
    let data = folder();
    let setup = Setup::in_front_of(&[upstream], data.path()).arg("--listen-h2c");
    let proxy = setup.start().await;
    let client = Http2::open(proxy.listen).await;
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
    client.send("GET", "/one", &crumbs).await.whole().await;
    let seen = origin.last();
    assert_eq!(seen.headers.get_all(COOKIE).iter().count(), 1);
    assert_eq!(seen.header(COOKIE), "a=1; b=2; c=3");
    assert_eq!(seen.host, "e2e.example");
}

/// How a server of HTTP/2 ends a body in its middle.
#[derive(Debug, Clone, Copy)]
enum End {
    Reset(h2::Reason),
    Closed,
    /// Properly, but before the length that it has announced.
    Early,
}

async fn ends_early(end: End) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            connections.spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else {
                    return;
                };
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let mut response = hyper::Response::builder()
                        .header("cache-control", "max-age=3600")
                        .header("etag", "\"v1\"");
                    if matches!(end, End::Early) {
                        response = response.header("content-length", "2000");
                    }
                    let response = response.body(()).expect("a response");
                    let mut body = respond.send_response(response, false).expect("a stream");
                    let is_end = matches!(end, End::Early);
                    body.send_data(vec![b'x'; 1000].into(), is_end)
                        .expect("room");
                    match end {
                        End::Reset(reason) => {
                            // What was sent has to be on its way, or the reset takes it back.
                            drop(tokio::time::timeout(SHORT, connection.accept()).await);
                            body.send_reset(reason);
                        }
                        End::Closed => {
                            drop(tokio::time::timeout(SHORT, connection.accept()).await);
                            return;
                        }
                        End::Early => {}
                    }
                }
            });
        }
    });
    (address, server)
}

/// Long enough for a frame to leave; if it does not, there is less to be cut, which is right, too.
const SHORT: std::time::Duration = std::time::Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_an_upstream_breaks_off_is_never_stored_as_a_whole() {
    for end in [
        End::Reset(h2::Reason::INTERNAL_ERROR),
        End::Reset(h2::Reason::CANCEL),
        End::Reset(h2::Reason::NO_ERROR),
        End::Closed,
        End::Early,
    ] {
        let (address, _server) = ends_early(end).await;
        let data = folder();
        let setup = Setup::new(address, data.path()).arg("--upstream-http2");
        let proxy = setup.arg("--listen-h2c").start().await;
        let h2 = Http2::open(proxy.listen).await;
        for round in 0..3 {
            for over_h2 in [false, true] {
                let reply: Result<Reply, _> = if over_h2 {
                    h2.try_send("GET", "/one", &[]).await
                } else {
                    proxy.ask("GET", "/one").try_send().await
                };
                let Ok(reply) = reply else { continue };
                let told = reply.header("cache-status").to_owned();
                assert!(!told.contains("hit"), "{end:?} {round}: {told}");
                let is_ok = reply.status == 200;
                let whole = reply.try_whole().await;
                assert!(!is_ok || whole.is_err(), "{end:?} {round}: it ended well");
            }
        }
        let labels = [("outcome", "committed")];
        let metrics = proxy.metrics().await;
        let committed = metrics.sum("terrace_fill_lanes_total", &labels);
        assert!(committed < 1.0, "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_beyond_the_bound_is_refused_and_the_next_request_is_served() {
    let certificates = Certificates::new();
    let content = Content::new(4, 10);
    let answer = Answer::new(content.clone());
    let (_origin, upstream, _) = origin("http/1.1", &certificates, answer).await;
    let data = folder();
    let setup = Setup::in_front_of(&[upstream], data.path()).arg("--listen-h2c");
    let setup = setup.args(["--http2-header-bytes", "8KiB"]);
    let proxy = setup.start().await;
    let long = "x".repeat(20_000);
    let client = Http2::open(proxy.listen).await;
    let refused = client.try_send("GET", "/one", &[("x-long", &long)]).await;
    if let Ok(reply) = refused {
        assert_eq!(reply.status, 431);
    }
    let client = Http2::open(proxy.listen).await;
    client.get("/one").await.expect(&content).await;
}
