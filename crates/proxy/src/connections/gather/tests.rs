use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use proptest::prelude::*;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::{Gather, MOST};

/// What became of a connection: each call that wrote, and how often it was flushed.
#[derive(Debug, Default)]
struct Seen {
    writes: Vec<Vec<u8>>,
    flushes: usize,
}

/// Takes of each write as much as it is told to, and then, once it is told no more, everything.
#[derive(Debug, Default)]
struct Socket {
    seen: Arc<Mutex<Seen>>,
    takes: VecDeque<usize>,
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        match self.takes.pop_front() {
            Some(0) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(most) => bytes.truncate(most),
            None => {}
        }
        let taken = bytes.len();
        self.seen.lock().unwrap().writes.push(bytes);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seen.lock().unwrap().flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn gather(takes: &[usize]) -> (Gather<Socket>, Arc<Mutex<Seen>>) {
    let socket = Socket {
        takes: takes.iter().copied().collect(),
        ..Socket::default()
    };
    let seen = Arc::clone(&socket.seen);
    (Gather::new(socket), seen)
}

fn writes(seen: &Mutex<Seen>) -> Vec<usize> {
    let seen = seen.lock().unwrap();
    seen.writes.iter().map(Vec::len).collect()
}

#[tokio::test]
async fn the_head_goes_out_with_the_first_piece_of_the_body_for_each_response() {
    let (mut stream, seen) = gather(&[]);
    for _ in 0..2 {
        stream.write_all(&[b'h'; 400]).await.unwrap();
        stream.write_all(&vec![b'b'; 65_536]).await.unwrap();
        stream.write_all(&[b'c'; 1000]).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(writes(&seen), [65_936, 1000, 65_936, 1000]);
}

#[tokio::test]
async fn a_head_without_a_body_goes_out_when_it_is_flushed() {
    let (mut stream, seen) = gather(&[]);
    stream.write_all(&[b'h'; 400]).await.unwrap();
    assert_eq!(writes(&seen), [0; 0]);
    stream.flush().await.unwrap();
    assert_eq!(writes(&seen), [400]);
    assert_eq!(seen.lock().unwrap().flushes, 1);
}

#[tokio::test]
async fn what_was_written_is_not_lost_with_the_connection() {
    let (mut stream, seen) = gather(&[]);
    stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
    drop(stream);
    assert_eq!(writes(&seen), [17]);
    let (mut stream, seen) = gather(&[]);
    stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(writes(&seen), [17]);
}

#[tokio::test]
async fn no_more_is_kept_back_than_a_head_may_be() {
    let (mut stream, seen) = gather(&[]);
    stream.write_all(&[b'h'; MOST + 1]).await.unwrap();
    assert_eq!(writes(&seen), [MOST + 1]);
}

proptest! {
    /// However little the socket takes, and however the writer cuts it, the bytes are the same.
    #[test]
    fn bytes_arrive_once_and_in_order(
        lens in prop::collection::vec(0_usize..2 * MOST, 1..6),
        takes in prop::collection::vec(0_usize..MOST, 0..12),
        vectored in any::<bool>(),
    ) {
        let (mut stream, seen) = gather(&takes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut sent = Vec::new();
        runtime.block_on(async {
            for (number, len) in (0_u8..).zip(&lens) {
                let piece: Vec<u8> = (0..*len).map(|at| number ^ at.to_le_bytes()[0]).collect();
                sent.extend_from_slice(&piece);
                if vectored {
                    let middle = piece.len() / 2;
                    let (first, second) = piece.split_at(middle);
                    let mut both = bytes::Buf::chain(first, second);
                    stream.write_all_buf(&mut both).await.unwrap();
                } else {
                    stream.write_all(&piece).await.unwrap();
                }
                if number % 2 == 1 {
                    stream.flush().await.unwrap();
                }
            }
            stream.flush().await.unwrap();
        });
        prop_assert_eq!(seen.lock().unwrap().writes.concat(), sent);
    }
}
