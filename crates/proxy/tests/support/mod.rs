//! A proxy over tiers in memory, an origin that answers as it is told to, and a client that sees every byte.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pingora::proxy::http_proxy_service;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use terrace_core::{Clock, SystemClock, Timestamp};
use terrace_durable::DurableTier;
use terrace_memory::{InMemoryBlobStore, InMemoryIndexStore, MemoryTier};
use terrace_pingora::TerraceStorage;
use terrace_proxy::{CachingProxy, ProxyConfig};
use terrace_testkit::{Faults, Faulty};
use terrace_tiers::{MultiTier, Stack, TokioRuntime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Waits for what must come; the bound only keeps a broken test from hanging.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(30), what).await;
    waited.expect("it should have happened by now")
}

/// The proxy and all around it. Everything ends when this is dropped.
pub(crate) struct World {
    pub(crate) proxy: SocketAddr,
    pub(crate) origin: Arc<Origin>,
    pub(crate) stack: Stack,
    pub(crate) faults: Faults,
    pub(crate) clock: Arc<OffsetClock>,
    _tasks: JoinSet<()>,
    _stop: tokio::sync::watch::Sender<bool>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut ProxyConfig)) -> Self {
        let mut tasks = JoinSet::new();
        let (origin, origin_address) = Origin::start(&mut tasks).await;
        let faults = Faults::new();
        let stack = stack(&faults);
        let storage: &'static TerraceStorage = Box::leak(Box::default());
        storage.install(stack.clone()).unwrap();

        let clock = Arc::new(OffsetClock::default());
        let mut config = ProxyConfig::new(origin_address.to_string().parse().unwrap());
        config.clock = Arc::clone(&clock) as _;
        configure(&mut config);
        let proxy = CachingProxy::new(storage, config).unwrap();
        let address = free_address().await;
        let mut service = http_proxy_service(&Arc::new(ServerConf::default()), proxy);
        service.add_tcp(&address.to_string());
        let (stop, shutdown) = tokio::sync::watch::channel(false);
        tasks.spawn(async move { service.start_service(None, shutdown, 1).await });
        soon(async { while TcpStream::connect(address).await.is_err() {} }).await;
        Self {
            proxy: address,
            origin,
            stack,
            faults,
            clock,
            _tasks: tasks,
            _stop: stop,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        self.raw(&format!("{text}\r\n")).await
    }

    pub(crate) async fn raw(&self, request: &str) -> Response {
        soon(async {
            let mut socket = TcpStream::connect(self.proxy).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            // A reset shows as a response that is too short.
            let _ = socket.read_to_end(&mut bytes).await;
            Response::parse(&bytes)
        })
        .await
    }

    /// Repeats a request until its answer is `wanted`: for what happens behind the client's back.
    pub(crate) async fn get_until(
        &self,
        path: &str,
        wanted: impl Fn(&Response) -> bool,
    ) -> Response {
        soon(async {
            loop {
                let response = self.get(path).await;
                if wanted(&response) {
                    return response;
                }
            }
        })
        .await
    }

    /// Waits until what was stored is in all tiers.
    pub(crate) async fn settled(&self) {
        assert!(self.stack.drain(Duration::from_secs(30)).await);
    }
}

fn stack(faults: &Faults) -> Stack {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let blobs = InMemoryBlobStore::new(Arc::clone(&clock), 64 << 20);
    let index = Faulty::new(InMemoryIndexStore::new(Arc::clone(&clock)), faults.clone());
    let durable = DurableTier::builder(Faulty::new(blobs, faults.clone()), index);
    let tiers = MultiTier::builder(durable.build().unwrap())
        .l0(MemoryTier::new(16 << 20))
        .policy(
            terrace_policy::Policy::builder()
                .l0_max(64 << 10)
                .build()
                .unwrap(),
        )
        .runtime(Arc::new(TokioRuntime::current()));
    tiers.build().unwrap().stack().clone()
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// The present, or some time ago: what is stored then is that much older now.
#[derive(Debug, Default)]
pub(crate) struct OffsetClock(AtomicU64);

impl OffsetClock {
    pub(crate) fn set_back(&self, by: Duration) {
        self.0
            .store(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        let back = Duration::from_millis(self.0.load(Ordering::SeqCst));
        SystemClock.now().before(back)
    }
}

/// What the proxy answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no response: {}", bytes.escape_ascii()));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self {
            status: status.parse().unwrap(),
            headers,
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(it, _)| it == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// Our member of `Cache-Status`, without what it says of time.
    pub(crate) fn cache_status(&self) -> String {
        let ours = self.all("cache-status").last().copied().unwrap_or_default();
        let parts = ours.split("; ").filter(|part| !part.starts_with("ttl="));
        parts.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Answers each path with what was set for it, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Origin {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
    /// Keeps one notice for whoever waits next.
    was_asked: Notify,
}

#[derive(Clone)]
enum Answer {
    Text(Arc<[u8]>),
    /// The first part, and the second when it is let go.
    Gated(Arc<[u8]>, Arc<Notify>, Arc<[u8]>),
}

impl Origin {
    async fn start(tasks: &mut JoinSet<()>) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = Arc::new(Self::default());
        let serving = Arc::clone(&origin);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let origin = Arc::clone(&serving);
                connections.spawn(async move { origin.serve(socket).await });
            }
        });
        (origin, address)
    }

    /// One request to a connection.
    async fn serve(&self, mut socket: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.asked.lock().push(head);
        self.was_asked.notify_one();
        let answer = self.answers.lock().get(&path).cloned();
        match answer {
            Some(Answer::Text(text)) => drop(socket.write_all(&text).await),
            Some(Answer::Gated(first, gate, second)) => {
                let _ = socket.write_all(&first).await;
                gate.notified().await;
                let _ = socket.write_all(&second).await;
            }
            // Closing without a word is what a broken origin does.
            None => {}
        }
    }

    /// Answers `path` with `headers` and `body` from now on.
    pub(crate) fn set(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let text = message("200 OK", headers, body.as_ref());
        self.set_raw(path, &text);
    }

    pub(crate) fn set_status(&self, path: &str, status: &str, headers: &[(&str, &str)]) {
        self.set_raw(path, &message(status, headers, b""));
    }

    pub(crate) fn set_raw(&self, path: &str, text: &[u8]) {
        let answer = Answer::Text(text.into());
        self.answers.lock().insert(path.to_owned(), answer);
    }

    /// Answers `path` with a body of which the last `held` bytes come when the gate is notified.
    pub(crate) fn set_gated(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        held: usize,
    ) -> Arc<Notify> {
        let text = message("200 OK", headers, body);
        let (first, second) = text.split_at(text.len().saturating_sub(held));
        let gate = Arc::new(Notify::new());
        let answer = Answer::Gated(first.into(), Arc::clone(&gate), second.into());
        self.answers.lock().insert(path.to_owned(), answer);
        gate
    }

    /// Breaks: every connection is closed without an answer.
    pub(crate) fn break_down(&self) {
        self.answers.lock().clear();
    }

    /// The requests it got, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }

    /// Waits until it got so many requests.
    pub(crate) async fn until_asked(&self, requests: usize) {
        soon(async {
            while self.count() < requests {
                self.was_asked.notified().await;
            }
        })
        .await;
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().len()
    }
}

fn message(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
