use super::*;
use proptest::prelude::*;

fn body(len: usize) -> Vec<u8> {
    // A prime period, so that no two neighbouring blocks are equal.
    (0..=250).cycle().take(len).collect()
}

#[test]
fn many_small_updates_equal_one_large() {
    // Over MAX_BLOCKS of the smallest size, so that blocks are combined on the way.
    let body = body(MAX_BLOCKS * 16 * 1024 * 2 + 12_345);
    let mut builder = ChecksumBuilder::new();
    for piece in body.chunks(7_777) {
        builder.update(piece);
    }
    let sums = builder.finish();
    assert_eq!(sums, BlockChecksums::of(&body));
    assert!(
        sums.is_consistent(),
        "{} blocks of {}",
        sums.blocks.len(),
        sums.block_size
    );
    assert_eq!(sums.digest(), crc32c(&body));
    let block_size = usize::try_from(sums.block_size).unwrap();
    for (crc, block) in sums.blocks.iter().zip(body.chunks(block_size)) {
        assert_eq!(*crc, crc32c(block));
    }
}

#[test]
fn consistent_at_every_boundary() {
    let block = usize::try_from(MIN_BLOCK_SIZE).unwrap();
    for blocks in [
        0,
        1,
        2,
        MAX_BLOCKS - 1,
        MAX_BLOCKS,
        MAX_BLOCKS + 1,
        MAX_BLOCKS + 2,
        2 * MAX_BLOCKS + 1,
    ] {
        let len = blocks * block;
        for len in [len.saturating_sub(1), len, len + 1] {
            let body = body(len);
            let sums = BlockChecksums::of(&body);
            assert!(sums.is_consistent(), "{len} bytes");
            assert_eq!(sums.digest(), crc32c(&body), "{len} bytes");
        }
    }
}

#[test]
fn a_flipped_bit_is_found_before_its_block_comes_out() {
    let good = body(100_000);
    let sums = Arc::new(BlockChecksums::of(&good));
    for at in [0, 16_383, 16_384, 50_000, 99_999] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let (mut verifier, mut out) = (sums.verifier(0), VecDeque::new());
        let mut pieces = bad.chunks(1000).map(Bytes::copy_from_slice);
        let result = pieces.try_for_each(|piece| verifier.push(piece, &mut out));
        assert!(result.is_err(), "bit flipped at {at}");
        let passed: usize = out.iter().map(Bytes::len).sum();
        assert!(
            passed <= at,
            "{passed} bytes came out, the flipped one is at {at}"
        );
    }
}

proptest! {
    #[test]
    fn ranges_verify_alone(
        len in 1_usize..300_000,
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
        step in 1_usize..40_000,
    ) {
        let body = body(len);
        let sums = Arc::new(BlockChecksums::of(&body));
        let (a, b) = (a.index(len) as u64, b.index(len) as u64);
        let range = a.min(b)..a.max(b);
        let cover = sums.covering(&range);
        prop_assert!(cover.start <= range.start && cover.end >= range.end && cover.end <= sums.len());
        let mut verifier = sums.verifier(cover.start);
        let mut out = VecDeque::new();
        let cover = usize::try_from(cover.start).unwrap()..usize::try_from(cover.end).unwrap();
        for piece in body[cover.clone()].chunks(step) {
            verifier.push(Bytes::copy_from_slice(piece), &mut out).unwrap();
        }
        let passed: Vec<u8> = out.into_iter().flatten().collect();
        prop_assert_eq!(&passed[..], &body[cover]);
    }
}
