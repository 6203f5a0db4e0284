use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HOST, HeaderMap, HeaderName,
    HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::content::Content;

/// A web server that answers as the test says, and remembers what it was asked.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinSet<()>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) version: Version,
    /// Whom the request is for.
    pub(crate) host: String,
}

/// How an origin is to be spoken to.
#[derive(Clone, Default)]
pub(crate) struct Speaks {
    pub(crate) tls: Option<TlsAcceptor>,
    /// HTTP/2, and nothing else.
    pub(crate) http2: bool,
}

impl Seen {
    fn of(request: &Request<Incoming>) -> Self {
        let uri = request.uri();
        let mut this = Self {
            method: request.method().clone(),
            path: uri.path_and_query().map_or("", |it| it.as_str()).to_owned(),
            headers: request.headers().clone(),
            version: request.version(),
            host: String::new(),
        };
        let authority = uri.authority().map(ToString::to_string);
        this.host = authority.unwrap_or_else(|| this.header(HOST).to_owned());
        this
    }

    /// A header, empty if there is none.
    pub(crate) fn header(&self, name: HeaderName) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.map_or("", |value| value.expect("a header of plain text"))
    }
}

impl Origin {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::speaking(Speaks::default(), answer).await
    }

    /// On a free port.
    pub(crate) async fn speaking(
        speaks: Speaks,
        answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(free, speaks, answer).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        speaks: Speaks,
        answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, speaks, Arc::clone(&seen), Arc::new(answer)));
        Self {
            address,
            seen,
            server,
        }
    }

    /// How often `path` was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen.lock().iter().filter(|it| it.path == path).count()
    }

    /// How often it was asked for anything.
    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().len()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().last().expect("a request came").clone()
    }

    /// Breaks all connections, and listens no more.
    pub(crate) async fn stop(&mut self) {
        self.server.shutdown().await;
    }
}

/// A response to be sent as a file server would: in parts, or as a 304, where that was asked for.
#[derive(Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
    has_length: bool,
    /// What it waits for before it answers.
    delay: Option<Gate>,
    /// Bytes of the body after which it waits, and for what.
    hold: Option<(u64, Gate)>,
    /// Bytes of the body after which the connection breaks.
    dies_at: Option<u64>,
    /// What it opens when all of it was sent.
    opens: Option<Gate>,
}

impl Answer {
    /// 200, fresh for an hour, with a `Content-Length`.
    pub(crate) fn new(content: Content) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
        Self {
            status: StatusCode::OK,
            headers,
            content,
            has_length: true,
            delay: None,
            hold: None,
            dies_at: None,
            opens: None,
        }
    }

    pub(crate) fn not_found() -> Self {
        let mut answer = Self::new(Content::new(404, 10)).header(CACHE_CONTROL, "no-store");
        answer.status = StatusCode::NOT_FOUND;
        answer
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.insert(name, value);
        self
    }

    /// Without a `Content-Length`.
    pub(crate) fn chunked(mut self) -> Self {
        self.has_length = false;
        self
    }

    /// Does not answer at all before the gate opens.
    pub(crate) fn delayed_by(mut self, gate: &Gate) -> Self {
        self.delay = Some(gate.clone());
        self
    }

    /// After `bytes` of the body, waits for the gate.
    pub(crate) fn hold_at(mut self, bytes: u64, gate: &Gate) -> Self {
        self.hold = Some((bytes, gate.clone()));
        self
    }

    /// Opens the gate when the connection has taken all of the body, which has no `Content-Length`: nobody looks for the end
    /// of one that has.
    pub(crate) fn then_opens(mut self, gate: &Gate) -> Self {
        self.opens = Some(gate.clone());
        self.chunked()
    }

    /// Breaks the connection after `bytes` of the body.
    pub(crate) fn die_at(mut self, bytes: u64) -> Self {
        self.dies_at = Some(bytes);
        self
    }

    async fn respond(mut self, seen: Seen) -> Response<Streamed> {
        if let Some(gate) = self.delay.take() {
            gate.opened().await;
        }
        let seen = &seen;
        self.apply_conditions(seen);
        let mut response = Response::builder().status(self.status);
        if self.has_length && self.status != StatusCode::NOT_MODIFIED {
            response = response.header(CONTENT_LENGTH, self.content.len());
        }
        let headers = response.headers_mut().expect("the status is one");
        headers.extend(std::mem::take(&mut self.headers));
        response
            .body(StreamBody::new(self.body()))
            .expect("the headers are such")
    }

    fn apply_conditions(&mut self, seen: &Seen) {
        let etag = self.headers.get(ETAG).cloned();
        let is_ours = |name| etag.is_some() && seen.headers.get(name) == etag.as_ref();
        if self.status != StatusCode::OK {
            return;
        }
        if is_ours(IF_NONE_MATCH) {
            self.status = StatusCode::NOT_MODIFIED;
            self.content = self.content.slice(0..0);
            return;
        }
        let applies = !seen.headers.contains_key(IF_RANGE) || is_ours(IF_RANGE);
        if let (true, Some((first, last))) = (applies, asked_range(seen)) {
            let (len, end) = (self.content.len(), last + 1);
            assert!(end <= len, "a rescue asks for what there is");
            self.content = self.content.slice(first..end);
            self.status = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {first}-{last}/{len}");
            let range = HeaderValue::from_str(&range).expect("a header's value");
            self.headers.insert(CONTENT_RANGE, range);
        }
        self.headers
            .insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }

    fn body(self) -> BoxStream<'static, io::Result<Frame<Bytes>>> {
        let len = self.content.len();
        let end = self.dies_at.unwrap_or(len).min(len);
        let stop = self.hold.as_ref().map_or(0, |(at, _)| (*at).min(end));
        let (before, after) = (self.content.slice(0..stop), self.content.slice(stop..end));
        let data = |piece| Ok(Frame::data(piece));
        let gate = self.hold.map(|(_, gate)| gate);
        let held = stream::once(async move {
            if let Some(gate) = gate {
                gate.opened().await;
            }
        });
        let rest = held.flat_map(move |()| stream::iter(after.pieces()).map(data));
        let died = io::Error::other("the origin dies, as the test wants it to");
        let death = self.dies_at.map(|_| Err(died));
        let opens = self.opens;
        let end = stream::iter(death).chain(stream::once(async move { opens }).filter_map(
            async |opens| {
                opens.inspect(Gate::open);
                None
            },
        ));
        stream::iter(before.pieces())
            .map(data)
            .chain(rest)
            .chain(end)
            .boxed()
    }
}

/// The one range of bytes that a request asks for, last byte inclusive.
fn asked_range(seen: &Seen) -> Option<(u64, u64)> {
    let range = seen.header(RANGE).strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

type Streamed = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

async fn serve<A>(
    listener: TcpListener,
    speaks: Speaks,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<A>,
) where
    A: Fn(&Seen) -> Answer + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
        let service = service_fn(move |request: Request<Incoming>| {
            let asked = Seen::of(&request);
            seen.lock().push(asked.clone());
            let answer = answer(&asked);
            async move { Ok::<_, Infallible>(answer.respond(asked).await) }
        });
        let speaks = speaks.clone();
        // They fail where the test breaks them off, or the client takes the certificate for a bad one.
        connections.spawn(async move {
            match speaks.tls {
                None => converse(stream, speaks.http2, service).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, speaks.http2, service).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse<S, V>(stream: S, http2: bool, service: V)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: HttpService<Incoming, ResBody = Streamed, Error = Infallible> + Send,
    V::Future: Send + 'static,
{
    let stream = TokioIo::new(stream);
    if http2 {
        let builder = http2::Builder::new(TokioExecutor::new());
        drop(builder.serve_connection(stream, service).await);
    } else {
        drop(
            http1::Builder::new()
                .serve_connection(stream, service)
                .await,
        );
    }
}

/// Closed until it is opened.
#[derive(Clone)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn opened(&self) {
        let opened = self.0.subscribe().wait_for(|open| *open).await.map(drop);
        opened.expect("we hold the sender");
    }
}
