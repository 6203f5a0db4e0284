//! A client that does next to nothing with what it gets, so that the server is what is measured.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::{join, try_join_all};
use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// A server that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before anything is counted.
const WARM_UP: Duration = Duration::from_millis(200);
/// The most bytes of a body that are thrown away at once.
const AT_ONCE: usize = 1 << 20;

/// What was done. A response of which only a part came in the time counted counts as that part.
pub(crate) struct Done {
    /// Responses per second.
    pub(crate) rate: f64,
    /// Responses, those before and after the time counted included.
    pub(crate) responses: f64,
}

/// Asks for `/BYTES` on each connection, again when the last byte has come, for `time`. Errors if a response is not a
/// whole 200 of that length.
pub(crate) fn run(
    server: SocketAddr,
    bytes: usize,
    connections: usize,
    time: Duration,
) -> io::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let load = Load {
            server,
            bytes,
            request: format!("GET /{bytes} HTTP/1.1\r\nHost: {server}\r\n\r\n").into_bytes(),
            received: Cell::new(0),
            is_over: Cell::new(false),
        };
        let asking = try_join_all((0..connections).map(|_| load.ask()));
        let (asked, (received, time)) = join(asking, load.count(time)).await;
        asked?;
        #[expect(clippy::cast_precision_loss, reason = "far from 2^52 bytes")]
        let responses = |received: u64| received as f64 / bytes as f64;
        Ok(Done {
            rate: responses(received) / time.as_secs_f64(),
            responses: responses(load.received.get()),
        })
    })
}

struct Load {
    server: SocketAddr,
    bytes: usize,
    request: Vec<u8>,
    /// Bytes of bodies.
    received: Cell<u64>,
    is_over: Cell<bool>,
}

impl Load {
    async fn count(&self, time: Duration) -> (u64, Duration) {
        sleep(WARM_UP).await;
        let (before, begun) = (self.received.get(), Instant::now());
        sleep(time).await;
        let counted = (self.received.get() - before, begun.elapsed());
        self.is_over.set(true);
        counted
    }

    async fn ask(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; AT_ONCE];
        while !self.is_over.get() {
            let asked = timeout(PATIENCE, self.ask_once(&mut stream, &mut buffer)).await;
            asked
                .map_err(|_| io::Error::new(ErrorKind::TimedOut, "a response takes too long"))??;
        }
        Ok(())
    }

    async fn ask_once(&self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
        stream.write_all(&self.request).await?;
        let (mut filled, mut head) = (0, None);
        while head.is_none() {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Err(short("a header", filled));
            }
            filled += read;
            head = find(&buffer[..filled], b"\r\n\r\n").map(|end| end + 4);
        }
        let head = head.unwrap_or(filled);
        self.check(&buffer[..head])?;
        let mut body = filled - head;
        self.receive(body);
        while body < self.bytes {
            let at_once = AT_ONCE.min(self.bytes - body);
            let discarded = discard(stream, &mut buffer[..at_once]).await?;
            if discarded == 0 {
                return Err(short("a body", body));
            }
            body += discarded;
            self.receive(discarded);
        }
        if body > self.bytes {
            let message = format!("a body of {body} bytes, and not {}", self.bytes);
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        Ok(())
    }

    fn receive(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
    }

    /// A 200 whose length is what was asked for.
    fn check(&self, head: &[u8]) -> io::Result<()> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let is_ok = lines
            .next()
            .is_some_and(|line| line.starts_with("HTTP/1.1 200"));
        let len = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, len)| len.trim().parse().ok());
        if is_ok && len == Some(self.bytes) {
            return Ok(());
        }
        let message = format!("not a 200 of {} bytes:\n{head}", self.bytes);
        Err(io::Error::new(ErrorKind::InvalidData, message))
    }
}

/// Takes bytes from the socket without copying them out of the kernel, which would make the client the limit.
async fn discard(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let receive = || {
        let (_, received) = rustix::net::recv(stream, &mut *buffer, RecvFlags::TRUNC)?;
        Ok(received)
    };
    stream.async_io(Interest::READABLE, receive).await
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}

fn short(what: &str, bytes: usize) -> io::Error {
    let message = format!("the connection ended after {bytes} bytes of {what}");
    io::Error::new(ErrorKind::UnexpectedEof, message)
}
