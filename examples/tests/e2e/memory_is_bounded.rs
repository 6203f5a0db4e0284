//! What the proxy holds in memory is a matter of its configuration, not of the size of bodies or the patience of clients.

use std::env;
use std::io::Write as _;
use std::path::Path;

use bytesize::ByteSize;
use futures::future::join_all;
use rustix::fs::statvfs;

use crate::support::{Answer, Content, KIB, MIB, Origin, Proxy, Setup, folder};

const GIB: u64 = 1024 * MIB;
/// 64 MiB for L0, 128 MiB for bodies in progress, and room for the program itself.
const ENOUGH: u64 = 300 * MIB;
/// What each fill may have on its way to the disk: 4 MiB before the writer, and parts of 1 MiB in it.
const PER_FILL: u64 = 7 * MIB;

async fn start(origin: &Origin, data: &Path) -> Proxy {
    let setup = Setup::new(origin.address, data).args(["--l0-bytes", "64MiB"]);
    setup.start().await
}

#[expect(clippy::print_stdout, reason = "the figures are of interest, too")]
fn assert_bounded(proxy: &Proxy, what: &str, bound: u64) {
    let peak = proxy.memory_peak();
    println!("{what}: {} MiB at most", peak / MIB);
    assert!(peak < bound, "{what} took {} MiB", peak / MIB);
}

/// Bytes of the huge body: what `TERRACE_TEST_HUGE` says, or 10 GiB if the disk has room for half as much again, or
/// else 2 GiB; 0, loudly, if there is no room at all.
fn huge(place: &Path) -> u64 {
    let disk = statvfs(place).expect("a file system");
    let free = disk.f_bavail * disk.f_frsize;
    let has_room = |size: &u64| free > size + size / 2;
    let named = env::var("TERRACE_TEST_HUGE").ok();
    let named = named.map(|size| size.parse::<ByteSize>().expect("a size, such as 10GiB"));
    let sizes = named.map_or(vec![10 * GIB, 2 * GIB], |size| vec![size.as_u64()]);
    let size = sizes.iter().copied().find(has_room).unwrap_or(0);
    if size != sizes[0] {
        let line = format!(
            "\n*** {free} bytes are free: a body of {size} bytes instead of {} is {} ***\n",
            sizes[0],
            if size == 0 { "SKIPPED" } else { "tested" }
        );
        // Not by a macro: what those print is seen only if the test fails.
        drop(std::io::stderr().write_all(line.as_bytes()));
    }
    size
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_huge_body_of_unknown_length() {
    let data = folder();
    let size = huge(data.path());
    if size == 0 {
        return;
    }
    let content = Content::new(1, size);
    let answer = Answer::new(content.clone()).chunked();
    let origin = Origin::start(move |_| answer.clone()).await;
    let proxy = start(&origin, data.path()).await;

    let reply = proxy.get("/huge").await;
    assert_eq!(reply.header("content-length"), "");
    assert_eq!(reply.cache(), "fwd=uri-miss; stored");
    reply.expect(&content).await;
    assert_bounded(&proxy, &format!("a fill of {} MiB", size / MIB), ENOUGH);

    proxy.durable_commits(1).await;
    let hit = proxy.get("/huge").await;
    assert_eq!(hit.cache(), "hit; detail=L3");
    hit.expect(&content).await;
    assert_bounded(&proxy, "and a hit", ENOUGH);
    assert_eq!(origin.count("/huge"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_client_that_reads_nothing() {
    let content = Content::new(2, 600 * MIB);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = start(&origin, data.path()).await;

    let mut idler = proxy.get("/idle").await;
    let mut checker = content.checker();
    let first = idler.next().await.expect("the body has begun");
    checker
        .push(&first.expect("it has bytes"))
        .expect("the right ones");
    // Filled to its end, although its only client does not read on.
    proxy.durable_commits(1).await;
    assert_bounded(&proxy, "a fill whose client does not read", ENOUGH);
    idler.expect_rest(checker).await;
    assert_bounded(&proxy, "and then does", ENOUGH);
    assert_eq!(origin.count("/idle"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_many_fills_at_once() {
    const FILLS: u32 = 100;
    let content = Content::new(3, 10 * MIB + KIB);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = start(&origin, data.path()).await;
    let fills = (0..FILLS).map(|index| {
        let (proxy, content) = (&proxy, &content);
        async move { proxy.get(&format!("/{index}")).await.expect(content).await }
    });
    join_all(fills).await;
    assert_bounded(
        &proxy,
        &format!("{FILLS} fills of 10 MiB each"),
        ENOUGH + u64::from(FILLS) * PER_FILL,
    );
}
