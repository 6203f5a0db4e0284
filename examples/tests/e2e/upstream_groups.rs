//! Groups of upstreams that rules of the file name: each gets what is its own, and shows how it is.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hyper::StatusCode;
use hyper::header::CACHE_CONTROL;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Answer, Certificates, Content, KIB, Origin, Proxy, Setup, Speaks, eventually, folder,
};

/// An origin whose every body is its own.
async fn origin(seed: u64) -> Origin {
    Origin::start(move |seen| answer(seed, &seen.path)).await
}

fn answer(seed: u64, path: &str) -> Answer {
    let answer = Answer::new(body(seed));
    if path.contains("stale") {
        return answer.header(CACHE_CONTROL, "max-age=0, stale-while-revalidate=600");
    }
    answer
}

fn body(seed: u64) -> Content {
    Content::new(seed, 4 * KIB)
}

/// A proxy in front of `default`, with `text` in its file.
async fn start(default: &Origin, text: &str) -> (Proxy, TempDir) {
    let data = folder();
    let file = data.path().join("terrace.toml");
    fs::write(&file, text).expect("room on the disk");
    let setup = Setup::new(default.address, &data.path().join("data"));
    (setup.arg("--config").arg(&file).start().await, data)
}

/// What the status page shows of the group `api`: addresses, and whether they are well.
async fn shown(proxy: &Proxy) -> Vec<(String, Value)> {
    let page = proxy.admin("/status.json").await.whole().await;
    let page: Value = serde_json::from_slice(&page).expect("JSON");
    let servers = page["upstreams"].as_array().expect("a list").iter();
    let of_group = servers.filter(|it| it["group"] == "api");
    let told = of_group.map(|it| {
        let address = it["address"].as_str().expect("a text");
        (address.to_owned(), it["healthy"].clone())
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_sends_requests_to_its_group_by_weight() {
    let (default, one, two) = (origin(1).await, origin(2).await, origin(2).await);
    let text = format!(
        r#"
        [upstreams.api]
        servers = ["{}", {{ address = "{}", weight = 3 }}]
        [[rule]]
        host = "e2e.example"
        path = "/api/*"
        upstream = "api"
        "#,
        one.address, two.address
    );
    let (proxy, _data) = start(&default, &text).await;
    proxy.get("/page").await.expect(&body(1)).await;
    for nth in 0..8 {
        let path = format!("/api/{nth}");
        // From the origin, then from the cache, which knows nothing of groups.
        for _ in 0..2 {
            proxy.get(&path).await.expect(&body(2)).await;
        }
    }
    assert_eq!((one.requests(), two.requests()), (2, 6));
    assert_eq!(proxy.purge("/api/1").await, StatusCode::OK);
    proxy.get("/api/1").await.expect(&body(2)).await;
    assert_eq!(one.requests() + two.requests(), 9);
    // What is not stored, and what is fetched behind a client's back.
    let posted = proxy.ask("POST", "/api/form").send().await;
    posted.expect(&body(2)).await;
    for _ in 0..2 {
        proxy.get("/api/stale").await.expect(&body(2)).await;
    }
    eventually("it is revalidated", async || {
        one.count("/api/stale") + two.count("/api/stale") == 2
    })
    .await;
    assert_eq!(default.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_a_group_is_checked_and_shown() {
    let is_well = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&is_well);
    let default = origin(1).await;
    let moody = Origin::start(move |seen| {
        if seen.path == "/health" && !told.load(Relaxed) {
            return Answer::not_found();
        }
        answer(2, &seen.path)
    })
    .await;
    let good = origin(2).await;
    let text = format!(
        r#"
        [upstreams.api]
        servers = ["{}", "{}"]
        health = {{ path = "/health", every = "50ms" }}
        [[rule]]
        path = "/api/*"
        upstream = "api"
        "#,
        moody.address, good.address
    );
    let (proxy, _data) = start(&default, &text).await;
    let moodys = moody.address.to_string();
    let in_metrics = async || {
        let labels = [("group", "api"), ("upstream", moodys.as_str())];
        let metrics = proxy.metrics().await;
        metrics.sum("terrace_proxy_upstream_healthy", &labels) > 0.5
    };
    let expected = |moodys_health: bool| {
        vec![
            (moodys.clone(), Value::from(moodys_health)),
            (good.address.to_string(), Value::from(true)),
        ]
    };
    eventually("all are well", async || {
        in_metrics().await && shown(&proxy).await == expected(true)
    })
    .await;
    is_well.store(false, Relaxed);
    eventually("it is found out", async || {
        !in_metrics().await && shown(&proxy).await == expected(false)
    })
    .await;
    for nth in 0..6 {
        let path = format!("/api/{nth}");
        proxy.get(&path).await.expect(&body(2)).await;
        assert_eq!(good.count(&path), 1, "{path}");
    }
    is_well.store(true, Relaxed);
    eventually("it is well again", async || {
        in_metrics().await && shown(&proxy).await == expected(true)
    })
    .await;
    assert_eq!(default.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_of_a_group_has_its_own_tls() {
    let certificates = Certificates::new();
    let pair = certificates.issue("api", "api.internal");
    let speaks = Speaks {
        tls: Some(certificates.acceptor(&pair, "h2", false)),
        http2: true,
    };
    let secured = Origin::speaking(speaks, |seen| answer(2, &seen.path)).await;
    let (default, plain) = (origin(1).await, origin(2).await);
    let text = format!(
        r#"
        [upstreams.api]
        host = "api.internal"
        servers = [
            "{}",
            {{ address = "https://{}", tls_name = "api.internal", ca = "{}", http2 = true }},
        ]
        [[rule]]
        path = "/api/*"
        upstream = "api"
        "#,
        plain.address,
        secured.address,
        certificates.ca().display()
    );
    let (proxy, _data) = start(&default, &text).await;
    for nth in 0..4 {
        let path = format!("/api/{nth}");
        proxy.get(&path).await.expect(&body(2)).await;
    }
    assert_eq!((plain.requests(), secured.requests()), (2, 2));
    for seen in [plain.last(), secured.last()] {
        assert_eq!(seen.host, "api.internal");
    }
    assert_eq!(secured.last().version, hyper::Version::HTTP_2);
}
