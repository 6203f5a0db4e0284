use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::content::{Checker, Content};
use super::http2::connect_tls;
use super::wait::soon;

/// What all requests name, whatever port the proxy listens on: it is part of a URL's cache key.
pub(crate) const AUTHORITY: &str = "e2e.example";

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A request to be sent, on a connection of its own.
pub(crate) struct Ask {
    to: SocketAddr,
    request: hyper::http::request::Builder,
    body: Bytes,
}

impl Ask {
    pub(crate) fn new(to: SocketAddr, method: &str, path: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = Request::builder().method(method).uri(path);
        Self {
            to,
            request: request.header(HOST, AUTHORITY),
            body: Bytes::new(),
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Names another host than usual.
    pub(crate) fn host(mut self, host: &str) -> Self {
        let host = HeaderValue::from_str(host).expect("a host");
        let headers = self.request.headers_mut().expect("a request");
        headers.insert(HOST, host);
        self
    }

    /// The response's header; its body is still to come.
    pub(crate) async fn send(self) -> Reply {
        let asked = format!("{:?}", self.request);
        match self.try_send().await {
            Ok(reply) => reply,
            Err(error) => panic!("{asked}: no response: {error}"),
        }
    }

    pub(crate) async fn try_send(self) -> Result<Reply, BoxError> {
        let mut connection = Connection::open(self.to).await?;
        let mut reply = connection.try_send(self).await?;
        reply.connection = Some(connection);
        Ok(reply)
    }
}

/// A connection that serves one request after the other.
pub(crate) struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    _task: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Result<Self, BoxError> {
        soon("a connection", async {
            Self::over(TcpStream::connect(to).await?).await
        })
        .await
    }

    /// With TLS.
    pub(crate) async fn open_tls(to: SocketAddr, tls: &TlsConnector) -> Result<Self, BoxError> {
        Self::over(connect_tls(to, tls).await?).await
    }

    async fn over<S>(stream: S) -> Result<Self, BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        soon("a connection", async {
            let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let mut task = JoinSet::new();
            task.spawn(async move { drop(connection.await) });
            Ok(Self {
                requests,
                _task: task,
            })
        })
        .await
    }

    /// Sends `ask` on this connection, wherever it was to be sent; the last response must have been read to its end. Errors if
    /// the connection was closed.
    pub(crate) async fn try_send(&mut self, ask: Ask) -> Result<Reply, BoxError> {
        soon("a response", async {
            self.requests.ready().await?;
            let request = ask.request.body(Full::new(ask.body))?;
            Ok(Reply::of(self.requests.send_request(request).await?))
        })
        .await
    }
}

/// A response. Dropping it closes the connection, if that was opened for it.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    connection: Option<Connection>,
}

/// A body that did not end as it should.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) received: Vec<u8>,
    error: hyper::Error,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} bytes: {:?}", self.received.len(), self.error)
    }
}

impl Reply {
    pub(super) fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            connection: None,
        }
    }

    /// A header, empty if there is none.
    pub(crate) fn header(&self, name: impl TryInto<HeaderName>) -> &str {
        let name = name.try_into().ok().expect("a header's name");
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.map_or("", |value| value.expect("a header of plain text"))
    }

    /// Our member of `Cache-Status`, without its name and without what is left of the lifetime.
    pub(crate) fn cache(&self) -> String {
        let status = self.header("cache-status");
        let status = status
            .strip_prefix("terrace; ")
            .unwrap_or_else(|| panic!("{status:?} is no Cache-Status of ours"));
        let told = status.split("; ").filter(|it| !it.starts_with("ttl="));
        told.collect::<Vec<_>>().join("; ")
    }

    /// The next piece of the body, `None` at its proper end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        loop {
            let frame = soon("a piece of a body", self.body.frame()).await;
            match frame.transpose()?.map(Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) if !data.is_empty() => return Ok(Some(data)),
                Some(_) => {}
            }
        }
    }

    /// The whole body, or how it broke off.
    pub(crate) async fn try_whole(mut self) -> Result<Bytes, Broken> {
        let mut received = Vec::new();
        loop {
            match self.next().await {
                Ok(Some(piece)) => received.extend_from_slice(&piece),
                Ok(None) => return Ok(received.into()),
                Err(error) => return Err(Broken { received, error }),
            }
        }
    }

    /// The whole body, which must end properly.
    pub(crate) async fn whole(self) -> Bytes {
        match self.try_whole().await {
            Ok(body) => body,
            Err(broken) => panic!("the body broke off {broken}"),
        }
    }

    /// Reads the body to its proper end. Every byte must be as expected.
    pub(crate) async fn expect(self, content: &Content) {
        self.expect_rest(content.checker()).await;
    }

    /// As [`expect`](Self::expect), of a body whose beginning was read.
    pub(crate) async fn expect_rest(mut self, mut checker: Checker) {
        let described = self.described();
        while let Some(piece) = match self.next().await {
            Ok(piece) => piece,
            Err(error) => panic!(
                "{described}: broke off at {}: {error:?}",
                checker.position()
            ),
        } {
            if let Err(wrong) = checker.push(&piece) {
                panic!("{described}: {wrong}");
            }
        }
        if let Err(wrong) = checker.end() {
            panic!("{described}: {wrong}");
        }
    }

    fn described(&self) -> String {
        format!("{} ({})", self.status, self.header("cache-status"))
    }
}
