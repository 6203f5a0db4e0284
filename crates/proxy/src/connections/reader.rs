use std::time::Duration;

use bytes::BytesMut;
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use pingora_timeout::timeout;
use tokio::io::AsyncReadExt as _;

use super::head::{Follows, Progress, Scanner};
use super::limits::ConnectionLimits;
use super::refusal::Refusal;

/// Room for what most heads have, and for what a head grows by.
const ROOM: usize = 4096;

/// What was read of the next request already.
#[derive(Debug, Default)]
pub(super) struct Begun(BytesMut);

/// The head of a request that may be served.
pub(super) struct Head {
    /// And what was read of its body, if it has one.
    pub(super) bytes: BytesMut,
    pub(super) next: Begun,
    pub(super) what: Follows,
}

/// Reads the head of one request.
pub(super) struct Reader<'a> {
    pub(super) limits: &'a ConnectionLimits,
    /// How long nothing may come.
    pub(super) idle: Duration,
    pub(super) stopping: &'a mut ShutdownWatch,
}

impl Reader<'_> {
    /// `None` if the client says nothing more, or the server shuts down before it does.
    ///
    /// Cancellation: what was read is lost, and the connection with it.
    pub(super) async fn head(
        mut self,
        stream: &mut Stream,
        begun: Begun,
    ) -> Result<Option<Head>, Refusal> {
        let Begun(mut bytes) = begun;
        if bytes.is_empty() {
            bytes.reserve(ROOM);
            if !self.first(stream, &mut bytes).await {
                return Ok(None);
            }
        }
        let mut scanner = Scanner::new(self.limits.header_bytes);
        // Most heads come in one piece, which needs no timer.
        let (end, what) = match scanner.look(&bytes)? {
            Progress::Complete { end, what } => (end, what),
            Progress::Partial => {
                let rest = rest(stream, &mut bytes, &mut scanner);
                let came = timeout(self.limits.header_timeout, rest).await;
                came.unwrap_or(Err(Refusal::Slow))?
            }
        };
        // What follows a request without a body is the next one (RFC 9112, 9.3.2).
        let is_followed = what == Follows::Request && end < bytes.len();
        let next = if is_followed {
            Begun(bytes.split_off(end))
        } else {
            Begun::default()
        };
        Ok(Some(Head { bytes, next, what }))
    }

    /// Waits for the first bytes.
    async fn first(&mut self, stream: &mut Stream, bytes: &mut BytesMut) -> bool {
        let read = timeout(self.idle, stream.read_buf(bytes));
        tokio::select! {
            biased;
            read = read => matches!(read, Ok(Ok(1..))),
            _ = self.stopping.wait_for(|stopping| *stopping) => false,
        }
    }
}

async fn rest(
    stream: &mut Stream,
    bytes: &mut BytesMut,
    scanner: &mut Scanner,
) -> Result<(usize, Follows), Refusal> {
    loop {
        bytes.reserve(ROOM);
        match stream.read_buf(bytes).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(Refusal::CutShort),
        }
        if let Progress::Complete { end, what } = scanner.look(bytes)? {
            return Ok((end, what));
        }
    }
}
