use std::collections::BTreeSet;
use std::time::Duration;

use pingora::http::RequestHeader;
use serde_json::Value;
use terrace_pingora::TerraceStorage;

use super::*;
use crate::status::{Forward, Report, Served};
use crate::{CachingProxy, ProxyConfig};

/// A proxy that has served something, and what its admin listener says.
fn proxy() -> (CachingProxy, Admin) {
    let storage: &'static TerraceStorage = Box::leak(Box::default());
    let mut config = ProxyConfig::new("127.0.0.1:9000".parse().unwrap());
    config.purge.token = Some("secret".into());
    let proxy = CachingProxy::new(storage, config).unwrap();
    let admin = Admin::new(storage, String::new).insight(proxy.insight());
    (proxy, admin)
}

fn json(proxy: &CachingProxy, admin: &Admin, target: &str, peer: &str) -> Value {
    let req = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
    let asked = Asked {
        req: &req,
        peer: peer.parse().ok(),
    };
    let answer = answer(admin, &asked, &proxy.insight());
    assert_eq!(answer.status, StatusCode::OK);
    serde_json::from_str(&answer.body).unwrap()
}

fn serve(proxy: &CachingProxy, url: &str) {
    let report = Report::new(Served::Hit { stale: false }, Forward::UriMiss);
    let insight = proxy.insight();
    let took = Duration::from_micros(100);
    insight
        .stats()
        .served(&report, 1000, took, || url.to_owned());
}

/// The paths of all values, `a.b`, those of an array's elements as `a[]`.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let dot = if at.is_empty() { "" } else { "." };
                paths(value, &format!("{at}{dot}{name}"), into);
            }
        }
        Value::Array(values) => values
            .iter()
            .for_each(|it| paths(it, &format!("{at}[]"), into)),
        _ => drop(into.insert(at.to_owned())),
    }
}

#[test]
fn what_others_may_read_stays_where_it_is() {
    let (proxy, admin) = proxy();
    serve(&proxy, "http://a.example/");
    proxy.insight().stats().tick(Duration::from_secs(1));
    let mut found = BTreeSet::new();
    paths(
        &json(&proxy, &admin, "/status.json", "127.0.0.1"),
        "",
        &mut found,
    );
    found.retain(|path| !path.starts_with("bytes.") && !path.starts_with("requests."));
    let expected = [
        "history.columns[]",
        "history.seconds.every_ms",
        "history.seconds.first",
        "history.seconds.keep",
        "history.seconds.rows[][]",
        "history.tens.every_ms",
        "history.tens.first",
        "history.tens.keep",
        "in_flight",
        "in_progress.bodies",
        "in_progress.memory_bytes",
        "in_progress.memory_limit_bytes",
        "name",
        "now_ms",
        "purge.token",
        "schema",
        "status",
        "top.bytes.heaviest[].cut",
        "top.bytes.heaviest[].url",
        "top.bytes.heaviest[].weight",
        "top.bytes.total",
        "top.requests.heaviest[].cut",
        "top.requests.heaviest[].url",
        "top.requests.heaviest[].weight",
        "top.requests.total",
        "upstreams[].address",
        "upstreams[].group",
        "upstreams[].healthy",
        "uptime_ms",
        "version",
    ];
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_row_has_a_value_for_each_column() {
    let (proxy, admin) = proxy();
    serve(&proxy, "http://a.example/");
    serve(&proxy, "http://a.example/");
    proxy.insight().stats().tick(Duration::from_secs(1));
    let told = json(&proxy, &admin, "/status.json", "127.0.0.1");
    let value = |name: &str| {
        let column = COLUMNS.iter().position(|it| *it == name).unwrap();
        assert_eq!(told["history"]["columns"][column], name);
        told["history"]["seconds"]["rows"][0][column].clone()
    };
    assert_eq!(value("span_ms"), 1000);
    assert_eq!(value("hit"), 2);
    assert_eq!(value("bytes_cache"), 2000);
    assert!(
        value("p99_cache_us")
            .as_u64()
            .is_some_and(|it| (90..110).contains(&it))
    );
    assert_eq!(value("p50_origin_us"), Value::Null);
    assert_eq!(told["requests"]["hit"], 2);
    assert_eq!(told["top"]["requests"]["heaviest"][0]["weight"], 2);
}

#[test]
fn who_asks_again_gets_only_what_is_new() {
    let (proxy, admin) = proxy();
    for _ in 0..25 {
        proxy.insight().stats().tick(Duration::from_secs(1));
    }
    let told = json(
        &proxy,
        &admin,
        "/status.json?seconds=23&tens=1",
        "127.0.0.1",
    );
    for (step, first, rows) in [("seconds", 23, 2), ("tens", 1, 1)] {
        let step = &told["history"][step];
        assert_eq!(step["first"], first);
        assert_eq!(step["rows"].as_array().unwrap().len(), rows);
    }
    for nonsense in [
        "?seconds=x",
        "?seconds=-1",
        "?seconds",
        "?=&&seconds=",
        "?seconds=99999999999999999999",
    ] {
        let told = json(
            &proxy,
            &admin,
            &format!("/status.json{nonsense}"),
            "127.0.0.1",
        );
        assert_eq!(told["history"]["seconds"]["first"], 0, "{nonsense}");
    }
}

#[test]
fn it_says_whether_a_token_is_needed_and_never_which() {
    let (proxy, admin) = proxy();
    let told = |peer| json(&proxy, &admin, "/status.json", peer);
    assert_eq!(told("127.0.0.1")["purge"]["token"], "accepted");
    assert_eq!(told("192.0.2.1")["purge"]["token"], "required");
    assert!(!told("127.0.0.1").to_string().contains("secret"));
}

#[test]
fn without_tiers_it_is_starting() {
    let (proxy, admin) = proxy();
    let told = json(&proxy, &admin, "/status.json", "127.0.0.1");
    assert_eq!(
        (
            told["status"].as_str(),
            told["tiers"].as_array().map(Vec::len)
        ),
        (Some("starting"), Some(0))
    );
}
