use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pingora::connectors::http::Connector;
use terrace_core::{Clock, Timestamp};

use super::*;
use crate::config::ProxyConfig;

fn upstream(text: &str) -> Upstream {
    text.parse().unwrap()
}

#[test]
fn host_and_port_are_read_and_written() {
    for text in [
        "origin.example:80",
        "127.0.0.1:9000",
        "[::1]:9000",
        "https://[::1]:9000",
    ] {
        assert_eq!(upstream(text).to_string(), text);
    }
    for (text, host, port, is_tls, authority) in [
        (
            "https://origin.example",
            "origin.example",
            443,
            true,
            "origin.example",
        ),
        (
            "http://origin.example",
            "origin.example",
            80,
            false,
            "origin.example",
        ),
        ("https://a:80", "a", 80, true, "a:80"),
        ("http://[::1]", "::1", 80, false, "[::1]"),
        ("a:443", "a", 443, false, "a:443"),
    ] {
        let upstream = upstream(text);
        assert_eq!(
            (upstream.host.as_str(), upstream.port),
            (host, port),
            "{text}"
        );
        assert_eq!(upstream.tls.is_some(), is_tls, "{text}");
        assert_eq!(upstream.authority(), authority, "{text}");
    }
}

#[test]
fn anything_else_is_refused_with_an_example() {
    for text in [
        "",
        "origin",
        ":80",
        "origin:",
        "origin:0",
        "origin:99999",
        "::1:80",
        "[::1]",
        "[x]:80",
        "http://origin:80/",
        "https://",
        "https://a/b",
        "ftp://origin:80",
        "a b:80",
        "user@origin:80",
    ] {
        let error = text.parse::<Upstream>().unwrap_err();
        assert!(error.to_string().contains("HOST:PORT"), "{text}: {error}");
    }
}

#[test]
fn groups_that_cannot_work_are_refused() {
    type Change = fn(&mut UpstreamGroup);
    let changes: [(&str, Change); 10] = [
        ("servers", |it| it.servers.clear()),
        ("weight", |it| it.servers[0].weight = 0),
        ("weight", |it| it.servers[0].weight = 101),
        ("read_timeout", |it| {
            it.servers[1].read_timeout = MAX_TIMEOUT * 2;
        }),
        ("tries", |it| it.tries = 0),
        ("tries", |it| it.tries = 17),
        ("eject_for", |it| it.eject_for = Duration::ZERO),
        ("a/b", |it| it.host = HostPolicy::Fixed("a/b".to_owned())),
        ("healthz", |it| {
            it.health.get_or_insert_default().path = Some("healthz".to_owned());
        }),
        ("failures", |it| {
            it.health.get_or_insert_default().failures = 0;
        }),
    ];
    let good = UpstreamGroup::new([upstream("a:1"), upstream("b:1")]);
    good.validate().unwrap();
    for (what, change) in changes {
        let mut group = good.clone();
        change(&mut group);
        let error = group.validate().unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
}

/// Tells the time it is told.
#[derive(Debug, Default)]
struct Told(AtomicU64);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000 + self.0.load(Relaxed))
    }
}

struct World {
    groups: Groups,
    clock: Arc<Told>,
}

impl World {
    /// Servers on 127.0.0.1, by their ports, with weights.
    fn new(servers: &[(u16, usize)], change: impl FnOnce(&mut UpstreamGroup)) -> Self {
        let servers = servers.iter().map(|(port, weight)| {
            let mut server = Upstream::new("127.0.0.1", *port);
            server.weight = *weight;
            server
        });
        let mut group = UpstreamGroup::new(servers);
        change(&mut group);
        let mut config = ProxyConfig::with_group(group);
        let clock = Arc::new(Told::default());
        config.clock = Arc::clone(&clock) as _;
        let groups = Groups::new(&config, &Arc::new(Connector::new(None)));
        Self { groups, clock }
    }

    async fn pick(&self, key: u32, tried: &[u16]) -> Engaged {
        let tried: Vec<_> = tried
            .iter()
            .map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], *port)))
            .collect();
        let pool = self.groups.default();
        pool.pick(&key.to_le_bytes(), &tried).await.unwrap()
    }

    /// Which ports get how many of 1,000 requests.
    async fn shares(&self) -> BTreeMap<u16, usize> {
        let mut shares = BTreeMap::new();
        for key in 0..1000 {
            *shares
                .entry(self.pick(key, &[]).await.address().port())
                .or_default() += 1;
        }
        shares
    }
}

#[tokio::test]
async fn requests_take_turns_by_weight() {
    let world = World::new(&[(1, 1), (2, 3)], |_| {});
    assert_eq!(world.shares().await, BTreeMap::from([(1, 250), (2, 750)]));
    let world = World::new(&[(1, 1), (2, 3)], |it| it.selection = Selection::Random);
    let shares = world.shares().await;
    assert!(shares[&1] > 100 && shares[&1] < 400, "{shares:?}");
}

#[tokio::test]
async fn a_hash_sends_one_key_to_one_server_and_moves_few() {
    let hash = |it: &mut UpstreamGroup| it.selection = Selection::Hash;
    let world = World::new(&[(1, 1), (2, 1), (3, 1)], hash);
    let fewer = World::new(&[(1, 1), (2, 1)], hash);
    for key in 0..300 {
        let first = world.pick(key, &[]).await.address();
        assert_eq!(world.pick(key, &[]).await.address(), first);
        // Who did not have the server that went stays where it was.
        let after = fewer.pick(key, &[]).await.address();
        assert!(first.port() == 3 || first == after, "{key}");
    }
    let shares = world.shares().await;
    assert!(shares.values().all(|share| *share > 150), "{shares:?}");
}

#[tokio::test]
async fn the_fewest_requests_under_way_by_weight() {
    let least = |it: &mut UpstreamGroup| it.selection = Selection::LeastRequests;
    let world = World::new(&[(1, 1), (2, 2)], least);
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(world.pick(0, &[]).await);
    }
    let on_1 = held.iter().filter(|it| it.address().port() == 1).count();
    assert_eq!(on_1, 2);
    held.retain(|it| it.address().port() == 2);
    assert_eq!(world.pick(0, &[]).await.address().port(), 1);
}

#[tokio::test]
async fn who_fails_is_left_out_until_one_request_finds_it_well() {
    let world = World::new(&[(1, 1), (2, 1)], |_| {});
    world.pick(0, &[2]).await.failed(&"refused");
    assert_eq!(world.shares().await, BTreeMap::from([(2, 1000)]));
    // Only if there is no other.
    assert_eq!(world.pick(0, &[2]).await.address().port(), 1);
    assert_eq!(world.shares().await, BTreeMap::from([(2, 1000)]));

    // Its time is over: one request tries it.
    world.clock.0.store(10_000, Relaxed);
    assert_eq!(world.shares().await, BTreeMap::from([(1, 1), (2, 999)]));
    world.clock.0.store(30_000, Relaxed);
    world.pick(0, &[2]).await.succeeded();
    assert_eq!(world.shares().await, BTreeMap::from([(1, 500), (2, 500)]));
}

#[tokio::test]
async fn every_server_is_found_however_many_were_tried() {
    for selection in [
        Selection::RoundRobin,
        Selection::Random,
        Selection::LeastRequests,
        Selection::Hash,
    ] {
        let world = World::new(&[(1, 100), (2, 1), (3, 1)], |it| it.selection = selection);
        for _ in 0..20 {
            assert_eq!(world.pick(7, &[1, 2]).await.address().port(), 3);
            assert_eq!(world.pick(7, &[1, 3]).await.address().port(), 2);
        }
        assert!(world.pick(7, &[1, 2, 3]).await.address().port() > 0);
    }
}

#[tokio::test]
async fn connections_of_servers_with_other_settings_are_kept_apart() {
    use pingora::upstreams::peer::Peer as _;
    let mut config = ProxyConfig::new(upstream("https://127.0.0.1:1"));
    let mut h2 = upstream("https://127.0.0.1:1");
    h2.protocol = Protocol::Http2;
    config.upstreams.insert("other".to_owned(), h2.into());
    let groups = Groups::new(&config, &Arc::new(Connector::new(None)));
    let mut hashes = Vec::new();
    for pool in groups.all() {
        let peer = pool.pick(&[], &[]).await.unwrap().peer();
        assert_eq!(peer.sni, "127.0.0.1", "without a name nothing is verified");
        assert!(peer.options.verify_cert && peer.options.verify_hostname);
        hashes.push(peer.reuse_hash());
    }
    assert_ne!(hashes[0], hashes[1]);
}
