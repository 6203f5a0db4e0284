//! Memcached forgets what it likes.

use terrace_core::{Committed, Key, Lookup, Target, Tier};
use terrace_memcached::{MemcachedConfig, MemcachedTier};
use terrace_testkit::{CurrentRuntime, OwnServers, sample::Object};

use crate::addresses;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn tier(address: &str) -> MemcachedTier {
    let tier = MemcachedTier::builder(MemcachedConfig::new([address]), CurrentRuntime::port());
    tier.build().unwrap()
}

/// What the server says, up to `end`.
async fn ask(address: &str, command: &str, end: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{command}\r\n").as_bytes())
        .await
        .unwrap();
    let mut said = Vec::new();
    while !said.ends_with(end.as_bytes()) {
        assert!(stream.read_buf(&mut said).await.unwrap() > 0, "{command}");
    }
    String::from_utf8(said).unwrap()
}

/// The names of all items that have `part` in them.
async fn items(address: &str, part: &str) -> Vec<String> {
    let dump = ask(address, "lru_crawler metadump all", "END\r\n").await;
    let names = dump
        .lines()
        .filter_map(|line| line.strip_prefix("key=")?.split(' ').next());
    let names = names.map(|name| name.replace("%3A", ":").replace("%3a", ":"));
    names.filter(|name| name.contains(part)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_body_of_which_a_piece_was_evicted_is_an_error_and_never_short() {
    let Some(servers) = OwnServers::start(&["memcached"]) else {
        return;
    };
    let address = addresses(&servers)[0];
    let (tier, key) = (tier(address), Key::named("a"));
    let object = Object::new(1 << 20, 1);
    assert_eq!(
        object.store(&tier, &key).await.unwrap(),
        Committed::Published
    );
    let chunks = items(address, ":c:").await;
    assert_eq!(chunks.len(), 4, "{chunks:?}");
    for chunk in &chunks {
        let removed = ask(address, &format!("md {chunk}"), "\r\n").await;
        assert_eq!(removed, "HD\r\n");
        let Lookup::Hit(mut hit) = tier.lookup(&key).await.unwrap() else {
            panic!("the head is there");
        };
        let error = hit.body.read_all().await.unwrap_err();
        assert!(error.to_string().contains("evicted"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_commit_under_a_fence_that_was_evicted_fails() {
    let Some(servers) = OwnServers::start(&["memcached"]) else {
        return;
    };
    let address = addresses(&servers)[0];
    let tier = tier(address);
    let object = Object::new(300_000, 1);
    for (name, is_there) in [("lease", false), ("object", true)] {
        let key = Key::named(name);
        if is_there {
            let stored = object.store(&tier, &key).await.unwrap();
            assert_eq!(stored, Committed::Published);
        }
        let fence = tier.fence(&key).await.unwrap();
        for head in items(address, ":g:").await {
            ask(address, &format!("md {head}"), "\r\n").await;
        }
        // Nothing is there, and nothing has to be: what comes later has a later fence.
        tier.purge(&Target::Key(key)).await.unwrap();
        tier.lookup(&key).await.unwrap();
        let committed = object.store_under(&tier, &key, fence).await.unwrap();
        assert_eq!(committed, Committed::Fenced, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_flushed_is_used_again() {
    let Some(servers) = OwnServers::start(&["memcached"]) else {
        return;
    };
    let address = addresses(&servers)[0];
    let (tier, key) = (tier(address), Key::named("a"));
    let object = Object::new(1000, 1);
    let stored = object.store(&tier, &key).await.unwrap();
    assert_eq!(stored, Committed::Published);
    ask(address, "flush_all", "OK\r\n").await;
    assert!(matches!(tier.lookup(&key).await.unwrap(), Lookup::Miss(_)));
    assert_eq!(
        object.store(&tier, &key).await.unwrap(),
        Committed::Published
    );
    assert!(matches!(tier.lookup(&key).await.unwrap(), Lookup::Hit(_)));
}
