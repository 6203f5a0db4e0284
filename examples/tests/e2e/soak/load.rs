use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::{Instant, timeout};

use super::pass;
use super::world::{OBJECTS, World, content, index, len, lifetime};
use crate::support::{Ask, Checker, Content, Reply, splitmix};

/// Longer than a request may wait for others and for the origin.
const HANGING: Duration = Duration::from_mins(1);

/// One client, which does one thing after the other.
pub(super) struct Client {
    world: Arc<World>,
    draws: u64,
    seen: Vec<u64>,
}

/// What it may do, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Get,
    Head,
    Range,
    Conditional,
    Leave,
    Crawl,
    Post,
    Purge,
    SoftPurge,
}

/// What is expected of a response to a request that began at `begun`.
struct Expected {
    object: u64,
    /// The versions of the last acknowledged purge, and soft purge, before it began.
    floor: u64,
    soft_floor: u64,
    begun: Instant,
}

impl Client {
    pub(super) fn new(world: Arc<World>, nth: u64) -> Self {
        let draws = splitmix(world.seed ^ splitmix(nth));
        let seen = vec![0; usize::try_from(OBJECTS).expect("small")];
        Self { world, draws, seen }
    }

    pub(super) async fn run(mut self) {
        while !self.world.is_stopping() {
            let (deed, object) = (self.deed(), self.object());
            self.act(deed, object).await;
            // Some hundred requests a second in all, so that there are ports enough.
            pass(self.draw() % 60).await;
        }
    }

    fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        splitmix(self.draws)
    }

    /// The nth object is asked for about 1/n as often as the first, as in recorded traffic; a tenth is asked for by chance.
    fn object(&mut self) -> u64 {
        let draw = self.draw();
        if draw.is_multiple_of(10) {
            return (draw >> 8) % OBJECTS;
        }
        let octave = (draw >> 8) % 10;
        ((1 << octave) - 1 + (draw >> 16) % (1 << octave)) % OBJECTS
    }

    fn deed(&mut self) -> Deed {
        match self.draw() % 100 {
            0..70 => Deed::Get,
            70..74 => Deed::Head,
            74..84 => Deed::Range,
            84..90 => Deed::Conditional,
            90..94 => Deed::Leave,
            94..95 => Deed::Crawl,
            95..96 => Deed::Post,
            96..99 => Deed::Purge,
            _ => Deed::SoftPurge,
        }
    }

    async fn act(&mut self, deed: Deed, object: u64) {
        match deed {
            Deed::Purge | Deed::SoftPurge => self.purge(deed, object).await,
            _ => self.ask(deed, object).await,
        }
    }

    /// The origin changes, and says so.
    async fn purge(&self, deed: Deed, object: u64) {
        let version = self.world.state().change(object);
        let Some(mut ask) = self.request("PURGE", object).await else {
            return;
        };
        if deed == Deed::SoftPurge {
            ask = ask.header("terrace-soft-purge", "1");
        }
        let status = match ask.try_send().await {
            Ok(reply) => {
                let status = reply.status;
                drop(reply.try_whole().await);
                status
            }
            Err(_) => StatusCode::REQUEST_TIMEOUT,
        };
        let is_done = matches!(status, StatusCode::OK | StatusCode::NOT_FOUND);
        if is_done {
            let floors = self.world.floors(deed == Deed::SoftPurge);
            floors[index(object)].fetch_max(version, Ordering::SeqCst);
        }
        self.world.count(format!(
            "{deed:?} {}",
            if is_done {
                "acknowledged"
            } else {
                "not acknowledged"
            }
        ));
    }

    async fn ask(&mut self, deed: Deed, object: u64) {
        let expected = Expected {
            object,
            floor: self.world.floors(false)[index(object)].load(Ordering::SeqCst),
            soft_floor: self.world.floors(true)[index(object)].load(Ordering::SeqCst),
            begun: Instant::now(),
        };
        let method = match deed {
            Deed::Head => "HEAD",
            Deed::Post => "POST",
            _ => "GET",
        };
        let Some(mut ask) = self.request(method, object).await else {
            return;
        };
        let whole = len(self.world.seed, object);
        let first = self.draw() % whole;
        let last = (first + self.draw() % 100_000).min(whole - 1);
        let known = self.seen[index(object)];
        match deed {
            Deed::Range => ask = ask.header("range", format!("bytes={first}-{last}")),
            Deed::Conditional => ask = ask.header("if-none-match", format!("\"{known}\"")),
            _ => {}
        }
        let Ok(sent) = timeout(HANGING, ask.try_send()).await else {
            let known = self.world.known_of(object).await;
            panic!("{deed:?} of object {object} has no answer after {HANGING:?}: {known}");
        };
        let outcome = match sent {
            Ok(reply) => self.judge(deed, &expected, reply).await,
            Err(error) => Err(format!("no response: {error}")),
        };
        self.settle(deed, &expected, outcome);
    }

    /// `None` while the proxy is away.
    async fn request(&self, method: &str, object: u64) -> Option<Ask> {
        let proxy = self.world.proxy.read().await;
        let listen = proxy.as_ref().map(|proxy| proxy.listen);
        drop(proxy);
        Some(Ask::new(listen?, method, &format!("/object/{object}")))
    }

    /// What came, or what is wrong with it.
    async fn judge(
        &mut self,
        deed: Deed,
        expected: &Expected,
        reply: Reply,
    ) -> Result<String, String> {
        let status = reply.status;
        let told = format!("{deed:?} {status} {}", label(&reply));
        let known = self.seen[index(expected.object)];
        if status == StatusCode::NOT_MODIFIED
            && deed == Deed::Conditional
            && known >= expected.floor
        {
            return Ok(told);
        }
        if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Err(format!("{told}, known {known}, floor {}", expected.floor));
        }
        let version: u64 = reply
            .header("x-version")
            .parse()
            .map_err(|_| format!("{told}: no version"))?;
        assert!(
            version >= expected.floor,
            "P3: {told}: {} has version {version} after {} was purged",
            expected.object,
            expected.floor
        );
        // What was marked stale is better than an error of the origin, and than nothing.
        let is_excused = self.world.state().hurt(expected.object, expected.begun);
        assert!(
            version >= expected.soft_floor || is_excused,
            "P6: {told}: {} has version {version} after {} was marked stale",
            expected.object,
            expected.soft_floor
        );
        let content = content(self.world.seed, expected.object, version);
        let content = if status == StatusCode::PARTIAL_CONTENT {
            part(&reply, &content)?
        } else {
            content
        };
        self.seen[index(expected.object)] = version;
        if matches!(deed, Deed::Head) {
            return Ok(told);
        }
        if deed == Deed::Leave {
            return Ok(told);
        }
        let crawls = deed == Deed::Crawl;
        match read(reply, content.checker(), crawls).await {
            // Nobody has the rest of it any more: two versions are not patched together.
            Err(_) if self.world.state().version(expected.object) > version => {
                Ok("broke off for it is of another version by now".to_owned())
            }
            ended => ended.map(|()| told),
        }
    }

    /// Whatever is wrong must be somebody else's fault.
    fn settle(&self, deed: Deed, expected: &Expected, outcome: Result<String, String>) {
        let error = match outcome {
            Ok(told) => return self.world.count(told),
            Err(error) => error,
        };
        let (begun, world) = (expected.begun, &self.world);
        if world.away.touched(begun) {
            world.count("failed with a restart");
        } else if world.state().hurt(expected.object, begun) {
            world.count("failed with the origin");
        } else {
            let object = expected.object;
            panic!(
                "P7: {deed:?} of {object} ({}, {} bytes), which the origin could serve: {error}",
                lifetime(object),
                len(world.seed, object)
            );
        }
    }
}

/// `hit L0`, `miss` and their like.
fn label(reply: &Reply) -> String {
    let status = reply.header("cache-status");
    let parts = status.split("; ").skip(1);
    let parts: Vec<_> = parts
        .filter(|it| !it.starts_with("ttl=") && !it.starts_with("fwd-status"))
        .collect();
    parts.join(" ")
}

fn part(reply: &Reply, content: &Content) -> Result<Content, String> {
    let told = reply.header("content-range");
    let range = told
        .strip_prefix("bytes ")
        .and_then(|it| it.split_once('/'));
    let range = range.and_then(|(range, _)| range.split_once('-'));
    let parsed =
        range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse::<u64>().ok()?)));
    let (first, last) = parsed.ok_or_else(|| format!("{told:?} is no range"))?;
    Ok(content.slice(first..last + 1))
}

async fn read(mut reply: Reply, mut checker: Checker, slowly: bool) -> Result<(), String> {
    loop {
        match reply.next().await {
            Ok(Some(piece)) => {
                // A byte that is wrong is nobody's right, whatever is broken.
                if let Err(wrong) = checker.push(&piece) {
                    panic!("P2: {wrong}");
                }
                if slowly {
                    pass(20).await;
                }
            }
            Ok(None) => break,
            Err(error) => return Err(format!("broke off at {}: {error}", checker.position())),
        }
    }
    if let Err(wrong) = checker.end() {
        panic!("P1: a clean end: {wrong}");
    }
    Ok(())
}
