//! The head of a response and the beginning of its body in one system call.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use futures::FutureExt as _;
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

mod passed_on;
#[cfg(test)]
mod tests;

/// The most bytes that are kept back.
const MOST: usize = 8 * 1024;
/// The most pieces that go out together.
const PIECES: usize = 8;

/// A connection that keeps back what is written first after a flush, the head of a response, until more comes or it is
/// flushed.
///
/// Pingora writes a head and a body one after the other, by way of a buffer of 1,460 bytes (`pingora-core` 0.9.1,
/// `protocols/l4/stream.rs`, line 370). What does not fit it is written by itself, after what is in the buffer: two
/// system calls, and two packets, for a body that is there as a whole. A larger buffer would be another copy of the body,
/// and memory that each connection has to have. Here both are handed to the socket as they are, by `writev`.
///
/// Nothing is held back for longer than it is in Pingora's own buffer: it flushes what a client must see at once.
#[derive(Debug)]
pub(super) struct Gather<S: AsyncWrite + Unpin = Stream> {
    inner: S,
    kept: BytesMut,
    /// Nothing was written since the last flush.
    is_beginning: bool,
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            kept: BytesMut::new(),
            is_beginning: true,
        }
    }

    /// Writes what is kept, and of `pieces` what goes with it; how much of them that was.
    ///
    /// Cancellation: what the inner stream has taken is no longer kept.
    fn poll_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if std::mem::take(&mut self.is_beginning) {
            let len: usize = pieces.iter().map(|piece| piece.len()).sum();
            if len <= MOST {
                self.kept.reserve(len);
                for piece in pieces {
                    self.kept.extend_from_slice(piece);
                }
                return Poll::Ready(Ok(len));
            }
        }
        while !self.kept.is_empty() {
            let mut all = [IoSlice::new(&[]); PIECES];
            all[0] = IoSlice::new(&self.kept);
            for (place, piece) in all[1..].iter_mut().zip(pieces) {
                *place = IoSlice::new(piece);
            }
            let all = &all[..PIECES.min(1 + pieces.len())];
            let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_kept = written.min(self.kept.len());
            self.kept.advance(of_kept);
            if written > of_kept {
                return Poll::Ready(Ok(written - of_kept));
            }
        }
        match pieces {
            [piece] => Pin::new(&mut self.inner).poll_write(cx, piece),
            pieces => Pin::new(&mut self.inner).poll_write_vectored(cx, pieces),
        }
    }

    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.kept))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.kept.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_pieces(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_pieces(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_kept(cx))?;
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        this.is_beginning = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_kept(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

/// As Pingora's own stream does: what was written should arrive although nobody flushes any more.
impl<S: AsyncWrite + Unpin> Drop for Gather<S> {
    fn drop(&mut self) {
        if !self.kept.is_empty() {
            // Nobody is left who could be told.
            let _ = self.flush().now_or_never();
        }
    }
}
