use std::pin::Pin;
use std::task::{Context, Poll};

use futures::executor::block_on;
use proptest::prelude::*;
use tokio::io::ReadBuf;

use super::*;

/// Hands out a few bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    at_once: usize,
}

impl AsyncRead for Trickle<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.at_once.min(self.bytes.len()).min(into.remaining());
        let (now, later) = self.bytes.split_at(len);
        into.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// All lines, and why there are no more.
fn read(bytes: &[u8], at_once: usize) -> (Vec<Line>, Unreadable) {
    let mut reader = Reader::new(Trickle { bytes, at_once });
    let mut lines = Vec::new();
    loop {
        match block_on(reader.line()) {
            Ok(line) => lines.push(line),
            Err(end) => return (lines, end),
        }
    }
}

fn answer(code: Code, value: &'static [u8], cas: Option<u64>, number: Option<u32>) -> Line {
    Line::Answer(Answer {
        code,
        value: Bytes::from_static(value),
        cas,
        number,
    })
}

#[test]
fn answers_are_read_as_they_come() {
    let bytes = b"VA 4 c18446744073709551615 O1 W\r\na\r\nb\r\nHD O2\r\nEN\r\nEX O4 c0\r\nNS O5\r\nNF O6\r\n\
        VA 0 c3 O7 Z\r\n\r\nSERVER_ERROR out of memory\r\nCLIENT_ERROR bad\r\nERROR\r\n\
        STAT item_size_max 1048576\r\nEND\r\n";
    let expected = [
        answer(Code::Value, b"a\r\nb", Some(u64::MAX), Some(1)),
        answer(Code::Done, b"", None, Some(2)),
        answer(Code::Miss, b"", None, None),
        answer(Code::Exists, b"", Some(0), Some(4)),
        answer(Code::NotStored, b"", None, Some(5)),
        answer(Code::NotFound, b"", None, Some(6)),
        answer(Code::Value, b"", Some(3), Some(7)),
        Line::ServerError("out of memory".to_owned()),
        Line::ClientError("bad".to_owned()),
        Line::ClientError("unknown command".to_owned()),
        Line::Setting("item_size_max".to_owned(), "1048576".to_owned()),
        Line::End,
    ];
    for at_once in [1, 2, 7, usize::MAX] {
        let (lines, end) = read(bytes, at_once);
        assert_eq!(lines, expected, "{at_once} bytes at once");
        assert!(matches!(end, Unreadable::Io(_)), "{end}");
    }
}

#[test]
fn hostile_answers_are_errors() {
    let endless = vec![b'x'; MAX_LINE_BYTES + BUFFER_BYTES + 1];
    for bytes in [
        &b"VA 999999999999 c1\r\n"[..],
        b"VA 262145 c1\r\n",
        b"VA 18446744073709551616 c1\r\n",
        b"VA -1\r\n",
        b"VA\r\n",
        b"VA 2\r\nabc\r\n",
        b"HD O99999999999\r\n",
        b"HD c\r\n",
        b"STORED\r\n",
        b"\r\n",
        b"\n",
        b"HD\x00\r\n",
        "HD ü\r\nü\r\n".as_bytes(),
        &endless,
    ] {
        let (_, end) = read(bytes, 1024);
        assert!(matches!(end, Unreadable::Malformed(_)), "{end:?}");
    }
}

#[test]
fn a_value_that_breaks_off_is_an_error() {
    let whole = b"VA 5 c1 O1\r\nhello\r\n";
    for len in 0..whole.len() {
        let (lines, end) = read(&whole[..len], usize::MAX);
        assert!(lines.is_empty(), "{len} bytes");
        assert!(matches!(end, Unreadable::Io(_)), "{end}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_answers_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..4000), at_once in 1_usize..5000) {
        let (lines, _) = read(&bytes, at_once);
        prop_assert!(lines.len() <= bytes.len());
    }

    /// Near to what is valid, and cut anywhere.
    #[test]
    fn pieces_of_answers_are_answers_or_an_error(
        words in prop::collection::vec("(VA|HD|EN|STAT|END|SERVER_ERROR| [0-9]{1,7}| c[0-9]{0,21}| O[0-9]{0,11}|\r\n|\r|\n|[ -~]{0,4})", 0..60),
        at_once in 1_usize..100,
    ) {
        let bytes = words.concat().into_bytes();
        let (slowly, _) = read(&bytes, at_once);
        let (at_once, _) = read(&bytes, usize::MAX);
        prop_assert_eq!(slowly, at_once);
    }
}
