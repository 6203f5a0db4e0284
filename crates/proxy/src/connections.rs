//! Between the socket and the proxy: how many connections there are, and what the head of a request may be.
//!
//! Pingora bounds the head of an HTTP/1 request by 1 MiB and 256 fields, and each single read by a minute, so that a
//! client may take a minute for every byte; it takes any number of connections; and its parser is lenient where
//! RFC 9112 is not (a bare LF ends a line, two framings of a body are reconciled). Here the head is read first, under one deadline
//! and one bound, and is looked at once. What passes is handed to Pingora as the beginning of its session.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;
use pingora::services::listening::Service;
use pingora_timeout::timeout;

mod farewell;
mod gather;
mod head;
mod limits;
mod reader;
mod refusal;
mod slots;

pub use limits::ConnectionLimits;

use gather::Gather;
use head::Follows;
use reader::{Begun, Reader};
use refusal::Refusal;
use slots::Slots;

/// A Pingora application behind [`ConnectionLimits`]: what an HTTP server on the open network needs before its first request.
///
/// | a client that | meets |
/// |---|---|
/// | sends the head of a request slowly, or nothing | 408 after [`header_timeout`](ConnectionLimits::header_timeout), or the end of the connection |
/// | sends a head that is too large, of too many fields, or with too long a target | 431, 414 |
/// | sends what is not HTTP/1.0 or 1.1, or could be read in two ways | 400, 501, 505 |
/// | is one too many | 503 |
///
/// Each is told at once, counted by reason in `terrace_proxy_connections_refused_total`, and logged, at most once a second.
/// A connection that was refused is closed; how many there are is in `terrace_proxy_connections`.
///
/// HTTP/2 connections count against the number; their frames are Pingora's affair.
#[derive(Debug)]
pub struct Connections<A> {
    app: Arc<A>,
    limits: ConnectionLimits,
    slots: Slots,
    refusals: refusal::Log,
}

const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<A: HttpServerApp + Send + Sync + 'static> Connections<A> {
    /// Puts `app` behind `limits`: Pingora's `http_proxy`, as a rule.
    pub fn new(app: A, limits: ConnectionLimits) -> Self {
        Self {
            app: Arc::new(app),
            slots: Slots::of_clients(limits.max_connections),
            limits,
            refusals: refusal::Log::new(),
        }
    }

    /// Connections that are not those of clients: they do not count among them.
    pub(crate) fn of_operators(app: A, limits: ConnectionLimits) -> Self {
        Self {
            slots: Slots::uncounted(limits.max_connections),
            ..Self::new(app, limits)
        }
    }

    /// A service of that `name`, to be given its listeners.
    pub fn into_service(self, name: &str) -> Service<Self> {
        Service::new(name.to_owned(), self)
    }

    async fn serve_http1(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let mut stream: Stream = Box::new(Gather::new(stream));
        let mut stopping = shutdown.clone();
        let mut settings = None;
        let mut begun = Begun::default();
        let mut idle = self.limits.header_timeout;
        loop {
            let reader = Reader {
                limits: &self.limits,
                idle: self.patience(idle),
                stopping: &mut stopping,
            };
            let head = match reader.head(&mut stream, begun).await {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(refusal) => return self.refuse(stream, refusal).await,
            };
            let served = self.serve_one(stream, settings, head.bytes, shutdown).await;
            // Pingora takes a malformed chunk for the end of the body if the origin has answered by then, and would read what
            // follows it as a request.
            let Some(reused) = served.filter(|_| head.what != Follows::Chunks) else {
                return;
            };
            (stream, settings) = reused.consume();
            begun = head.next;
            idle = self.limits.keepalive_timeout;
        }
    }

    async fn serve_one(
        &self,
        stream: Stream,
        settings: Option<HttpPersistentSettings>,
        head: BytesMut,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        } else {
            session.set_keepalive(Some(self.limits.keepalive_timeout.as_secs().max(1)));
            let reuses = self.app.server_options();
            let reuses = reuses.and_then(|options| options.keepalive_request_limit);
            session.set_keepalive_reuses_remaining(reuses);
        }
        session.set_read_timeout(Some(self.limits.body_timeout));
        // A body that is not read by then is not worth the connection.
        session.set_total_drain_timeout(Some(self.limits.body_timeout));
        if let ServerSession::H1(session) = &mut session {
            session.set_pipelined_prefix(head);
        }
        self.app.process_new_http(session, shutdown).await
    }

    /// How long to wait for the next request: not long where connections run short.
    fn patience(&self, idle: Duration) -> Duration {
        const SHORT: Duration = Duration::from_secs(1);
        if self.slots.are_scarce() {
            idle.min(SHORT)
        } else {
            idle
        }
    }

    /// Whether the client begins to speak HTTP/2; `None` if it does not begin in time.
    async fn speaks_http2(&self, stream: &mut Stream) -> Option<bool> {
        if let Some(protocol) = stream.selected_alpn_proto() {
            return Some(protocol == ALPN::H2);
        }
        let may = self.app.server_options().is_some_and(|it| it.h2c);
        if !may || stream.get_ssl_digest().is_some() {
            return Some(false);
        }
        let mut first = [0; HTTP2_PREFACE.len()];
        let peeked = timeout(self.limits.header_timeout, stream.try_peek(&mut first)).await;
        Some(peeked.ok()?.ok()? && first == *HTTP2_PREFACE)
    }

    async fn refuse(&self, stream: Stream, refusal: Refusal) {
        self.refusals.note(refusal, &stream);
        farewell::say(stream, refusal).await;
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Connections<A> {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let Some(_slot) = self.slots.take() else {
            self.refuse(stream, Refusal::TooMany).await;
            return None;
        };
        if self.speaks_http2(&mut stream).await? {
            return self.app.process_new(stream, shutdown).await;
        }
        self.serve_http1(stream, shutdown).await;
        None
    }

    async fn cleanup(&self) {
        self.app.http_cleanup().await;
    }
}
