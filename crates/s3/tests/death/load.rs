//! Bodies that are written and read while the server dies.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use terrace_core::{BlobName, BlobStore, Error, Generation, Key, Retry};
use terrace_object_store::s3::BucketOptions;
use tokio::time::timeout;

/// Of a body: nothing, one part, several parts.
const LENGTHS: [usize; 5] = [0, 1_000, 300_000, 6 << 20, 11 << 20];
const WRITERS: u64 = 5;
const READERS: u64 = 3;
/// A guard against hanging: all calls end by their own deadlines long before.
const HANGING: Duration = Duration::from_secs(100);

/// Impatient, so that what a dead server costs is over soon.
pub(crate) fn options() -> BucketOptions {
    let mut options = BucketOptions {
        create_bucket: true,
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_secs(2),
        retries: 1,
        retry_timeout: Duration::from_secs(1),
        stale_after: Duration::ZERO,
        ..BucketOptions::default()
    };
    options.bodies.part_size = 5 << 20;
    options.bodies.parallel_parts = 2;
    options
}

/// What is known of the bodies that were written.
#[derive(Default)]
pub(crate) struct Load {
    number: AtomicU64,
    /// They are there.
    acknowledged: Mutex<Vec<u64>>,
    /// They are there or not.
    unknown: Mutex<Vec<u64>>,
    /// The server has been disturbed.
    disturbed: AtomicBool,
    failures: AtomicU64,
}

impl Load {
    /// Writes and reads until it was noticed that the server is `disturb`ed.
    pub(crate) async fn until_disturbed(&self, store: &dyn BlobStore, disturb: impl Future) {
        self.disturbed.store(false, Ordering::SeqCst);
        self.failures.store(0, Ordering::SeqCst);
        let before = self.acknowledged.lock().unwrap().len();
        let writers = (0..WRITERS).map(|_| self.write_on(store));
        let readers = (0..READERS).map(|reader| self.read_on(store, reader));
        let disturb = async {
            while self.acknowledged.lock().unwrap().len() < before + 15 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            disturb.await;
            self.disturbed.store(true, Ordering::SeqCst);
        };
        let all = async { futures::join!(join_all(writers), join_all(readers), disturb) };
        timeout(HANGING, all).await.expect("a call hangs");
    }

    fn goes_on(&self) -> bool {
        !self.disturbed.load(Ordering::SeqCst)
            || self.failures.load(Ordering::SeqCst) < WRITERS + READERS
    }

    async fn write_on(&self, store: &dyn BlobStore) {
        while self.goes_on() {
            let number = self.number.fetch_add(1, Ordering::SeqCst);
            let written = write(store, number).await;
            let known = match &written {
                Ok(()) => &self.acknowledged,
                Err(_) => &self.unknown,
            };
            known.lock().unwrap().push(number);
            let failed = u64::from(written.is_err());
            self.failures.fetch_add(failed, Ordering::SeqCst);
        }
    }

    async fn read_on(&self, store: &dyn BlobStore, reader: u64) {
        let mut turn = reader;
        while self.goes_on() {
            turn += 7;
            let number = {
                let there = self.acknowledged.lock().unwrap();
                let at = turn.checked_rem(there.len() as u64).unwrap_or(0);
                there.get(usize::try_from(at).unwrap()).copied()
            };
            match number {
                Some(number) if read(store, number).await.is_err() => {
                    self.failures.fetch_add(1, Ordering::SeqCst);
                }
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// Once the server works again, without a new start of ours: what was acknowledged is there, whole, and what was not is
    /// there whole or not at all.
    pub(crate) async fn check(&self, store: &dyn BlobStore) {
        let check = async {
            let number = self.number.fetch_add(1, Ordering::SeqCst);
            patiently(async || write(store, number).await).await;
            let acknowledged = self.acknowledged.lock().unwrap().clone();
            assert!(!acknowledged.is_empty());
            for number in acknowledged {
                patiently(async || read(store, number).await).await;
            }
            let unknown = self.unknown.lock().unwrap().clone();
            for number in unknown {
                let found = patiently(async || store.head(&name(number)).await).await;
                if found.is_some() {
                    patiently(async || read(store, number).await).await;
                }
            }
        };
        timeout(HANGING, check).await.expect("the store is back");
    }
}

/// Nobody writes any more: what is unfinished is what the server's failures left, and a start removes it. Not always the first
/// one: a request that a server had not read when it was stopped is carried out some time after it goes on.
pub(crate) async fn swept(unfinished_after_a_start: impl AsyncFn() -> u64) {
    let swept = async {
        while unfinished_after_a_start().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HANGING, swept).await.expect("a start removes them");
}

/// Repeats what a server fails that has just come back.
async fn patiently<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) if error.retry() == Retry::Later => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
}

async fn write(store: &dyn BlobStore, number: u64) -> Result<(), Error> {
    let body = body(number);
    let mut writer = store.put(&name(number)).await?;
    for piece in body.chunks(1_000_000) {
        writer.write(body.slice_ref(piece)).await?;
    }
    writer.finish().await
}

/// Each byte is right, and a clean end comes after the last one only (P1).
async fn read(store: &dyn BlobStore, number: u64) -> Result<(), Error> {
    use futures::TryStreamExt as _;

    let body = body(number);
    let mut pieces = store.get(&name(number), 0..body.len() as u64).await?;
    let mut at = 0;
    while let Some(piece) = pieces.try_next().await? {
        let end = at + piece.len();
        assert!(
            body.get(at..end) == Some(&piece[..]),
            "body {number}, bytes {at}..{end} of {}",
            body.len()
        );
        at = end;
    }
    assert_eq!(at, body.len(), "body {number} ended early");
    Ok(())
}

fn name(number: u64) -> BlobName {
    BlobName {
        key: Key::named(format!("body {number}")),
        generation: Generation::from_u64(number + 1).unwrap(),
    }
}

/// A window of one long text, elsewhere for each body: neither a shift within one nor a mix of two goes unnoticed.
fn body(number: u64) -> Bytes {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        let words = (0_u64..).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bytes = words.flat_map(u64::to_le_bytes);
        bytes
            .take(LENGTHS[LENGTHS.len() - 1] + (64 << 10))
            .collect()
    });
    let number = usize::try_from(number).unwrap();
    let (length, begin) = (LENGTHS[number % LENGTHS.len()], number % (64 << 10));
    TEXT.slice(begin..begin + length)
}
