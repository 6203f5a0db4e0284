use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PASSES: u8 = 0;
const LOSES_ONE: u8 = 1;
const IS_SILENT: u8 = 2;

/// A way to the server on which answers get lost.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    mode: Arc<AtomicU8>,
    _accepting: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(AtomicU8::new(PASSES));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, server, Arc::clone(&mode)));
        Self {
            address,
            mode,
            _accepting: accepting,
        }
    }

    /// The next answer is lost, and the connection with it. The server has done what it was asked to.
    pub(crate) fn lose_one_answer(&self) {
        self.mode.store(LOSES_ONE, Ordering::SeqCst);
    }

    /// No answer arrives any more, and no connection ends.
    pub(crate) fn fall_silent(&self) {
        self.mode.store(IS_SILENT, Ordering::SeqCst);
    }

    /// Whether an answer is still to be lost.
    pub(crate) fn is_passing(&self) -> bool {
        self.mode.load(Ordering::SeqCst) == PASSES
    }

    /// Connections from now on are good ones.
    pub(crate) fn pass(&self) {
        self.mode.store(PASSES, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mode: Arc<AtomicU8>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let mode = Arc::clone(&mode);
        connections.spawn(async move {
            let server = TcpStream::connect(server).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            // Whoever ends first ends the other.
            tokio::select! {
                () = forward(from_client, to_server) => {}
                () = answer(from_server, to_client, &mode) => {}
            }
        });
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // An end, proper or not, ends it.
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: &AtomicU8) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let lose = mode.compare_exchange(LOSES_ONE, PASSES, Ordering::SeqCst, Ordering::SeqCst);
        match lose {
            Ok(_) => return,
            Err(IS_SILENT) => std::future::pending().await,
            Err(_) => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
