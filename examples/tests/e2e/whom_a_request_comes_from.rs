//! What upstreams are told of clients, and what they are not told: the claims of strangers.

use std::fs;

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName, HeaderValue, VARY};
use tempfile::TempDir;

use crate::support::{Answer, Content, Origin, Proxy, Reply, Setup, folder};

/// An origin that says nothing of its own, but below `/vary` that its answers depend on where a request comes from.
async fn start(section: &str) -> (Origin, Proxy, TempDir) {
    let origin = Origin::start(|seen| {
        let answer = Answer::new(Content::new(1, 100));
        match seen.path.as_str() {
            "/vary/for" => answer.header(VARY, "X-Forwarded-For"),
            "/vary/proto" => answer.header(VARY, "X-Forwarded-Proto"),
            _ => answer,
        }
    })
    .await;
    let data = folder();
    let file = data.path().join("terrace.toml");
    fs::write(&file, section).expect("room on the disk");
    let setup = Setup::new(origin.address, &data.path().join("data"));
    let proxy = setup.arg("--config").arg(&file).start().await;
    (origin, proxy, data)
}

const CLAIMS: [(&str, &str); 5] = [
    ("x-forwarded-for", "198.51.100.1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.example"),
    ("x-real-ip", "198.51.100.2"),
    ("forwarded", "for=198.51.100.3"),
];

/// The answer to a request with [`CLAIMS`].
async fn claim(proxy: &Proxy, path: &str) -> Reply {
    let ask = proxy.ask("GET", path);
    let ask = CLAIMS
        .into_iter()
        .fold(ask, |ask, (name, value)| ask.header(name, value));
    ask.send().await
}

/// What the origin was told last, in the order of [`CLAIMS`]; empty where it was not.
fn told(origin: &Origin) -> [String; 5] {
    let headers: HeaderMap<HeaderValue> = origin.last().headers;
    CLAIMS.map(|(name, _)| {
        let values = headers.get_all(name).iter();
        let values = values.map(|it| it.to_str().expect("a text"));
        values.collect::<Vec<_>>().join(" | ")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_claims_reaches_no_upstream_and_no_other_client() {
    let (origin, proxy, _data) = start("").await;
    claim(&proxy, "/").await.whole().await;
    assert_eq!(told(&origin), ["127.0.0.1", "http", "e2e.example", "", ""]);
    // A client cannot have it taken out on the way either.
    let connection = "close, x-forwarded-for, x-forwarded-proto, x-forwarded-host";
    let ask = proxy.ask("GET", "/hop").header("connection", connection);
    ask.send().await.whole().await;
    assert_eq!(told(&origin), ["127.0.0.1", "http", "e2e.example", "", ""]);
    // One that varies by the scheme has it in its key, one that varies by the client is nobody else's.
    for (path, is_stored) in [("/vary/proto", true), ("/vary/for", false)] {
        claim(&proxy, path).await.whole().await;
        proxy.get(path).await.whole().await;
        assert_eq!(origin.count(path) == 1, is_stored, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_in_front_says_is_kept_and_its_scheme_is_in_the_key() {
    let section = "[forwarded]\ntrusted = [\"127.0.0.0/8\"]\nrfc7239 = true\n";
    let (origin, proxy, _data) = start(section).await;
    claim(&proxy, "/").await.whole().await;
    let forwarded = "for=198.51.100.3, for=127.0.0.1;proto=https;host=\"e2e.example\"";
    assert_eq!(
        told(&origin),
        [
            "198.51.100.1, 127.0.0.1",
            "https",
            "e2e.example",
            "198.51.100.2",
            forwarded
        ]
    );
    claim(&proxy, "/").await.whole().await;
    assert_eq!(origin.count("/"), 1);
    // The same by http is another page.
    proxy.get("/").await.whole().await;
    assert_eq!(origin.count("/"), 2);
    let told = origin.last();
    assert_eq!(
        told.header(HeaderName::from_static("x-forwarded-proto")),
        "http"
    );
    assert_eq!(
        told.header(FORWARDED),
        "for=127.0.0.1;proto=http;host=\"e2e.example\""
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_passed_on_where_that_is_wanted() {
    let (origin, proxy, _data) = start("[forwarded]\nclaims = \"append\"\n").await;
    claim(&proxy, "/").await.whole().await;
    let [chain, rest @ ..] = told(&origin);
    assert_eq!(chain, "198.51.100.1, 127.0.0.1");
    assert_eq!(
        rest,
        ["http", "e2e.example", "198.51.100.2", "for=198.51.100.3"]
    );
    let (origin, proxy, _data) = start("[forwarded]\nclaims = \"pass\"\n").await;
    claim(&proxy, "/").await.whole().await;
    assert_eq!(told(&origin), CLAIMS.map(|(_, value)| value.to_owned()));
}
