//! A server that says what a test wants it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use terrace_testkit::CurrentRuntime;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The answer to a line. Without one, the connection is closed.
type Script = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

pub(super) struct Fake {
    address: String,
    state: Arc<State>,
}

struct State {
    script: Box<Script>,
    connections: AtomicU64,
    cut: Notify,
}

impl Fake {
    pub(super) async fn start(
        script: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State {
            script: Box::new(script),
            connections: AtomicU64::new(0),
            cut: Notify::new(),
        });
        let (runtime, shared) = (CurrentRuntime::port(), Arc::clone(&state));
        runtime.spawn(accept(listener, shared).boxed());
        Self { address, state }
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    pub(super) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Acquire)
    }

    /// Closes the connections there are.
    pub(super) fn cut(&self) {
        self.state.cut.notify_waiters();
    }
}

/// A fit server that has never been used.
pub(super) fn greet(line: &str) -> Option<Vec<u8>> {
    let number = line.rsplit(' ').next().unwrap_or("");
    if line == "stats settings" {
        Some(b"STAT cas_enabled yes\r\nSTAT item_size_max 1048576\r\nEND\r\n".to_vec())
    } else if line.starts_with("mg test:members ") {
        Some(format!("EN {number}\r\n").into_bytes())
    } else if line.starts_with("ms ") {
        Some(format!("HD {number}\r\n").into_bytes())
    } else {
        None
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let runtime = CurrentRuntime::port();
    while let Ok((stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::AcqRel);
        let state = Arc::clone(&state);
        let serving = async move {
            let cut = state.cut.notified();
            tokio::select! {
                biased;
                () = cut => {}
                () = serve(stream, &state) => {}
            }
        };
        runtime.spawn(serving.boxed());
    }
}

async fn serve(stream: TcpStream, state: &State) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let command = line.trim_end();
        if let Some(rest) = command.strip_prefix("ms ") {
            let len: usize = rest.split(' ').nth(1).unwrap().parse().unwrap();
            let mut value = vec![0; len + 2];
            stream.read_exact(&mut value).await.unwrap();
        }
        let Some(answer) = (state.script)(command) else {
            return;
        };
        if stream.get_mut().write_all(&answer).await.is_err() {
            return;
        }
        line.clear();
    }
}
