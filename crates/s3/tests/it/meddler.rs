//! Stands before a real server, and answers in its place.

use std::sync::{Arc, Mutex};

use terrace_s3::S3Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::endpoints;

/// The endpoints without TLS, which can be meddled with.
pub(crate) fn meddled() -> Vec<(&'static str, S3Config)> {
    let mut endpoints = endpoints::all();
    endpoints.retain(|(name, config)| {
        let url = config.endpoint.as_deref();
        let is_plain = url.is_some_and(|url| url.starts_with("http://"));
        if !is_plain {
            eprintln!("SKIPPED: {name} has TLS, which cannot be meddled with");
        }
        is_plain
    });
    endpoints
}

/// A request, as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path, without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    head: String,
    raw: Vec<u8>,
}

impl Request {
    /// Whether it is `method` for an object called `name`, whatever its query.
    pub(crate) fn is(&self, method: &str, name: &str) -> bool {
        self.method == method && self.path.ends_with(&format!("/{name}"))
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.any(|(found, _)| found.eq_ignore_ascii_case(name))
    }
}

/// What becomes of a request.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// The server answers.
    Pass,
    /// It does not see it: a status and a body are the answer.
    Say(u16, &'static str),
    /// It answers, and this header is left out of that.
    Without(&'static str),
    /// It answers, and the connection breaks after so many bytes of that.
    Break(usize),
}

type Judge = Arc<Mutex<dyn FnMut(&Request) -> Verdict + Send>>;

/// Meddles until it is dropped.
pub(crate) struct Meddler {
    _serving: JoinSet<()>,
}

impl Meddler {
    /// Before the server of `config`, and a configuration that leads through it, with a prefix of its own.
    pub(crate) async fn before(
        config: &S3Config,
        judge: impl FnMut(&Request) -> Verdict + Send + 'static,
    ) -> (Self, S3Config) {
        let endpoint = config.endpoint.as_deref().unwrap();
        let upstream = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let judge: Judge = Arc::new(Mutex::new(judge));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // Whoever breaks off has a reason.
                let _ = connections.try_join_next();
                connections.spawn(serve(client, upstream.clone(), Arc::clone(&judge)));
            }
        });
        let mut config = endpoints::own(config);
        config.endpoint = Some(format!("http://{address}"));
        (Self { _serving: serving }, config)
    }
}

/// One request of a connection, which ends with it.
async fn serve(mut client: TcpStream, upstream: String, judge: Judge) {
    let Some(request) = read(&mut client).await else {
        return;
    };
    let verdict = (judge.lock().unwrap())(&request);
    let answer = match verdict {
        Verdict::Say(status, body) => said(status, body),
        Verdict::Pass => forward(&request, &upstream).await,
        Verdict::Without(header) => without(header, &forward(&request, &upstream).await),
        Verdict::Break(bytes) => {
            let mut answer = forward(&request, &upstream).await;
            answer.truncate(bytes);
            answer
        }
    };
    // A client that is gone needs no answer.
    let _ = client.write_all(&answer).await;
}

fn said(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// `answer`, which has no body, without a header.
fn without(header: &str, answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let lines = text.split_inclusive("\r\n");
    let is_meant = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(header)
    };
    let kept: String = lines.filter(|line| !is_meant(line)).collect();
    kept.into_bytes()
}

async fn read(client: &mut TcpStream) -> Option<Request> {
    let mut raw = Vec::new();
    let end = loop {
        if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut raw).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .find_map(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    while raw.len() < end + 4 + length {
        if client.read_buf(&mut raw).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        head,
        raw,
    })
}

/// What the server answers, whole. It closes the connection, which is not signed for.
async fn forward(request: &Request, upstream: &str) -> Vec<u8> {
    let mut server = TcpStream::connect(upstream).await.unwrap();
    let (line, rest) = request.raw.split_at(request.head.find("\r\n").unwrap());
    server.write_all(line).await.unwrap();
    server.write_all(b"\r\nConnection: close").await.unwrap();
    server.write_all(rest).await.unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.unwrap();
    answer
}
