use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::http_app::HttpServer;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::{Service, listening};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Admin;
use crate::connections::{ConnectionLimits, Connections};
use crate::insight::Insight;

/// An [`Admin`] listener, to be given an address and added to a server. While it runs it keeps the history that the
/// status page shows.
///
/// It takes 256 connections at a time and otherwise what the [`ConnectionLimits`] say by default: an
/// operator must get through, and a port that is open by mistake must not be a way around the bounds of the proxy.
pub struct AdminService {
    listening: listening::Service<AdminApp>,
    insight: Option<Insight>,
}

type AdminApp = Connections<HttpServer<Admin>>;

/// Pages that look for news, scrapes, and room for a few that hang.
const MAX_CONNECTIONS: usize = 256;

impl AdminService {
    pub(super) fn new(admin: Admin) -> Self {
        let insight = admin.insight.clone();
        let limits = ConnectionLimits {
            max_connections: MAX_CONNECTIONS,
            ..ConnectionLimits::default()
        };
        let app = Connections::of_operators(HttpServer::new_app(admin), limits);
        let mut listening = app.into_service("terrace admin");
        listening.threads = Some(1);
        Self { listening, insight }
    }

    /// Listens on `address`, for example `127.0.0.1:8081`.
    pub fn add_tcp(&mut self, address: &str) {
        self.listening.add_tcp(address);
    }

    /// For listening in other ways.
    pub fn listening(&mut self) -> &mut listening::Service<Connections<HttpServer<Admin>>> {
        &mut self.listening
    }
}

#[async_trait]
impl Service for AdminService {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        let serving = self
            .listening
            .start_service(fds, shutdown, listeners_per_fd);
        match &self.insight {
            None => serving.await,
            Some(insight) => tokio::select! {
                () = serving => {}
                () = keep_history(insight) => {}
            },
        }
    }

    fn name(&self) -> &str {
        self.listening.name()
    }

    fn threads(&self) -> Option<usize> {
        self.listening.threads()
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        self.listening.listen_addresses()
    }
}

/// Takes a sample each second, for ever.
async fn keep_history(insight: &Insight) {
    const SECOND: Duration = Duration::from_secs(1);
    let mut last = Instant::now();
    let mut ticks = interval_at(last + SECOND, SECOND);
    // A sample knows how long it took; catching up would make empty ones.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        let now = now.max(Instant::now());
        insight.stats().tick(now - last);
        last = now;
    }
}

impl std::fmt::Debug for AdminService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminService").finish_non_exhaustive()
    }
}
