use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, BlockChecksums, Body, ChecksumBuilder,
    Error, ErrorKind, MIN_BLOCK_SIZE, ReadBody, Result, Timestamp,
};
use terrace_memory::InMemoryBlobStore;
use terrace_testkit::ManualClock;
use terrace_testkit::sample::{Object, blob_name, body, key};

use super::blob_body;
use crate::testing::{Fault, World, now};

const BLOCK: usize = 16 * 1024;
const LEN: usize = 10 * BLOCK + 77;

/// A world with one blob, and its body.
fn stored() -> (World, Object, Body) {
    let world = World::new();
    let object = Object::new(LEN, 1);
    world.store(&key(1), &object);
    let body = world.hit(&key(1)).unwrap().body;
    (world, object, body)
}

fn name(object: &Object) -> BlobName {
    BlobName {
        key: key(1),
        generation: object.generation(),
    }
}

fn size(number: u64) -> usize {
    number.try_into().unwrap()
}

/// Everything up to the end or the error.
fn drain(body: &mut Body) -> (Vec<u8>, Option<Error>) {
    let mut bytes = Vec::new();
    loop {
        match now(body.read()) {
            Ok(Some(piece)) => {
                assert!(!piece.is_empty());
                bytes.extend_from_slice(&piece);
            }
            Ok(None) => return (bytes, None),
            Err(error) => return (bytes, Some(error)),
        }
    }
}

#[test]
fn a_body_that_is_not_read_is_not_opened() {
    let world = World::new();
    let object = Object::new(LEN, 1);
    world.store(&key(1), &object);
    let mut hit = match now(terrace_core::Tier::lookup(&world.tier, &key(1))).unwrap() {
        terrace_core::Lookup::Hit(hit) => hit,
        terrace_core::Lookup::Miss(_) => panic!("a miss"),
    };
    hit.body.seek(5..7).unwrap();
    hit.body.seek(9..9).unwrap();
    assert!(now(hit.body.read()).unwrap().is_none());
    assert_eq!(world.script().calls(), ["index.get"]);
}

#[test]
fn a_range_reads_the_blocks_that_cover_it_and_no_more() {
    let (world, object, mut body) = stored();
    let block = BLOCK as u64;
    for (range, blocks) in [
        (0..1, 1),
        (block - 1..block + 1, 2),
        (3 * block..4 * block, 1),
        (3 * block + 1..5 * block, 2),
    ] {
        *world.stores.bytes_read.lock() = 0;
        body.seek(range.clone()).unwrap();
        let (bytes, error) = drain(&mut body);
        assert!(error.is_none());
        assert!(bytes == object.body[size(range.start)..size(range.end)]);
        assert_eq!(*world.stores.bytes_read.lock(), blocks * block);
    }
}

proptest! {
    #[test]
    fn every_range_comes_out_as_it_went_in(
        len in 0..5 * BLOCK,
        seeks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_usize), 1..5),
        max_piece in 1..20_000_usize,
    ) {
        let clock = Arc::new(ManualClock::default());
        let blobs = Arc::new(InMemoryBlobStore::new(clock, 1 << 20));
        let bytes = body(len, 3);
        let mut blob = now(blobs.put(&blob_name(1, 1))).unwrap();
        now(blob.write(bytes.clone())).unwrap();
        now(blob.finish()).unwrap();
        let checksums = Arc::new(BlockChecksums::of(&bytes));
        let mut body = blob_body(blobs, blob_name(1, 1), checksums, max_piece);
        for (a, b, reads) in seeks {
            let (a, b) = (a.index(len + 1), b.index(len + 1));
            let (start, end) = (a.min(b), a.max(b));
            body.seek(start as u64..end as u64).unwrap();
            let mut got = Vec::new();
            // Sometimes not to the end.
            for _ in 0..if reads == 0 { usize::MAX } else { reads } {
                let Some(piece) = now(body.read()).unwrap() else {
                    prop_assert_eq!(got.len(), end - start);
                    break;
                };
                prop_assert!(!piece.is_empty() && piece.len() <= max_piece);
                got.extend_from_slice(&piece);
            }
            prop_assert!(bytes[start..end].starts_with(&got));
        }
    }
}

#[test]
fn p2_no_corrupt_byte_is_handed_out() {
    let (world, object, mut body) = stored();
    for at in [0, BLOCK - 1, BLOCK, 5 * BLOCK + 9, LEN - 1] {
        let mut corrupt = object.body.to_vec();
        corrupt[at] ^= 1;
        world.overwrite(&name(&object), corrupt.into());
        let block = at / BLOCK * BLOCK;

        let mut whole = world.hit(&key(1)).unwrap().body;
        let (bytes, error) = drain(&mut whole);
        assert_eq!(error.expect("an error").kind(), ErrorKind::Corrupt);
        assert!(object.body[..block].starts_with(&bytes));
        assert!(
            now(whole.read()).is_err(),
            "an error is not followed by an end"
        );

        // A byte of the same block, not the corrupt one itself.
        let other = if at == block { block + 1 } else { block } as u64;
        let mut range = world.hit(&key(1)).unwrap().body;
        range.seek(other..other + 1).unwrap();
        let (bytes, error) = drain(&mut range);
        assert_eq!(
            (bytes.len(), error.map(|e| e.kind())),
            (0, Some(ErrorKind::Corrupt))
        );
    }
    // What is in order can be read all the same.
    body.seek(0..BLOCK as u64).unwrap();
    let (bytes, error) = drain(&mut body);
    assert!(error.is_none());
    assert!(bytes == object.body[..BLOCK]);
}

#[test]
fn p1_a_blob_that_was_cut_is_corrupt() {
    let (world, object, _) = stored();
    for len in [0, BLOCK, LEN - 1] {
        world.overwrite(&name(&object), object.body.slice(..len));
        let (bytes, error) = drain(&mut world.hit(&key(1)).unwrap().body);
        assert!(object.body.starts_with(&bytes));
        assert_eq!(error.expect("an error").kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn p1_a_missing_blob_is_not_found() {
    let (world, object, mut body) = stored();
    now(world.stores.blobs.delete(&name(&object))).unwrap();
    assert_eq!(now(body.read()).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(now(body.read()).is_err());
}

#[test]
fn a_dropped_read_leaves_a_body_that_fails() {
    let (world, _, _) = stored();
    let mut body = match now(terrace_core::Tier::lookup(&world.tier, &key(1))).unwrap() {
        terrace_core::Lookup::Hit(hit) => hit.body,
        terrace_core::Lookup::Miss(_) => panic!("a miss"),
    };
    world.script().at(0, Fault::HangsAfter);
    assert!(body.read().now_or_never().is_none());
    assert!(now(body.read()).is_err());
}

#[test]
fn a_seek_that_leaves_the_body_changes_nothing() {
    let (_, object, mut body) = stored();
    let len = LEN as u64;
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tried")]
    for wrong in [0..len + 1, len + 1..len + 2, 5..4] {
        assert_eq!(body.seek(wrong).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let (bytes, error) = drain(&mut body);
    assert!(error.is_none());
    assert!(bytes == object.body);
}

/// A store whose only blob is `len` zeros but for the byte at `flaw`, and whose reads end at `cut`.
struct Zeros {
    flaw: Option<u64>,
    cut: u64,
}

const PIECE: u64 = 64 * 1024;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

#[async_trait]
impl BlobStore for Zeros {
    async fn get(&self, _: &BlobName, range: std::ops::Range<u64>) -> Result<BlobRead> {
        let (flaw, end) = (self.flaw, range.end.min(self.cut));
        let pieces = (range.start..end).step_by(ZEROS.len()).map(move |start| {
            let len = PIECE.min(end - start);
            let mut piece = Bytes::from_static(&ZEROS[..size(len)]);
            if let Some(flaw) = flaw.filter(|flaw| (start..start + len).contains(flaw)) {
                let mut flawed = piece.to_vec();
                flawed[size(flaw - start)] = 1;
                piece = flawed.into();
            }
            Ok(piece)
        });
        Ok(stream::iter(pieces).boxed())
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        Ok(Some(BlobInfo {
            name: *name,
            len: self.cut,
            modified: Timestamp::EPOCH,
        }))
    }

    async fn put(&self, _: &BlobName) -> Result<Box<dyn BlobWrite>> {
        Err(Error::new(ErrorKind::Unsupported, "zeros.put", "read only"))
    }

    async fn delete(&self, _: &BlobName) -> Result<()> {
        Ok(())
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        stream::empty().boxed()
    }
}

fn zeros(store: Zeros, checksums: &Arc<BlockChecksums>) -> Body {
    let checksums = Arc::clone(checksums);
    let body = blob_body(Arc::new(store), blob_name(1, 1), checksums, 1 << 20);
    Body::Stream(Box::new(body))
}

#[test]
fn p1_a_read_that_ends_early_is_an_error() {
    let checksums = Arc::new(BlockChecksums::of(&ZEROS));
    for cut in [0, 1, MIN_BLOCK_SIZE, PIECE - 1] {
        let mut body = zeros(Zeros { flaw: None, cut }, &checksums);
        let (bytes, error) = drain(&mut body);
        assert!(error.is_some(), "{} bytes, then an end", bytes.len());
        assert!((bytes.len() as u64) <= cut);
    }
}

#[test]
fn p2_the_last_byte_of_a_range_comes_after_its_block_was_verified_even_if_blocks_are_large() {
    // Above 1 GiB, blocks are larger than what the verifier holds back.
    let mut builder = ChecksumBuilder::new();
    for _ in 0..=(1 << 30) / PIECE {
        builder.update(&ZEROS);
    }
    let len = builder.len();
    let checksums = Arc::new(builder.finish());
    let block = checksums.block_size();
    assert_eq!(block, 2 << 20);

    let range = 5 * block + 100..5 * block + 300_000;
    let mut sound = zeros(
        Zeros {
            flaw: None,
            cut: len,
        },
        &checksums,
    );
    sound.seek(range.clone()).unwrap();
    let (bytes, error) = drain(&mut sound);
    assert!(error.is_none());
    assert_eq!(bytes.len() as u64, range.end - range.start);

    // The flaw comes after the range, in its block.
    let flaw = Some(6 * block - 1);
    let mut flawed = zeros(Zeros { flaw, cut: len }, &checksums);
    flawed.seek(range.clone()).unwrap();
    let (bytes, error) = drain(&mut flawed);
    assert_eq!(error.expect("an error").kind(), ErrorKind::Corrupt);
    assert!((bytes.len() as u64) < range.end - range.start);
}
