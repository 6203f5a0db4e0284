//! A reader that is slower than the origin, in a whole stack.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "test code: a panic is a failure, bodies are small, the runtime is the test's own"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use support::{memory, meta};
use terrace_core::{Key, NoTier};
use terrace_memory::MemoryTier;
use terrace_policy::Policy;
use terrace_tiers::{Filling, HitBody, Intent, Limits, MultiTier, Stack, TokioRuntime};
use tokio::runtime::Builder;
use tokio::time::sleep;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const CHUNK: usize = 64 * KIB;

/// Bodies are streamed and shared, but too large to be kept.
fn stack(limits: Limits) -> Stack {
    let gates = Policy::builder().l0_max(0).l1_max(0).l2_max(0).l3_max(0);
    let tiers: MultiTier<NoTier, NoTier, NoTier, Arc<MemoryTier>> = MultiTier::builder(memory())
        .policy(gates.build().unwrap())
        .limits(limits)
        .runtime(Arc::new(TokioRuntime::current()))
        .build()
        .unwrap();
    tiers.stack().clone()
}

/// The chunk of a body that begins at `at`.
fn chunk(at: usize) -> Bytes {
    (at..at + CHUNK).map(|at| (at % 251) as u8).collect()
}

/// A fill, and a reader of it.
async fn begin(stack: &Stack) -> (Filling, HitBody) {
    let key = Key::named("k");
    let filling = stack.fill(&key, meta(), None, None).await;
    let reader = stack.lookup(&key, Intent::Serve).await.hit.unwrap().body;
    (filling, reader)
}

async fn write(filling: &mut Filling, len: usize) {
    for at in (0..len).step_by(CHUNK) {
        filling.write(chunk(at)).await;
    }
}

/// Reads to the end, which must come after `len` bytes, and rests after each piece.
async fn read(mut reader: HitBody, len: usize, rest: impl Fn(usize) -> Duration) {
    let mut at = 0;
    while let Some(piece) = reader.read().await.unwrap() {
        let is_right = piece
            .iter()
            .zip(at..)
            .all(|(byte, at)| *byte == (at % 251) as u8);
        assert!(is_right, "wrong bytes after {at}");
        at += piece.len();
        sleep(rest(piece.len())).await;
    }
    assert_eq!(at, len);
}

/// The reader rests while 24 MiB go by: they are in a file, and not in memory.
#[test]
fn p12_a_slow_reader_of_a_long_body_is_spooled_not_buffered() {
    const LEN: usize = 24 * MIB;
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (stack, (mut filling, reader)) = runtime.block_on(async {
        let stack = stack(Limits {
            in_progress_bytes: 2 * MIB,
            memory_bytes: 4 * MIB,
            ..Limits::default()
        });
        let begun = begin(&stack).await;
        (stack, begun)
    });
    // Everything but the file is written by this thread.
    let used = allocation_counter::measure(|| runtime.block_on(write(&mut filling, LEN)));
    assert!(used.bytes_max < 4 * MIB as u64, "{} bytes", used.bytes_max);
    runtime.block_on(async {
        let late = stack.lookup(&Key::named("k"), Intent::Serve).await;
        assert!(late.hit.is_none(), "too late to join");
        filling.finish().await;
        read(reader, LEN, |_| Duration::ZERO).await;
    });
}

/// The clock stands still while anybody has something to do: without pauses, the whole body would be there before the
/// reader has taken its second piece, and overwritten in the spool.
#[tokio::test(start_paused = true)]
async fn the_origin_is_held_back_for_a_reader_who_falls_far_behind() {
    const LEN: usize = 32 * MIB;
    let stack = stack(Limits {
        in_progress_bytes: 256 * KIB,
        memory_bytes: 4 * MIB,
        spool_bytes: 4 * MIB as u64,
        ..Limits::default()
    });
    let (mut filling, reader) = begin(&stack).await;
    let per_chunk = |bytes| Duration::from_millis(10 * bytes as u64 / CHUNK as u64);
    let reading = tokio::spawn(read(reader, LEN, per_chunk));
    write(&mut filling, LEN).await;
    filling.finish().await;
    reading.await.unwrap();
}
