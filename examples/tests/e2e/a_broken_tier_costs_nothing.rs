//! Bodies that are lost, cut or changed on the disk: the client gets the whole right one all the same, and the origin's end
//! does not end the hits.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::StatusCode;
use hyper::header::{ETAG, RANGE};
use tempfile::TempDir;

use crate::support::{
    Answer, Content, Gate, KIB, MIB, Nginx, Origin, Proxy, Setup, eventually, folder,
};

const LEN: u64 = 3 * MIB;

/// The bodies kept as files.
fn bodies(data: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| {
        let entries = fs::read_dir(dir).expect("a folder");
        entries
            .map(|it| it.expect("an entry").path())
            .collect::<Vec<_>>()
    };
    let shards = list(&data.join("bodies"))
        .into_iter()
        .filter(|it| it.is_dir());
    shards.flat_map(|shard| list(&shard)).collect()
}

fn only_body(data: &Path) -> PathBuf {
    let mut bodies = bodies(data);
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    bodies.remove(0)
}

/// One object, stored, and served from the disk only.
struct Stored {
    origin: Origin,
    data: TempDir,
    content: Content,
    proxy: Proxy,
}

impl Stored {
    async fn new() -> Self {
        let content = Content::new(1, LEN);
        let answer = Answer::new(content.clone()).header(ETAG, "\"v1\"");
        let origin = Origin::start(move |_| answer.clone()).await;
        let data = folder();
        let setup = Setup::new(origin.address, data.path()).arg("--no-l0");
        let proxy = setup.start().await;
        proxy.get("/object").await.expect(&content).await;
        proxy.durable_commits(1).await;
        let hit = proxy.get("/object").await;
        assert_eq!(hit.cache(), "hit; detail=L3");
        hit.expect(&content).await;
        Self {
            origin,
            data,
            content,
            proxy,
        }
    }

    fn body(&self) -> PathBuf {
        only_body(self.data.path())
    }

    /// A hit that the disk cannot serve: the origin is asked for the rest, from one of the bytes of `from` on, and the client
    /// gets the whole. Then the bad copy is dropped, and replaced.
    async fn is_rescued(&self, from: RangeInclusive<u64>) {
        let hit = self.proxy.get("/object").await;
        assert_eq!(hit.cache(), "hit; detail=L3");
        hit.expect(&self.content).await;
        assert_eq!(self.origin.count("/object"), 2);
        let asked = self.origin.last();
        let range = asked.header(RANGE).strip_prefix("bytes=");
        let (first, last) = range.and_then(|it| it.split_once('-')).expect("a range");
        assert_eq!(last, (LEN - 1).to_string());
        let first: u64 = first.parse().expect("a number");
        assert!(from.contains(&first), "{first} instead of {from:?}");

        eventually("the bad copy is replaced", async || {
            let reply = self.proxy.get("/object").await;
            let is_hit = reply.cache() == "hit; detail=L3";
            reply.expect(&self.content).await;
            // One that is dropped already, and not yet fetched again, is a miss.
            is_hit && self.origin.last().header(RANGE).is_empty()
        })
        .await;
        let metrics = self.proxy.metrics().await;
        assert!(metrics.sum("terrace_proxy_rescues_total", &[("outcome", "continued")]) >= 1.0);
    }

    /// Without an origin there is nothing to serve instead: the client must see that.
    async fn is_an_error_without_an_origin(&mut self) {
        self.origin.stop().await;
        let hit = self.proxy.get("/object").await;
        let mut checker = self.content.checker();
        let Err(broken) = hit.try_whole().await else {
            panic!("a clean end, and nobody had the whole body");
        };
        checker
            .push(&broken.received)
            .expect("right as far as it goes");
        assert!(checker.position() < LEN);
    }
}

fn remove(stored: &Stored) {
    fs::remove_file(stored.body()).expect("it is removed");
}

fn truncate(stored: &Stored) {
    let file = OpenOptions::new().write(true).open(stored.body());
    file.and_then(|file| file.set_len(LEN / 2))
        .expect("it is cut");
}

fn flip(stored: &Stored) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(stored.body());
    let mut file = file.expect("the body is a file");
    let mut byte = [0];
    file.seek(SeekFrom::Start(LEN / 2))
        .expect("it is that long");
    file.read_exact(&mut byte).expect("it is that long");
    file.seek_relative(-1).expect("it is that long");
    file.write_all(&[byte[0] ^ 1]).expect("it can be written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_body_is_fetched_again() {
    let stored = Stored::new().await;
    remove(&stored);
    stored.is_rescued(0..=0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_body_is_completed() {
    let stored = Stored::new().await;
    truncate(&stored);
    // That it is too short is seen when it is opened.
    stored.is_rescued(0..=0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_is_never_served() {
    let stored = Stored::new().await;
    flip(&stored);
    stored.is_rescued(MIB..=LEN / 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_completed_is_an_error_and_no_clean_end() {
    for damage in [remove, truncate, flip] {
        let mut stored = Stored::new().await;
        damage(&stored);
        stored.is_an_error_without_an_origin().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_changed_body_is_right_too() {
    let stored = Stored::new().await;
    flip(&stored);
    let range = LEN / 2 - 100..LEN / 2 + 100;
    let asked = format!("bytes={}-{}", range.start, range.end - 1);
    let part = stored
        .proxy
        .ask("GET", "/object")
        .header("range", asked)
        .send()
        .await;
    assert_eq!(
        (part.status.as_u16(), &*part.cache()),
        (206, "hit; detail=L3")
    );
    part.expect(&stored.content.slice(range)).await;
}

/// While something stale is served, Pingora reads the answer that it is served instead of, and each piece of that interrupts
/// the reading of the stale body.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_stale_is_rescued_while_an_error_is_still_coming() {
    let content = Content::new(1, LEN);
    let (rest, rescue) = (Gate::new(), Gate::new());
    let well = Answer::new(content.clone()).header(ETAG, "\"v1\"");
    let rescued = well.clone().delayed_by(&rescue);
    // Larger than what is on its way in sockets.
    let failing = Answer::new(Content::new(503, 64 * MIB))
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .hold_at(KIB, &rest)
        .then_opens(&rescue);
    let is_failing = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&is_failing);
    let origin = Origin::start(move |seen| {
        if !seen.header(RANGE).is_empty() {
            rescued.clone()
        } else if fails.load(Ordering::SeqCst) {
            failing.clone()
        } else {
            well.clone()
        }
    })
    .await;
    let data = folder();
    let setup = Setup::new(origin.address, data.path()).arg("--no-l0");
    let proxy = setup.start().await;
    proxy.get("/object").await.expect(&content).await;
    proxy.durable_commits(1).await;
    let marked = proxy.ask("PURGE", "/object");
    let marked = marked.header("terrace-soft-purge", "1").send().await;
    assert_eq!(marked.status, StatusCode::OK);
    fs::remove_file(only_body(data.path())).expect("it is removed");
    is_failing.store(true, Ordering::SeqCst);

    let asked = async { proxy.get("/object").await.expect(&content).await };
    let answered = async {
        eventually("the origin is asked for the lost body", async || {
            origin.count("/object") == 3
        })
        .await;
        rest.open();
    };
    tokio::join!(asked, answered);
    assert_eq!(origin.count("/object"), 3, "it is asked for it once");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_need_the_disk() {
    let content = Content::new(2, MIB);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/object").await.expect(&content).await;
    proxy.durable_commits(1).await;
    fs::remove_file(only_body(data.path())).expect("it is removed");
    for _ in 0..3 {
        let hit = proxy.get("/object").await;
        assert_eq!(hit.cache(), "hit; detail=L0");
        hit.expect(&content).await;
    }
    assert_eq!(origin.count("/object"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_go_on_when_the_origin_is_killed() {
    let Some(mut nginx) = Nginx::start().await else {
        return;
    };
    let objects = [
        ("small", Content::new(1, MIB)),
        ("large", Content::new(2, 20 * MIB)),
    ];
    let data = folder();
    let proxy = Setup::new(nginx.address, data.path()).start().await;
    for ((name, content), commits) in objects.iter().zip(1..) {
        nginx.add(name, content);
        proxy
            .get(&format!("/length/{name}"))
            .await
            .expect(content)
            .await;
        proxy.durable_commits(commits).await;
    }
    // In the middle of a hit.
    let mut hit = proxy.get("/length/large").await;
    let mut checker = objects[1].1.checker();
    let first = hit.next().await.expect("the body has begun");
    checker
        .push(&first.expect("it has bytes"))
        .expect("the right ones");
    nginx.kill();
    hit.expect_rest(checker).await;

    for _ in 0..5 {
        for ((name, content), from) in objects.iter().zip(["L0", "L3"]) {
            let hit = proxy.get(&format!("/length/{name}")).await;
            assert_eq!(hit.cache(), format!("hit; detail={from}"));
            hit.expect(content).await;
        }
    }
    let miss = proxy.get("/length/never-asked-for").await;
    assert_eq!(miss.status, 502);
}
