//! Clients that mean no good: each is refused, bounded, counted and told; none makes the proxy panic, none keeps anything,
//! and the next request is served.

use hyper::StatusCode;
use tempfile::TempDir;

use crate::support::{Answer, Content, KIB, MIB, Origin, Proxy, Setup, eventually, folder};

mod admin;
mod heads;
mod ranges;
mod resets;
mod timing;

/// A proxy that is going to be treated badly, in front of an origin that answers every path.
struct Target {
    proxy: Proxy,
    origin: Origin,
    small: Content,
    data: TempDir,
    /// Open files of the proxy before it was.
    files: usize,
}

impl Target {
    async fn new(options: &[&str]) -> Self {
        let (small, large) = (Content::new(1, KIB), Content::new(2, 3 * MIB));
        let answers = (Answer::new(small.clone()), Answer::new(large));
        let origin = Origin::start(move |seen| {
            if seen.path.starts_with("/large") {
                answers.1.clone()
            } else {
                answers.0.clone()
            }
        })
        .await;
        let data = folder();
        let setup = Setup::new(origin.address, data.path());
        let setup = options.iter().fold(setup, Setup::arg);
        let proxy = setup.start().await;
        let mut target = Self {
            proxy,
            origin,
            small,
            data,
            files: 0,
        };
        target.serves().await;
        target.proxy.durable_commits(1).await;
        target.files = target.proxy.open_files();
        target
    }

    /// Somebody else asks.
    async fn serves(&self) {
        let reply = self.proxy.get("/next").await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.expect(&self.small).await;
    }

    /// And when the bad ones are gone, nothing is left of them.
    async fn ends_well(self) {
        self.serves().await;
        eventually("connections and requests are gone", async || {
            let metrics = self.proxy.metrics().await;
            metrics.sum("terrace_proxy_connections", &[]) < 0.5
                && metrics.sum("terrace_proxy_requests_in_flight", &[]) < 0.5
        })
        .await;
        // Some connections to the origin are kept for a minute.
        eventually("files are closed", async || {
            self.proxy.open_files() <= self.files + 20
        })
        .await;
        let log = self.proxy.log();
        assert!(!log.contains("panicked"), "{log}");
        assert!(log.len() < 200 * 1024, "{} bytes of log", log.len());
        let peak = self.proxy.memory_peak();
        assert!(peak < 400 * MIB, "{} MiB", peak / MIB);
        assert_eq!(self.proxy.terminate().await.code(), Some(0));
    }

    async fn refused(&self, reason: &str) -> f64 {
        let metrics = self.proxy.metrics().await;
        let labels = [("reason", reason)];
        metrics.sum("terrace_proxy_connections_refused_total", &labels)
    }
}
