//! A huge body takes the memory of a few parts. Alone in its process, which it measures.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::fs;

use bytes::Bytes;
use futures::TryStreamExt as _;
use terrace_core::{BlobName, BlobStore as _, Generation, Key};
use terrace_s3::S3Blob;
use terrace_testkit::CurrentRuntime;

mod endpoints;

const PIECE: u64 = 1 << 20;
const PIECES: u64 = 256;
/// Two parts under way and one being filled, of 5 MiB each, and what the client and the allocator take besides.
const ALLOWED: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_body_of_256_mib_takes_the_memory_of_a_few_parts() {
    for (endpoint, config) in endpoints::all() {
        let mut config = endpoints::own(&config);
        config.options.bodies.parallel_parts = 2;
        let store = S3Blob::connect(config, CurrentRuntime::port());
        let store = store.await.unwrap();
        let name = BlobName {
            key: Key::named("huge"),
            generation: Generation::from_u64(7).unwrap(),
        };
        let before = peak();
        let mut writer = store.put(&name).await.unwrap();
        for number in 0..PIECES {
            writer.write(piece(number)).await.unwrap();
        }
        writer.finish().await.unwrap();

        let mut read = store.get(&name, 0..PIECES * PIECE).await.unwrap();
        let (mut at, mut sum) = (0, 0_u64);
        while let Some(piece) = read.try_next().await.unwrap() {
            at += piece.len() as u64;
            sum += piece.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        assert_eq!(at, PIECES * PIECE);
        assert_eq!(sum, (0..PIECES).map(|number| number * PIECE).sum::<u64>());
        let grown = peak() - before;
        assert!(grown < ALLOWED, "{endpoint}: {} MiB", grown >> 20);
        store.delete(&name).await.unwrap();
    }
}

fn piece(number: u64) -> Bytes {
    let length = usize::try_from(PIECE).unwrap();
    vec![u8::try_from(number).unwrap(); length].into()
}

/// The most this process has ever held, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}
