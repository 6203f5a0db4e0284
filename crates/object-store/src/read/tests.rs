use std::io::Write as _;

use futures::FutureExt as _;

use super::*;

/// Without a runtime: the reads happen in line.
fn collect(read: BlobRead) -> Vec<Result<Bytes>> {
    read.collect::<Vec<_>>().now_or_never().unwrap()
}

fn count(pieces: &[usize], len: u64) -> Vec<Result<Bytes>> {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|n| Ok(Bytes::from(vec![7; *n])))
        .collect();
    collect(counted(stream::iter(pieces).boxed(), len, Path::from("a")))
}

#[test]
fn p1_what_has_the_right_length_passes() {
    for pieces in [&[][..], &[0, 0], &[10], &[3, 0, 7], &[MAX_PIECE * 2 + 1]] {
        let len = pieces.iter().sum::<usize>() as u64;
        let got = count(pieces, len);
        let lens: Vec<_> = got
            .iter()
            .map(|piece| piece.as_ref().unwrap().len())
            .collect();
        assert_eq!(lens.iter().sum::<usize>() as u64, len);
        assert!(lens.iter().all(|n| (1..=MAX_PIECE).contains(n)), "{lens:?}");
    }
}

#[test]
fn p1_an_early_end_is_an_error() {
    for (pieces, len) in [(&[][..], 1), (&[10], 11), (&[5, 5], 1000)] {
        let got = count(pieces, len);
        let last = got.last().unwrap().as_ref().unwrap_err();
        assert_eq!(last.kind(), ErrorKind::Unavailable);
        assert_eq!(got.len(), pieces.len() + 1, "one error, then the end");
    }
}

#[test]
fn p1_more_than_asked_for_is_an_error() {
    for (pieces, len) in [(&[1][..], 0), (&[11], 10), (&[5, 6], 10), (&[10, 1], 10)] {
        let got = count(pieces, len);
        let last = got.last().unwrap().as_ref().unwrap_err();
        assert_eq!(last.kind(), ErrorKind::Corrupt);
        let before: usize = got.iter().flatten().map(Bytes::len).sum();
        assert!(before as u64 <= len, "nothing beyond what was asked for");
    }
}

#[test]
fn p1_a_file_cut_short_is_an_error() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[7; 1000]).unwrap();
    let got = collect(file_pieces(
        file.try_clone().unwrap(),
        10..1000,
        Path::from("a"),
    ));
    assert_eq!(got.iter().flatten().map(Bytes::len).sum::<usize>(), 990);

    file.set_len(500).unwrap();
    let got = collect(file_pieces(file, 10..1000, Path::from("a")));
    let [Err(error)] = &got[..] else {
        panic!("one error, got {got:?}");
    };
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
