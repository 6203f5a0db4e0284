//! Clients that are slow, silent, gone, or many.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::Target;
use crate::support::{MIB, Raw, Setup, eventually};

const GET: &[u8] = b"GET /next HTTP/1.1\r\nHost: e2e.example\r\n\r\n";
/// Impatient, so that the test need not be patient.
const SHORT: [&str; 6] = [
    "--header-timeout",
    "1",
    "--keepalive-timeout",
    "1",
    "--body-timeout",
    "1",
];

/// Slowloris: each byte comes in time, the head does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_byte_by_byte() {
    let target = Target::new(&SHORT).await;
    let dribble = async || {
        let mut raw = Raw::open(target.proxy.listen).await;
        raw.send(b"GET / HTTP/1.1\r\nX-Field: ").await;
        while raw.send(b"a").await {
            // The pace of the client, not a wait for anything.
            sleep(Duration::from_millis(50)).await;
            let Some(answer) = raw.now() else { continue };
            return answer.statuses();
        }
        vec![]
    };
    let answers = join_all((0..50).map(|_| dribble())).await;
    assert!(answers.iter().all(|it| *it == [408]), "{answers:?}");
    target.serves().await;
    assert!(target.refused("slow").await >= 50.0);
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_at_first_or_afterwards() {
    let target = Target::new(&SHORT).await;
    assert!(Raw::exchange(target.proxy.listen, b"").await.0.is_empty());
    let served = Raw::exchange(target.proxy.listen, GET).await;
    assert_eq!(served.statuses(), [200]);
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come() {
    let target = Target::new(&SHORT).await;
    let head =
        b"POST /upload HTTP/1.1\r\nHost: e2e.example\r\nContent-Length: 1000000\r\n\r\nbegin";
    for _ in 0..5 {
        let answers = Raw::exchange(target.proxy.listen, head).await;
        assert!(answers.statuses().len() <= 1, "{answers:?}");
    }
    target.ends_well().await;
}

/// What it does not read may not stay, and neither may it.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing() {
    let config = crate::support::folder();
    let path = config.path().join("terrace.toml");
    std::fs::write(&path, "[cache]\nsend_timeout = \"1s\"\n").expect("room on the disk");
    let target = Target::new(&["--config", path.to_str().expect("text")]).await;
    let mut clients = Vec::new();
    for nth in 0..10 {
        let mut raw = Raw::open(target.proxy.listen).await;
        // More than the buffers of the two sockets take.
        for _ in 0..20 {
            let head = format!("GET /large/{nth} HTTP/1.1\r\nHost: e2e.example\r\n\r\n");
            raw.send(head.as_bytes()).await;
        }
        clients.push(raw);
    }
    eventually("they are cut off", async || {
        let metrics = target.proxy.metrics().await;
        metrics.sum("terrace_proxy_connections", &[]) < 0.5
    })
    .await;
    drop(clients);
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_at_any_moment() {
    let target = Target::new(&[]).await;
    let large = b"GET /large/left HTTP/1.1\r\nHost: e2e.example\r\n\r\n";
    let beginnings = [&b""[..], &GET[..10], GET, large];
    for nth in 0..100 {
        let mut raw = Raw::open(target.proxy.listen).await;
        let beginning = beginnings[nth % beginnings.len()];
        raw.send(beginning).await;
        if beginning.len() > 10 && nth % 8 > 4 {
            raw.some().await;
        }
        match nth % 3 {
            0 => raw.reset(),
            1 => drop(raw),
            _ => {
                raw.half_close().await;
                drop(raw);
            }
        }
    }
    target.ends_well().await;
}

/// RFC 9112, 9.6: one side may end before the other.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_said_everything_is_answered_from_the_cache() {
    let target = Target::new(&[]).await;
    let mut raw = Raw::open(target.proxy.listen).await;
    raw.send(GET).await;
    raw.half_close().await;
    assert_eq!(raw.rest().await.statuses(), [200]);
    // Half a head is none.
    let mut raw = Raw::open(target.proxy.listen).await;
    raw.send(&GET[..20]).await;
    raw.half_close().await;
    assert!(raw.rest().await.0.is_empty());
    assert!(target.refused("cut_short").await >= 1.0);
    target.ends_well().await;
}

/// RFC 9112, 9.3.2.
#[tokio::test(flavor = "multi_thread")]
async fn requests_on_each_others_heels_are_answered_in_order() {
    let target = Target::new(&[]).await;
    let mut all = GET.repeat(100);
    all.extend_from_slice(b"GET /large HTTP/1.1\r\nHost: e2e.example\r\nConnection: close\r\n\r\n");
    all.extend_from_slice(b"GET /too-late HTTP/1.1\r\nHost: e2e.example\r\n\r\n");
    let answers = Raw::exchange(target.proxy.listen, &all).await;
    assert_eq!(answers.statuses(), [200; 101]);
    assert!(answers.0.len() as u64 > 3 * MIB);
    assert_eq!(target.origin.count("/too-late"), 0);
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_that_say_nothing() {
    let options = [&SHORT[..], &["--max-connections", "50"]].concat();
    let target = Target::new(&options).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(Raw::open(target.proxy.listen).await);
    }
    eventually("some are told that they are too many", async || {
        target.refused("too_many").await >= 100.0
    })
    .await;
    eventually(
        "whoever has something to say is served meanwhile",
        async || {
            let reply = target.proxy.ask("GET", "/next").try_send().await;
            reply.is_ok_and(|reply| reply.status == 200)
        },
    )
    .await;
    drop(crowd);
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_files_are_refused_at_the_start() {
    let ended = Setup::bare()
        .args(["--max-connections", "999999999"])
        .ends()
        .await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("ulimit -n"), "{ended:?}");
}
