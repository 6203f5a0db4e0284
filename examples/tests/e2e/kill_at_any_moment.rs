//! SIGKILL, a hundred times, in the middle of fills and purges: what was seen to be durable still is, what was purged
//! stays purged, and nothing is torn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::ETAG;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{
    Answer, Ask, Content, KIB, MIB, Origin, Proxy, Reply, Seen, Setup, folder, splitmix,
};

const ROUNDS: u64 = 100;
const CLIENTS: u64 = 6;
/// The most time a round is left to its clients.
const MAX_MILLIS: u64 = 250;
/// In the index; in one write; in several, of 1 MiB.
const SIZES: [u64; 9] = [
    0,
    100,
    8 * KIB,
    8 * KIB + 1,
    100 * KIB,
    MIB,
    MIB + 1,
    3 * MIB,
    12 * MIB,
];

/// What is true of the object at one URL. Its content has a version, which grows with each purge.
#[derive(Debug, Default, Clone, Copy)]
struct Truth {
    /// What the origin serves.
    current: u64,
    /// Nothing older may be served: the purge was acknowledged.
    at_least: u64,
    /// A version that was served from the durable tier, and not purged since.
    durable: Option<u64>,
    /// Purges that were not answered yet. They may come to pass at any time until the process is dead.
    purging: u64,
}

#[derive(Default)]
struct World {
    truths: Mutex<[Truth; SIZES.len()]>,
    random: AtomicU64,
    served: AtomicU64,
    broken: AtomicU64,
    purged: AtomicU64,
}

impl World {
    fn random(&self, below: u64) -> u64 {
        splitmix(self.random.fetch_add(1, Ordering::Relaxed)) % below
    }

    fn pick(&self) -> usize {
        usize::try_from(self.random(SIZES.len() as u64)).expect("one of few")
    }

    /// What the origin answers.
    fn answer(&self, seen: &Seen) -> Answer {
        let object: usize = seen.path[1..].parse().expect("a number");
        let version = self.truths.lock()[object].current;
        let answer = Answer::new(content(object, version)).header(ETAG, &format!("\"{version}\""));
        if version.is_multiple_of(2) {
            answer
        } else {
            answer.chunked()
        }
    }

    /// Asks for what it likes until the proxy is dead.
    async fn be_a_client(&self, to: std::net::SocketAddr) {
        loop {
            let object = self.pick();
            let is_alive = if self.random(6) == 0 {
                self.purge(to, object).await
            } else {
                self.get(to, object).await
            };
            if !is_alive {
                return;
            }
        }
    }

    async fn get(&self, to: std::net::SocketAddr, object: usize) -> bool {
        let before = self.truths.lock()[object];
        let Ok(reply) = Ask::new(to, "GET", &format!("/{object}")).try_send().await else {
            return false;
        };
        let (version, is_durable) = identify(&reply);
        assert!(
            version >= before.at_least,
            "{object}: version {version} was purged: {before:?}"
        );
        if !self.is_right(object, version, reply).await {
            return false;
        }
        let mut truths = self.truths.lock();
        let truth = &mut truths[object];
        if is_durable && truth.purging == 0 && truth.current == version {
            truth.durable = Some(version);
        }
        true
    }

    /// Whether the body is whole; if not, it must end with an error. All bytes must be right in any case.
    async fn is_right(&self, object: usize, version: u64, mut reply: Reply) -> bool {
        let mut checker = content(object, version).checker();
        loop {
            match reply.next().await {
                Ok(Some(piece)) => checker.push(&piece).expect("the right bytes"),
                Ok(None) => {
                    checker.end().expect("a whole body");
                    self.served.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Err(_) => {
                    self.broken.fetch_add(1, Ordering::Relaxed);
                    return false;
                }
            }
        }
    }

    async fn purge(&self, to: std::net::SocketAddr, object: usize) -> bool {
        let version = {
            let mut truths = self.truths.lock();
            let truth = &mut truths[object];
            truth.current += 1;
            truth.durable = None;
            truth.purging += 1;
            truth.current
        };
        let Ok(reply) = Ask::new(to, "PURGE", &format!("/{object}"))
            .try_send()
            .await
        else {
            return false;
        };
        let mut truths = self.truths.lock();
        let truth = &mut truths[object];
        truth.purging -= 1;
        // A purge that lost too many races says so, and is repeated by whoever wants it.
        if matches!(reply.status.as_u16(), 200 | 404) {
            self.purged.fetch_add(1, Ordering::Relaxed);
            truth.at_least = truth.at_least.max(version);
        }
        true
    }

    /// What the process did before it was killed, seen by its successor.
    async fn holds(&self, proxy: &Proxy, data: &Path) {
        assert_eq!(
            staging(data),
            [] as [String; 0],
            "left by the killed process"
        );
        for object in 0..SIZES.len() {
            let truth = {
                let mut truths = self.truths.lock();
                truths[object].purging = 0;
                truths[object]
            };
            let Some(version) = truth.durable else {
                continue;
            };
            let reply = proxy.get(&format!("/{object}")).await;
            assert_eq!(identify(&reply), (version, true), "{object}: {truth:?}");
            reply.expect(&content(object, version)).await;
        }
    }
}

fn content(object: usize, version: u64) -> Content {
    Content::new(splitmix(object as u64) ^ version, SIZES[object])
}

/// The version of a reply, and whether it comes from the durable tier.
fn identify(reply: &Reply) -> (u64, bool) {
    assert_eq!(reply.status, 200);
    let version = reply.header("etag").trim_matches('"').parse();
    (
        version.expect("a number"),
        reply.cache() == "hit; detail=L3",
    )
}

/// Half-written bodies.
fn staging(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![data.join("bodies")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a plain name");
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
            } else if name.contains('#') {
                found.push(name);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_times() {
    let world = Arc::new(World::default());
    let answers = Arc::clone(&world);
    let origin = Origin::start(move |seen| answers.answer(seen)).await;
    let data = folder();
    let mut durable = 0;
    let mut half_written = 0;
    for _ in 0..ROUNDS {
        let setup = Setup::new(origin.address, data.path());
        let proxy = setup.args(["--no-l0", "--gc-interval", "1"]).start().await;
        world.holds(&proxy, data.path()).await;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (world, to) = (Arc::clone(&world), proxy.listen);
            clients.spawn(async move { world.be_a_client(to).await });
        }
        sleep(Duration::from_millis(world.random(MAX_MILLIS))).await;
        proxy.kill().await;
        clients.join_all().await;
        half_written += staging(data.path()).len();
        durable += world
            .truths
            .lock()
            .iter()
            .filter(|it| it.durable.is_some())
            .count();
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (served, broken, purged) = (&world.served, &world.broken, &world.purged);
    println!(
        "{ROUNDS} kills: {} bodies whole, {} broken off, {} purges; {half_written} files were half-written, and {durable} \
         durable objects were there again",
        count(served),
        count(broken),
        count(purged)
    );
    // Otherwise it tested nothing.
    assert!(count(broken) > 0 && count(purged) > 0 && durable > 0);
}
