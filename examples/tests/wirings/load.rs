use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::objects::{OBJECTS, content, path};
use crate::support::{Ask, eventually, splitmix};

const CLIENTS: u64 = 4;

/// Clients who ask a proxy for one object after the other, until they are told to end. Every response must be whole, and right.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    proxy: SocketAddr,
    is_over: AtomicBool,
    served: AtomicU64,
    /// Numbers of objects that nobody asked for before.
    new: AtomicU64,
}

impl Load {
    /// New objects are those from `new` on.
    pub(crate) fn begin(proxy: SocketAddr, new: u64) -> Self {
        let shared = Arc::new(Shared {
            proxy,
            is_over: AtomicBool::new(false),
            served: AtomicU64::new(0),
            new: AtomicU64::new(new),
        });
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(Arc::clone(&shared).ask(client));
        }
        Self { shared, clients }
    }

    /// Goes on until so many more requests were answered.
    pub(crate) async fn goes_on(&mut self, requests: u64) {
        let end = self.shared.served.load(Ordering::Relaxed) + requests;
        eventually("the load goes on", async || {
            // Only a failure ends a client now.
            if let Some(ended) = self.clients.try_join_next() {
                ended.expect("a request failed");
            }
            self.shared.served.load(Ordering::Relaxed) >= end
        })
        .await;
    }

    /// Ends, and says which number the next new object has.
    pub(crate) async fn end(mut self) -> u64 {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a request failed");
        }
        self.shared.new.load(Ordering::Relaxed)
    }
}

impl Shared {
    async fn ask(self: Arc<Self>, client: u64) {
        let mut draw = splitmix(client);
        while !self.is_over.load(Ordering::Relaxed) {
            draw = splitmix(draw);
            let number = if draw.is_multiple_of(4) {
                self.new.fetch_add(1, Ordering::Relaxed)
            } else {
                (draw >> 8) % OBJECTS
            };
            let reply = Ask::new(self.proxy, "GET", &path(number)).send().await;
            assert_eq!(reply.status, StatusCode::OK, "object {number}");
            reply.expect(&content(number)).await;
            self.served.fetch_add(1, Ordering::Relaxed);
        }
    }
}
