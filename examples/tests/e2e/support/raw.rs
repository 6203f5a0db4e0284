use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wait::soon;

/// A client that sends whatever it likes.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn open(to: SocketAddr) -> Self {
        let stream = soon("a connection", TcpStream::connect(to)).await;
        Self(stream.expect("a connection"))
    }

    /// Opens a connection, sends `bytes` and answers all that comes back until the proxy closes it.
    pub(crate) async fn exchange(to: SocketAddr, bytes: &[u8]) -> Answers {
        let mut raw = Self::open(to).await;
        raw.send(bytes).await;
        raw.rest().await
    }

    /// Says whether all of it went out. The proxy may have enough before that.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        soon("room to send", self.0.write_all(bytes)).await.is_ok()
    }

    /// Sends no more, and says so.
    pub(crate) async fn half_close(&mut self) {
        drop(soon("the end of sending", self.0.shutdown()).await);
    }

    /// Breaks the connection with a reset.
    pub(crate) fn reset(self) {
        self.0.set_zero_linger().expect("a socket option");
    }

    /// What has come so far, if anything has.
    pub(crate) fn now(&mut self) -> Option<Answers> {
        let mut bytes = vec![0; 64 * 1024];
        let read = self.0.try_read(&mut bytes).ok()?;
        bytes.truncate(read);
        Some(Answers(bytes))
    }

    /// What there is to be read; empty at the end, however it comes.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let read = soon("something to read, or the end", self.0.read(&mut bytes)).await;
        bytes.truncate(read.unwrap_or(0));
        bytes
    }

    /// All that comes until the proxy closes the connection.
    pub(crate) async fn rest(mut self) -> Answers {
        let mut all = Vec::new();
        loop {
            let some = self.some().await;
            if some.is_empty() {
                return Answers(all);
            }
            all.extend_from_slice(&some);
        }
    }
}

/// Responses as they came.
#[derive(PartialEq)]
pub(crate) struct Answers(pub(crate) Vec<u8>);

impl Answers {
    /// The status codes, in order. None of the bodies here looks like a head.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let text = String::from_utf8_lossy(&self.0);
        let heads = text.split("HTTP/1.").skip(1);
        let codes = heads.filter_map(|head| head.get(2..5)?.parse().ok());
        codes.collect()
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let beginning = &self.0[..self.0.len().min(600)];
        write!(f, "{:?}", String::from_utf8_lossy(beginning))
    }
}
