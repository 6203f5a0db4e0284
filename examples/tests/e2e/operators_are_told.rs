//! What an operator meets: mistakes that are named with what to do, defaults that are shown, an end that loses nothing,
//! and figures that can be scraped.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::{Answer, Content, Gate, KIB, MIB, Metrics, Origin, Proxy, Setup, folder};

/// It must not start, and say all of `told` on standard error.
async fn refuses(setup: Setup, told: &[&str]) {
    let ended = setup.ends().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for part in told {
        assert!(ended.stderr.contains(part), "{part:?} is not in {ended:?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    assert!(!ended.stdout.contains("ready"), "{ended:?}");
}

fn nowhere() -> std::net::SocketAddr {
    "127.0.0.1:9".parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_address_that_cannot_be_used() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    for option in ["--listen", "--admin"] {
        let free = if option == "--listen" {
            "--admin"
        } else {
            "--listen"
        };
        let setup = Setup::bare().args([option, &address, free, "127.0.0.1:0"]);
        let data = folder();
        let setup = setup.arg("--data").arg(data.path());
        refuses(setup, &[&address, option, "choose another port"]).await;
    }
    let setup = Setup::bare().args(["--listen", "no colon"]);
    refuses(setup, &["no colon", "HOST:PORT"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_upstream_that_cannot_be_found() {
    let listen = [
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--upstream",
    ];
    let setup = |upstream| Setup::bare().args(listen).arg(upstream);
    let host = "no-such-host.invalid:80";
    refuses(setup(host), &["cannot resolve the upstream", host]).await;
    refuses(
        setup("http://origin.example/"),
        &["--upstream", "HOST:PORT"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_folder_that_cannot_be_used() {
    let place = folder();
    let file = place.path().join("a-file");
    fs::write(&file, "not a folder").expect("room on the disk");
    refuses(Setup::new(nowhere(), &file.join("data")), &["a-file"]).await;
    // A database of somebody else's is left alone.
    let foreign = place.path().join("foreign");
    fs::create_dir(&foreign).expect("a folder");
    let index = foreign.join("index.db");
    fs::write(
        &index,
        "not a database, but longer than the header of one would be: ".repeat(9),
    )
    .expect("room on the disk");
    let before = fs::read(&index).expect("it is there");
    refuses(Setup::new(nowhere(), &foreign), &["index.db"]).await;
    assert_eq!(fs::read(&index).expect("it is there"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_options_that_make_no_sense() {
    for (args, told) in [
        (["--l0-bytes", "12 apples"], "64MiB"),
        (["--l0-bytes", "0"], "at least"),
        (
            ["--l0-gate", "1GiB"],
            "--l0-gate is more than a quarter of --l0-bytes",
        ),
        (["--threads", "0"], "--threads"),
        (["--gc-interval", "0"], "--gc-interval"),
        (["--durability", "maybe"], "power-loss"),
        (["--no-such-option", "1"], "--no-such-option"),
    ] {
        refuses(Setup::bare().args(args), &[told]).await;
    }
    refuses(Setup::bare().arg("--purge-token-only"), &["--purge-token"]).await;
    let setup = Setup::bare().env("TERRACE_L0_BYTES", "many");
    refuses(setup, &["many", "64MiB"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_option_its_default_and_its_variable() {
    let secret = "s3cret-4711";
    let help = Setup::bare()
        .arg("--help")
        .env("TERRACE_PURGE_TOKEN", secret);
    let help = help.ends().await;
    assert!(help.status.success(), "{help:?}");
    assert!(!help.stdout.contains(secret));
    let options = [
        ("listen", "[default: 127.0.0.1:8080]"),
        ("admin", "[default: 127.0.0.1:8081]"),
        ("upstream", ""),
        ("purge-token", ""),
        ("data", "[default: ./terrace-data]"),
        ("l0-bytes", "[default: 256MiB]"),
        ("l0-gate", "[default: 2MiB]"),
        ("no-l0", ""),
        ("durability", "[default: power-loss]"),
        ("gc-interval", "[default: 600]"),
        ("grace", "[default: 10]"),
        ("threads", "[default: "),
        ("access-log", ""),
        ("access-log-format", "[default: combined]"),
        ("access-log-sample", "[default: 1]"),
    ];
    for (option, default) in options {
        let begin = help.stdout.find(&format!("      --{option}"));
        let told = &help.stdout[begin.unwrap_or_else(|| panic!("no --{option}"))..];
        let told = told[8..].split_once("      --").map_or(told, |(it, _)| it);
        let variable = option.replace('-', "_").to_uppercase();
        assert!(
            told.contains(&format!("[env: TERRACE_{variable}")),
            "{told}"
        );
        assert!(told.contains(default), "{told}");
    }
}

fn ended_well(status: std::process::ExitStatus, log: &str) {
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn and_sigterm_loses_nothing() {
    let sizes = [100, 100 * KIB, 3 * MIB, 40 * MIB];
    let content = |len| Content::new(len, len);
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start(move |seen| {
        let path = seen
            .path
            .trim_start_matches("/slow/")
            .trim_start_matches('/');
        let answer = Answer::new(content(path.parse().expect("a size")));
        if seen.path.starts_with("/slow/") {
            answer.hold_at(64 * KIB, &held)
        } else {
            answer
        }
    })
    .await;
    let data = folder();
    let setup = || Setup::new(origin.address, data.path());
    for len in sizes {
        let mut proxy = setup().start().await;
        proxy
            .get(&format!("/{len}"))
            .await
            .expect(&content(len))
            .await;
        proxy.signal(Signal::TERM);
        ended_well(proxy.ended().await, &proxy.log());
    }

    // A response that is being sent is sent to its end, and stored.
    let slow = format!("/slow/{}", 3 * MIB);
    let mut proxy = setup().start().await;
    let mut reply = proxy.get(&slow).await;
    let mut checker = content(3 * MIB).checker();
    let first = reply.next().await.expect("the body has begun");
    checker
        .push(&first.expect("it has bytes"))
        .expect("the right ones");
    proxy.signal(Signal::TERM);
    gate.open();
    reply.expect_rest(checker).await;
    ended_well(proxy.ended().await, &proxy.log());

    let mut proxy = setup().start().await;
    let paths = sizes.iter().map(|len| (format!("/{len}"), *len));
    for (path, len) in paths.chain([(slow, 3 * MIB)]) {
        let hit = proxy.get(&path).await;
        assert_eq!(hit.cache(), "hit; detail=L3", "{path}");
        hit.expect(&content(len)).await;
        assert_eq!(origin.count(&path), 1);
    }
    proxy.signal(Signal::INT);
    ended_well(proxy.ended().await, &proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn and_a_successor_may_start_before_its_predecessor_has_ended() {
    let content = Content::new(1, 3 * MIB);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let start = async || Setup::new(origin.address, data.path()).start().await;
    let old = start().await;
    old.get("/a").await.expect(&content).await;
    old.durable_commits(1).await;
    let new = start().await;
    new.get("/b").await.expect(&content).await;
    new.durable_commits(1).await;
    for (proxy, path) in [(&old, "/b"), (&new, "/a")] {
        let hit = proxy.get(path).await;
        assert_eq!(hit.cache(), "hit; detail=L3", "{path}");
        hit.expect(&content).await;
    }
    assert!(old.terminate().await.success());
    let hit = new.get("/a").await;
    assert_eq!(hit.cache(), "hit; detail=L3");
    hit.expect(&content).await;
}

/// Name, kind, labels and value of what the README of `terrace-proxy` documents, and of what the tiers count, after the
/// traffic below.
type Figure = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    f64,
);

const FIGURES: [Figure; 9] = [
    (
        REQUESTS,
        "counter",
        &[("outcome", "miss"), ("tier", "none")],
        2.0,
    ),
    (
        REQUESTS,
        "counter",
        &[("outcome", "hit"), ("tier", "L0")],
        1.0,
    ),
    (
        REQUESTS,
        "counter",
        &[("outcome", "hit"), ("tier", "L3")],
        1.0,
    ),
    (REQUESTS, "counter", &[("outcome", "purge")], 2.0),
    (PURGES, "counter", &[("outcome", "purged")], 1.0),
    (PURGES, "counter", &[("outcome", "not_found")], 1.0),
    (
        "terrace_tier_lookups_total",
        "counter",
        &[("tier", "L0"), ("outcome", "hit")],
        1.0,
    ),
    (
        "terrace_fill_lanes_total",
        "counter",
        &[("tier", "L3"), ("outcome", "committed")],
        2.0,
    ),
    ("terrace_proxy_requests_in_flight", "gauge", &[], 0.0),
];
const REQUESTS: &str = "terrace_proxy_requests_total";
const PURGES: &str = "terrace_proxy_purges_total";

#[tokio::test(flavor = "multi_thread")]
async fn and_of_what_it_does_in_figures() {
    let (small, large) = (Content::new(1, 100), Content::new(2, 3 * MIB));
    let answers = (Answer::new(small.clone()), Answer::new(large.clone()));
    let origin = Origin::start(move |seen| {
        let (small, large) = &answers;
        if seen.path == "/small" {
            small.clone()
        } else {
            large.clone()
        }
    })
    .await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    for (commits, (path, content)) in [("/small", &small), ("/large", &large)].iter().enumerate() {
        proxy.get(path).await.expect(content).await;
        proxy
            .durable_commits(u32::try_from(commits).expect("one of two") + 1)
            .await;
        proxy.get(path).await.expect(content).await;
    }
    assert_eq!(proxy.purge("/small").await, 200);
    assert_eq!(proxy.purge("/small").await, 404);

    let metrics = settled(&proxy).await;
    for (name, kind, labels, value) in FIGURES {
        assert_eq!(
            metrics.types.get(name).map(String::as_str),
            Some(kind),
            "{name}"
        );
        let told = metrics.sum(name, labels);
        assert!(
            (told - value).abs() < f64::EPSILON,
            "{name}{labels:?} is {told}, not {value}"
        );
    }
    let bytes = f64::from(u32::try_from(2 * (small.len() + large.len())).expect("a few MiB"));
    assert!(metrics.sum("terrace_proxy_response_bytes_total", &[]) >= bytes);
    let durations = metrics.sum("terrace_proxy_request_duration_seconds_count", &[]);
    assert!(
        (durations - 4.0).abs() < f64::EPSILON,
        "{durations} durations"
    );

    let health = proxy.admin("/healthz").await;
    assert_eq!(health.status, 200);
    assert_eq!(health.header("content-type"), "application/json");
    let told = concat!(
        r#"{"status":"ok","tiers":[{"level":"L0","breaker":"closed"},"#,
        r#"{"level":"L3","breaker":"closed"}]}"#
    );
    assert_eq!(health.whole().await.trim_ascii(), told.as_bytes());
    assert_eq!(proxy.admin("/nothing").await.status, 404);
}

/// The metrics once the requests are over: a client may have its response a moment before it is counted.
async fn settled(proxy: &Proxy) -> Metrics {
    let mut settled = proxy.metrics().await;
    crate::support::eventually("all requests are counted", async || {
        settled = proxy.metrics().await;
        let is_idle = settled.sum("terrace_proxy_requests_in_flight", &[]) < 1.0;
        is_idle && settled.sum("terrace_proxy_requests_total", &[]) >= 6.0
    })
    .await;
    settled
}
