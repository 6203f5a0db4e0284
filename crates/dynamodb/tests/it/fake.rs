//! A DynamoDB that answers as a test tells it to.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use terrace_core::SystemClock;
use terrace_dynamodb::{DdbConfig, DdbIndex};
use terrace_testkit::CurrentRuntime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it makes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status, this body.
    Say(u16, String),
    /// None, and no connection any more.
    Close,
    /// None, ever.
    Silence,
}

impl Answer {
    /// A refusal with a code and a message.
    pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Self {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb#{code}","message":"{message}"}}"#);
        Self::Say(status, body)
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::Say(200, body.to_owned())
    }
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The operation, such as `PutItem`.
    pub(crate) operation: String,
    pub(crate) body: String,
    raw: Vec<u8>,
}

/// What is known to the server and the test.
#[derive(Debug, Default)]
struct State {
    script: VecDeque<Answer>,
    seen: Vec<Request>,
    table: Option<String>,
}

/// The server; it stops when it is dropped.
pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _serving: JoinSet<()>,
}

impl Fake {
    /// One with a table as it should be. Items' operations are answered by the script, tables' are not.
    pub(crate) async fn start() -> Self {
        Self::before(None).await
    }

    /// One that counts, and passes everything on to the server at `upstream`.
    pub(crate) async fn before(upstream: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let mut serving = JoinSet::new();
        let shared = Arc::clone(&state);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared), upstream));
            }
        });
        Self {
            address,
            state,
            _serving: serving,
        }
    }

    /// What it answers next, in this order.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().script.extend(answers);
    }

    /// What it says of the table from now on: the description's fields.
    pub(crate) fn describe_table(&self, fields: &str) {
        self.state.lock().unwrap().table = Some(fields.to_owned());
    }

    /// The requests for items since the last look.
    pub(crate) fn seen(&self) -> Vec<Request> {
        let mut seen = std::mem::take(&mut self.state.lock().unwrap().seen);
        seen.retain(|request| !request.operation.starts_with("Describe"));
        seen
    }

    /// The operations on items since the last look.
    pub(crate) fn operations(&self) -> Vec<String> {
        let seen = self.seen().into_iter();
        seen.map(|request| request.operation).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A configuration that leads to it, with deadlines that no machine is too slow for.
    pub(crate) fn config(&self) -> DdbConfig {
        let mut config = crate::local::local(&self.url(), "terrace");
        config.attempt_timeout = Duration::from_secs(30);
        config.call_timeout = Duration::from_mins(2);
        config
    }

    /// An index there.
    pub(crate) async fn index(&self) -> DdbIndex {
        connect(self.config()).await.unwrap()
    }
}

pub(crate) async fn connect(config: DdbConfig) -> terrace_core::Result<DdbIndex> {
    DdbIndex::connect(config, CurrentRuntime::port(), Arc::new(SystemClock)).await
}

/// A table where nobody listens.
pub(crate) async fn nowhere() -> DdbConfig {
    let fake = Fake::start().await;
    // Nobody has connected to it, so that its port is free at once.
    fake.config()
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, upstream: Option<SocketAddr>) {
    while let Some(request) = read(&mut stream).await {
        let scripted = answer(&state, &request, upstream.is_some());
        let answer = match (scripted, upstream) {
            (None, Some(upstream)) => forward(&request, upstream).await,
            (scripted, _) => match scripted.unwrap_or_else(|| Answer::ok("{}")) {
                Answer::Close => return,
                Answer::Silence => std::future::pending().await,
                Answer::Say(status, body) => response(status, &body),
            },
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// What is to be said, unless that is somebody else's to say.
fn answer(state: &Mutex<State>, request: &Request, is_forwarded: bool) -> Option<Answer> {
    let mut state = state.lock().unwrap();
    state.seen.push(request.clone());
    if is_forwarded {
        return None;
    }
    let table = state.table.clone();
    match &*request.operation {
        "DescribeTable" => {
            let table = table.unwrap_or_else(|| GOOD_TABLE.to_owned());
            Some(Answer::ok(&format!(r#"{{"Table":{{{table}}}}}"#)))
        }
        "DescribeTimeToLive" => Some(Answer::ok(TIME_TO_LIVE)),
        _ => state.script.pop_front(),
    }
}

/// Of a table as it should be.
pub(crate) const GOOD_TABLE: &str = r#""TableName":"terrace","TableStatus":"ACTIVE",
    "AttributeDefinitions":[{"AttributeName":"cache_key","AttributeType":"S"}],
    "KeySchema":[{"AttributeName":"cache_key","KeyType":"HASH"}]"#;
const TIME_TO_LIVE: &str =
    r#"{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"expires_at"}}"#;

fn response(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let raw = message(stream).await?;
    let text = String::from_utf8_lossy(&raw).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let target = header(head, "x-amz-target").unwrap_or_default();
    Some(Request {
        operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
        body: body.to_owned(),
        raw,
    })
}

async fn forward(request: &Request, upstream: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(upstream).await.unwrap();
    stream.write_all(&request.raw).await.unwrap();
    message(&mut stream).await.unwrap()
}

/// One message of HTTP/1.1 with a length; nothing at the end of the connection.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").map_or(0, |it| it.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(bytes);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}
