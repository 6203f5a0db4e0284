//! Who comes in.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::{Way, swallow};

/// Connections at a time.
const MAX_CONNECTIONS: usize = 1024;
const BACKLOG: u32 = 1024;
/// After an error, which may be that there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(10);

/// What becomes of a connection that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Door {
    /// It is passed on.
    #[default]
    Open,
    /// It is accepted, and nothing more.
    BlackHole,
    /// It is refused, because nobody listens.
    Refuses,
}

/// A port that stays ours while nobody listens on it.
pub(super) struct Port {
    address: SocketAddr,
    _reserved: TcpSocket,
}

impl Port {
    pub(super) fn reserve(address: SocketAddr) -> io::Result<Self> {
        let reserved = bound(address)?;
        Ok(Self {
            address: reserved.local_addr()?,
            _reserved: reserved,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address)?.listen(BACKLOG)
    }
}

/// A socket that shares its port with others of ours. One that does not listen gets no connections.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Lets in whom the door lets in, and says what it is, in fact. Ends when the proxy is dropped, or the port was lost.
pub(super) async fn serve(port: Port, mut way: Way, shown: watch::Sender<Door>) {
    let mut listener = None;
    let mut connections = JoinSet::new();
    loop {
        let door = way.switches.borrow_and_update().door;
        match (door, &listener) {
            (Door::Refuses, _) => listener = None,
            (_, None) => match port.listen() {
                Ok(listening) => listener = Some(listening),
                Err(_) => return,
            },
            _ => {}
        }
        shown.send_replace(door);
        match next(listener.as_ref(), &mut connections, &mut way).await {
            Event::Came(stream) => {
                way.meter.accept();
                match way.switches.borrow().door {
                    Door::Open => connections.spawn(way.clone().pass(stream)),
                    Door::BlackHole | Door::Refuses => connections.spawn(swallow(stream)),
                };
            }
            Event::Changed => {}
            Event::Dropped => return,
        }
    }
}

enum Event {
    Came(TcpStream),
    Changed,
    Dropped,
}

async fn next(
    listener: Option<&TcpListener>,
    connections: &mut JoinSet<()>,
    way: &mut Way,
) -> Event {
    let is_full = connections.len() >= MAX_CONNECTIONS;
    let came = async {
        match listener {
            Some(listener) if !is_full => {
                // One that was reset before it was accepted is no more.
                if let Ok((stream, _)) = listener.accept().await {
                    return Event::Came(stream);
                }
                sleep(PAUSE).await;
                Event::Changed
            }
            _ => pending().await,
        }
    };
    let changed = async {
        let ended = async {
            if connections.join_next().await.is_none() {
                pending::<()>().await;
            }
        };
        match select(pin!(way.switches.changed()), pin!(ended)).await {
            Either::Left((Err(_), _)) => Event::Dropped,
            Either::Left((Ok(()), _)) | Either::Right(_) => Event::Changed,
        }
    };
    select(pin!(came), pin!(changed)).await.factor_first().0
}
