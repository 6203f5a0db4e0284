//! P11: what clients, origins and operators keep to themselves is in no output, whatever happens, and however much the
//! operator wants to be told.

use std::fs;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderName, SET_COOKIE};

use crate::support::{Answer, Ask, Content, KIB, MIB, Origin, Proxy, Setup, folder};

/// What may appear nowhere. Each is in another place.
const CANARIES: [&str; 8] = [
    "canary-purge-token",
    "canary-wrong-token",
    "canary-basic",
    "canary-cookie",
    "canary-api-key",
    "canary-set-cookie",
    "canary-userinfo",
    "canary-response",
];

fn secretly(ask: Ask) -> Ask {
    ask.header("authorization", "Basic canary-basic")
        .header("cookie", "session=canary-cookie")
        .header("x-api-key", "canary-api-key")
}

/// Paths of the admin listener that there are, or may come to be.
const ADMIN: [&str; 6] = [
    "/",
    "/metrics",
    "/healthz",
    "/status",
    "/explain?url=http://e2e.example/public",
    "/debug",
];

async fn told_by_the_admin(proxy: &Proxy) -> String {
    let mut told = String::new();
    for path in ADMIN {
        let reply = proxy.admin(path).await;
        let headers = format!("{:?}", reply.headers);
        told.push_str(&headers);
        told.push_str(&String::from_utf8_lossy(&reply.whole().await));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn p11_not_by_logs_nor_metrics_nor_pages_of_a_whole_run() {
    let origin = Origin::start(|seen| {
        let len = if seen.path.starts_with("/large") {
            3 * MIB
        } else {
            KIB
        };
        let answer = Answer::new(Content::new(1, len))
            .header(SET_COOKIE, "id=canary-set-cookie")
            .header(HeaderName::from_static("x-secret"), "canary-response");
        match seen.path.as_str() {
            "/public" => answer.header(CACHE_CONTROL, "public, max-age=3600"),
            "/large" => answer
                .header(CACHE_CONTROL, "public, max-age=3600")
                .header(ETAG, "\"v1\""),
            "/breaks" => answer
                .header(CACHE_CONTROL, "public, max-age=3600")
                .die_at(100),
            _ => answer,
        }
    })
    .await;
    let data = folder();
    let setup = Setup::new(origin.address, data.path())
        .env("TERRACE_PURGE_TOKEN", "canary-purge-token")
        .env("RUST_LOG", "info,terrace=trace")
        .arg("--purge-token-only");
    let proxy = setup.start().await;

    for path in ["/public", "/public", "/large", "/large", "/private"] {
        let reply = secretly(proxy.ask("GET", path)).send().await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.whole().await;
    }
    let broken = secretly(proxy.ask("GET", "/breaks")).try_send().await;
    if let Ok(reply) = broken {
        drop(reply.try_whole().await);
    }
    // Stored bodies rot: that is told, and in detail.
    proxy.durable_commits(2).await;
    for body in files_below(&data.path().join("bodies")) {
        fs::write(body, "rotten").expect("room on the disk");
    }
    secretly(proxy.ask("GET", "/large"))
        .send()
        .await
        .whole()
        .await;
    // A request that is refused.
    let refused = secretly(
        proxy
            .ask("GET", "/")
            .host("user:canary-userinfo@e2e.example"),
    );
    assert_eq!(refused.send().await.status, StatusCode::BAD_REQUEST);
    for (token, status) in [
        ("canary-wrong-token", StatusCode::FORBIDDEN),
        ("canary-purge-token", StatusCode::OK),
    ] {
        let purge = proxy.ask("PURGE", "/public");
        let purge = purge.header("authorization", format!("Bearer {token}"));
        assert_eq!(purge.send().await.status, status);
    }
    let told = told_by_the_admin(&proxy).await;
    drop(origin);
    let failed = secretly(proxy.ask("GET", "/elsewhere")).send().await;
    assert_eq!(failed.status, StatusCode::BAD_GATEWAY);
    failed.whole().await;

    let output = [told, proxy.output(), told_by_the_admin(&proxy).await].concat();
    assert!(output.len() > 1000, "it is told of something: {output}");
    for canary in CANARIES {
        assert!(!output.contains(canary), "{canary} in: {output}");
    }
    assert!(!output.contains("panicked"), "{output}");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.metadata().is_ok_and(|file| file.len() > 0))
        .collect()
}
