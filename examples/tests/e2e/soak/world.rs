use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderName};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pass;
use crate::support::{
    AUTHORITY, Answer, Content, Gate, KIB, MIB, Origin, Proxy, Setup, eventually, folder, splitmix,
};

/// Objects, the first of which are the most popular.
pub(super) const OBJECTS: u64 = 600;
/// For how long after a fault what it broke may still be under way.
const AFTERMATH: Duration = Duration::from_secs(5);

/// The proxy, its origin, and what clients may expect of them.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) proxy: RwLock<Option<Proxy>>,
    pub(super) data: TempDir,
    state: std::sync::Arc<State>,
    origin: Origin,
    counts: Mutex<BTreeMap<String, u64>>,
    stopping: AtomicBool,
    /// For each object, the version of the last acknowledged purge, and soft purge.
    floors: [Vec<AtomicU64>; 2],
    /// The last moment at which the proxy was being restarted,
    pub(super) away: Trouble,
}

/// What the origin knows.
pub(super) struct State {
    seed: u64,
    versions: Vec<AtomicU64>,
    /// What the origin does to its next answers.
    pub(super) mood: AtomicU64,
    /// When it last gave a bad answer for each object.
    hurt: Vec<Mutex<Option<Instant>>>,
    answers: AtomicU64,
    /// Answers that wait.
    late: Mutex<JoinSet<()>>,
}

/// Whether something is broken, and when it was last.
#[derive(Default)]
pub(super) struct Trouble(Mutex<(usize, Option<Instant>)>);

impl Trouble {
    pub(super) fn begin(&self) {
        self.0.lock().0 += 1;
    }

    pub(super) fn end(&self) {
        let mut state = self.0.lock();
        *state = (state.0 - 1, Some(Instant::now()));
    }

    /// Whether it may have touched what began at `begun`.
    pub(super) fn touched(&self, begun: Instant) -> bool {
        let state = self.0.lock();
        state.0 > 0 || state.1.is_some_and(|ended| ended + AFTERMATH > begun)
    }
}

/// What the origin does.
pub(super) const WELL: u64 = 0;
pub(super) const SLOW: u64 = 1;
pub(super) const FAILING: u64 = 2;
pub(super) const BREAKING_OFF: u64 = 3;

pub(super) fn index(object: u64) -> usize {
    usize::try_from(object).expect("a small number")
}

/// How an object is, by its number: sizes and lifetimes are those of web traffic, most of it small and kept.
pub(super) fn len(seed: u64, object: u64) -> u64 {
    let draw = splitmix(seed ^ (object << 8));
    let small = 100 + splitmix(draw) % (1 << (7 + draw % 9));
    match draw >> 32 & 0xff {
        0..2 => 5 * MIB + small,
        2..8 => MIB + 40 * small,
        8..40 => 64 * KIB + small,
        _ => small,
    }
}

pub(super) fn lifetime(object: u64) -> &'static str {
    match object % 16 {
        13 => "max-age=1",
        14 => "no-cache",
        15 => "no-store",
        _ => "max-age=3600",
    }
}

/// Whether what is served is to be of the last version that was purged, or later; the others are so by themselves.
pub(super) fn content(seed: u64, object: u64, version: u64) -> Content {
    let body = splitmix(seed ^ object).wrapping_add(splitmix(version));
    Content::new(body, len(seed, object))
}

impl State {
    pub(super) fn version(&self, object: u64) -> u64 {
        self.versions[index(object)].load(Ordering::SeqCst)
    }

    /// The origin has something new.
    pub(super) fn change(&self, object: u64) -> u64 {
        self.versions[index(object)].fetch_add(1, Ordering::SeqCst) + 1
    }

    fn hurts(&self, object: u64) {
        *self.hurt[index(object)].lock() = Some(Instant::now());
    }

    /// Whether the origin itself may have spoilt what began at `begun`: a bad answer may be shared, and take its time.
    pub(super) fn hurt(&self, object: u64, begun: Instant) -> bool {
        let last = *self.hurt[index(object)].lock();
        last.is_some_and(|last| last + AFTERMATH > begun)
    }

    fn answer(&self, path: &str) -> Answer {
        let object = path.trim_start_matches("/object/").parse().unwrap_or(0) % OBJECTS;
        let version = self.version(object);
        let content = content(self.seed, object, version);
        let half = content.len() / 2;
        let answer = Answer::new(content)
            .header(CACHE_CONTROL, lifetime(object))
            .header(ETAG, &format!("\"{version}\""))
            .header(HeaderName::from_static("x-version"), &version.to_string());
        let nth = self.answers.fetch_add(1, Ordering::Relaxed);
        match self.mood.load(Ordering::Relaxed) {
            SLOW => {
                while self.late.lock().try_join_next().is_some() {}
                let gate = Gate::new();
                let opened = gate.clone();
                self.late.lock().spawn(async move {
                    pass(50 + nth % 400).await;
                    opened.open();
                });
                answer.delayed_by(&gate)
            }
            FAILING if nth.is_multiple_of(2) => {
                self.hurts(object);
                answer
                    .status(StatusCode::SERVICE_UNAVAILABLE)
                    .header(CACHE_CONTROL, "no-store")
            }
            BREAKING_OFF if nth.is_multiple_of(2) => {
                self.hurts(object);
                answer.die_at(half)
            }
            _ => answer,
        }
    }
}

impl World {
    pub(super) async fn start(seed: u64) -> Self {
        let state = std::sync::Arc::new(State {
            seed,
            versions: (0..OBJECTS).map(|_| AtomicU64::new(1)).collect(),
            mood: AtomicU64::new(WELL),
            hurt: (0..OBJECTS).map(|_| Mutex::default()).collect(),
            answers: AtomicU64::new(0),
            late: Mutex::default(),
        });
        let told = std::sync::Arc::clone(&state);
        let origin = Origin::start(move |seen| told.answer(&seen.path)).await;
        let world = Self {
            seed,
            proxy: RwLock::new(None),
            data: folder(),
            state,
            origin,
            counts: Mutex::default(),
            stopping: AtomicBool::new(false),
            floors: [0; 2].map(|zero| (0..OBJECTS).map(|_| AtomicU64::new(zero)).collect()),
            away: Trouble::default(),
        };
        *world.proxy.write().await = Some(world.start_proxy().await);
        world
    }

    /// What the proxy says of an object that it does not answer for: where it is held, what is under way.
    pub(super) async fn known_of(&self, object: u64) -> String {
        let place = self.proxy.read().await;
        let Some(proxy) = &*place else {
            return "the proxy is being restarted".to_owned();
        };
        let mut known = String::new();
        let explain = format!("/explain?url=http%3A%2F%2F{AUTHORITY}%2Fobject%2F{object}");
        for path in [explain.as_str(), "/metrics"] {
            let told = proxy.admin(path).await.whole().await;
            known.push_str(&String::from_utf8_lossy(&told));
        }
        known.push_str(&proxy.log());
        known
    }

    /// An L0 that holds a part of what is popular, so that it always evicts.
    pub(super) async fn start_proxy(&self) -> Proxy {
        let setup = Setup::new(self.origin.address, self.data.path());
        let setup = setup
            .args(["--l0-bytes", "4MiB", "--l0-gate", "256KiB"])
            .args(["--gc-interval", "2", "--grace", "3"])
            .env("RUST_LOG", "error,terrace=warn");
        setup.start().await
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn bodies(&self) -> PathBuf {
        self.data.path().join("bodies")
    }

    pub(super) fn floors(&self, soft: bool) -> &[AtomicU64] {
        &self.floors[usize::from(soft)]
    }

    pub(super) fn count(&self, what: impl Into<String>) {
        *self.counts.lock().entry(what.into()).or_default() += 1;
    }

    pub(super) fn stop_clients(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) async fn told(&self) {
        let counts = self.counts.lock().clone();
        for (what, count) in counts {
            eprintln!("soak: {count:>8} {what}");
        }
        let proxy = self.proxy.read().await;
        let log = proxy.as_ref().expect("it runs").log();
        assert!(!log.contains("panicked"), "{log}");
        eprintln!("soak: {:>8} requests to the origin", self.origin.requests());
    }

    /// With nothing broken, a body is fetched once at most, however often it is asked for.
    pub(super) async fn fetches_once_when_all_is_well(&self) {
        let guard = self.proxy.read().await;
        let proxy = guard.as_ref().expect("it runs");
        eventually("all tiers are asked again", async || {
            // A breaker closes when a call goes well.
            proxy.get("/object/15").await.whole().await;
            proxy.get("/object/16").await.whole().await;
            let health = proxy.admin("/healthz").await.whole().await;
            !String::from_utf8_lossy(&health).contains("open")
        })
        .await;
        for object in (0..64).filter(|it| lifetime(*it) == "max-age=3600") {
            let path = format!("/object/{object}");
            let before = self.origin.count(&path);
            for _ in 0..3 {
                let reply = proxy.get(&path).await;
                assert_eq!(reply.status, StatusCode::OK);
                let version = reply.header("x-version").parse().expect("a version");
                reply.expect(&content(self.seed, object, version)).await;
            }
            let fetched = self.origin.count(&path) - before;
            assert!(fetched <= 1, "{path} was fetched {fetched} times");
        }
    }

    /// It ends as asked, and the next start leaves nothing half-written behind.
    pub(super) async fn ends_clean(&self) {
        let proxy = self.proxy.write().await.take().expect("it runs");
        assert_eq!(proxy.terminate().await.code(), Some(0));
        let proxy = self.start_proxy().await;
        assert_eq!(proxy.get("/object/1").await.status, StatusCode::OK);
        assert_eq!(proxy.terminate().await.code(), Some(0));
        for shard in std::fs::read_dir(self.bodies()).expect("a folder") {
            let shard = shard.expect("an entry").path();
            let Ok(bodies) = std::fs::read_dir(shard) else {
                continue;
            };
            for body in bodies {
                let name = body.expect("an entry").file_name();
                assert!(
                    !name.to_string_lossy().contains('#'),
                    "{} is half a body",
                    name.display()
                );
            }
        }
    }
}
