//! Several upstreams: the load is shared, and one that fails costs no client anything.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use hyper::StatusCode;
use hyper::header::ETAG;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{
    Answer, Ask, Content, Gate, KIB, MIB, Origin, Proxy, Seen, Setup, Speaks, eventually, folder,
};

fn answer(seen: &Seen) -> Answer {
    Answer::new(content(&seen.path))
}

/// What is at `path`: the same on every server.
fn content(path: &str) -> Content {
    let seed = path
        .bytes()
        .fold(7, |seed, byte| seed * 31 + u64::from(byte));
    Content::new(seed, 4 * KIB)
}

async fn three() -> Vec<Origin> {
    let mut origins = Vec::new();
    for _ in 0..3 {
        origins.push(Origin::start(answer).await);
    }
    origins
}

fn addresses(origins: &[Origin]) -> Vec<String> {
    origins.iter().map(|it| it.address.to_string()).collect()
}

async fn healthy(proxy: &Proxy, server: SocketAddr) -> bool {
    let name = server.to_string();
    let labels = [("group", "default"), ("upstream", name.as_str())];
    let metrics = proxy.metrics().await;
    metrics.sum("terrace_proxy_upstream_healthy", &labels) > 0.5
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_dies_under_load_and_comes_back_and_no_client_notices() {
    let mut origins = three().await;
    let data = folder();
    let setup = Setup::in_front_of(&addresses(&origins), data.path());
    let setup = setup.args(["--upstream-health-every", "100ms"]);
    let proxy = setup.start().await;
    for origin in &origins {
        eventually("all are well", async || {
            healthy(&proxy, origin.address).await
        })
        .await;
    }

    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (to, stop, served) = (proxy.listen, Arc::clone(&stop), Arc::clone(&served));
        clients.spawn(async move {
            for round in 0.. {
                if stop.load(Relaxed) {
                    break;
                }
                // Nothing but misses.
                let path = format!("/{client}/{round}");
                let reply = Ask::new(to, "GET", &path).send().await;
                assert_eq!(reply.status, 200, "{path}");
                reply.expect(&content(&path)).await;
                served.fetch_add(1, Relaxed);
            }
        });
    }
    let more = async |what: &str, count: usize| {
        let enough = served.load(Relaxed) + count;
        eventually(what, async || {
            assert!(!clients.is_empty(), "a client has failed");
            served.load(Relaxed) >= enough
        })
        .await;
    };
    more("the load has begun", 100).await;
    let dead = origins.remove(1);
    let address = dead.address;
    drop(dead);
    more("the load goes on without one", 200).await;
    eventually("it is found out", async || !healthy(&proxy, address).await).await;
    more("the load goes on without it", 100).await;

    let back = Origin::start_at(address, Speaks::default(), answer).await;
    eventually("it is well again", async || healthy(&proxy, address).await).await;
    eventually("it gets its share", async || back.requests() > 10).await;
    stop.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("no client has met an error");
    }
    for origin in &origins {
        assert!(origin.requests() > 50, "{} requests", origin.requests());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_sends_each_url_to_one_of_them() {
    let origins = three().await;
    let data = folder();
    let setup = Setup::in_front_of(&addresses(&origins), data.path());
    let proxy = setup.args(["--upstream-select", "hash"]).start().await;
    for round in 0..2 {
        for url in 0..60 {
            let path = format!("/{url}");
            proxy.get(&path).await.expect(&content(&path)).await;
            if round == 0 {
                // It has to be fetched again.
                proxy.purge(&path).await;
            }
        }
    }
    for url in 0..60 {
        let path = format!("/{url}");
        let mut counts: Vec<_> = origins.iter().map(|it| it.count(&path)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 2], "{path}");
    }
    for origin in &origins {
        assert!(origin.requests() >= 16, "{} requests", origin.requests());
    }
}

/// A server that hangs up on every request once it was read, and counts them.
async fn hangs_up() -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let mut server = JoinSet::new();
    server.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = [0; 1024];
            if matches!(stream.read(&mut head).await, Ok(1..)) {
                counted.fetch_add(1, Relaxed);
            }
        }
    });
    (address, requests, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_got_no_answer_is_repeated_elsewhere_only_if_it_may_be() {
    let (broken, requests, _server) = hangs_up().await;
    let good = Origin::start(answer).await;
    let data = folder();
    let upstreams = [broken.to_string(), good.address.to_string()];
    let setup = || Setup::in_front_of(&upstreams, data.path());
    let proxy = setup().start().await;
    // One of the first two comes to the broken one, which is left out from then on.
    for path in ["/1", "/2", "/3", "/4"] {
        proxy.get(path).await.expect(&content(path)).await;
    }
    let before = requests.load(Relaxed);
    assert!(before > 0);
    assert!(!healthy(&proxy, broken).await);
    assert!(proxy.terminate().await.success());

    // What may not be sent twice is not.
    let proxy = setup().start().await;
    let mut statuses = Vec::new();
    for path in ["/5", "/6"] {
        let reply = proxy.ask("POST", path).send().await;
        statuses.push(reply.status.as_u16());
        reply.whole().await;
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
    assert_eq!(requests.load(Relaxed), before + 1);
    assert_eq!(good.count("/5") + good.count("/6"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_was_sent_so_that_any_request_goes_elsewhere() {
    let dead = Origin::start(answer).await.address;
    let good = Origin::start(answer).await;
    let data = folder();
    let upstreams = [dead.to_string(), good.address.to_string()];
    let proxy = Setup::in_front_of(&upstreams, data.path()).start().await;
    for path in ["/1", "/2", "/3"] {
        let reply = proxy.ask("POST", path).send().await;
        assert_eq!(reply.status, 200);
        reply.expect(&content(path)).await;
    }
    assert_eq!(good.requests(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_says_it_is_unwell_gets_nothing() {
    let is_well = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_well);
    let moody = Origin::start(move |seen| {
        if seen.path == "/health" && !told.load(Relaxed) {
            return Answer::not_found();
        }
        answer(seen)
    })
    .await;
    let good = Origin::start(answer).await;
    let data = folder();
    let upstreams = [moody.address.to_string(), good.address.to_string()];
    let setup = Setup::in_front_of(&upstreams, data.path());
    let setup = setup.args(["--upstream-health", "/health"]);
    let proxy = setup
        .args(["--upstream-health-every", "50ms"])
        .start()
        .await;
    eventually("it is found out", async || {
        !healthy(&proxy, moody.address).await
    })
    .await;
    assert_eq!(moody.last().host, moody.address.to_string());
    for url in 0..10 {
        let path = format!("/{url}");
        proxy.get(&path).await.expect(&content(&path)).await;
        assert_eq!(good.count(&path), 1);
    }
    is_well.store(true, Relaxed);
    eventually("it is well", async || healthy(&proxy, moody.address).await).await;
    for url in 10..14 {
        let path = format!("/{url}");
        proxy.get(&path).await.expect(&content(&path)).await;
    }
    let on_moody: usize = (10..14).map(|url| moody.count(&format!("/{url}"))).sum();
    assert_eq!(on_moody, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_damaged_hit_comes_from_whichever_lives() {
    let large = Content::new(5, 3 * MIB);
    let answer = Answer::new(large.clone()).header(ETAG, "\"v1\"");
    let (one, two) = (answer.clone(), answer);
    let mut first = Origin::start(move |_| one.clone()).await;
    let second = Origin::start(move |_| two.clone()).await;
    let data = folder();
    let upstreams = [first.address.to_string(), second.address.to_string()];
    let proxy = Setup::in_front_of(&upstreams, data.path()).start().await;
    for path in ["/a", "/b", "/c"] {
        proxy.get(path).await.expect(&large).await;
    }
    proxy.durable_commits(3).await;
    cut_bodies(&data.path().join("bodies"));
    first.stop().await;
    for path in ["/a", "/b", "/c"] {
        proxy.get(path).await.expect(&large).await;
    }
}

/// Cuts every stored body short.
fn cut_bodies(place: &std::path::Path) {
    let entries = fs::read_dir(place).expect("it is there");
    for entry in entries.map(|it| it.expect("it can be read").path()) {
        if entry.is_dir() {
            cut_bodies(&entry);
        } else if entry.metadata().expect("it is there").len() > MIB {
            let file = fs::File::options().write(true).open(&entry);
            file.and_then(|file| file.set_len(MIB))
                .expect("it can be cut");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_takes_too_long_from_one_that_hangs_comes_from_another() {
    // It takes connections, and reads nothing: only a timeout finds out.
    let hangs = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let hanging = hangs.local_addr().expect("an address");
    let good = Origin::start(answer).await;
    let data = folder();
    let upstreams = [hanging.to_string(), good.address.to_string()];
    let setup = Setup::in_front_of(&upstreams, data.path());
    let setup = setup.args(["--upstream-read-timeout", "2s"]);
    let proxy = setup.start().await;
    for url in 0..6 {
        let path = format!("/{url}");
        proxy.get(&path).await.expect(&content(&path)).await;
    }
    assert_eq!(good.requests(), 6);
    drop(hangs);
}

/// Connections that are idle may have been closed by the server, and are done without. One on which nothing comes was not.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_is_waited_for_once_however_many_connections_are_idle() {
    const IDLE: usize = 4;
    let (all, never) = (Gate::new(), Gate::new());
    let gates = (all.clone(), never.clone());
    let origin = Origin::start(move |seen| {
        let gate = if seen.path == "/hangs" {
            &gates.1
        } else {
            &gates.0
        };
        answer(seen).delayed_by(gate)
    })
    .await;
    let data = folder();
    let setup = Setup::new(origin.address, data.path());
    let proxy = setup.args(["--upstream-read-timeout", "5s"]).start().await;
    let mut asked = JoinSet::new();
    for url in 0..IDLE {
        let path = format!("/{url}");
        let ask = proxy.ask("GET", &path);
        asked.spawn(async move { ask.send().await.expect(&content(&path)).await });
    }
    eventually("all are asked at the same time", async || {
        origin.requests() == IDLE
    })
    .await;
    all.open();
    while let Some(ended) = asked.join_next().await {
        ended.expect("it is answered");
    }
    let reply = proxy.get("/hangs").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(origin.count("/hangs"), 1);
}
