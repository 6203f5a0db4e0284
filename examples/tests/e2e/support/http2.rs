use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::client::{AUTHORITY, BoxError, Reply};
use super::wait::soon;

/// A connection of HTTP/2. Its clones send requests at the same time.
#[derive(Clone)]
pub(crate) struct Http2 {
    requests: http2::SendRequest<Empty<Bytes>>,
    scheme: &'static str,
    _task: std::sync::Arc<JoinSet<()>>,
}

impl Http2 {
    /// Without TLS, the server knowing beforehand.
    pub(crate) async fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("it listens");
        Self::over(stream, "http").await
    }

    /// Over TLS, where it must be chosen by ALPN.
    pub(crate) async fn open_tls(to: SocketAddr, tls: &TlsConnector) -> Self {
        let stream = connect_tls(to, tls).await.expect("a handshake");
        let chosen = stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen, Some(&b"h2"[..]), "HTTP/2 was not chosen");
        Self::over(stream, "https").await
    }

    async fn over<S>(stream: S, scheme: &'static str) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shaking = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let shaken = soon("a handshake of HTTP/2", shaking).await;
        let (requests, connection) = shaken.expect("it speaks HTTP/2");
        let mut task = JoinSet::new();
        task.spawn(async move { drop(connection.await) });
        Self {
            requests,
            scheme,
            _task: task.into(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[]).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        match self.try_send(method, path, headers).await {
            Ok(reply) => reply,
            Err(error) => panic!("{method} {path}: no response: {error:?}"),
        }
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Reply, BoxError> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let uri = format!("{}://{AUTHORITY}{path}", self.scheme);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).expect("a request");
        let mut requests = self.requests.clone();
        soon("a response", async {
            requests.ready().await?;
            Ok(Reply::of(requests.send_request(request).await?))
        })
        .await
    }
}

/// A connection with TLS to a server that must show a certificate for `localhost`.
pub(crate) async fn connect_tls(
    to: SocketAddr,
    tls: &TlsConnector,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    soon("a TLS handshake", tls.connect(name, stream)).await
}
