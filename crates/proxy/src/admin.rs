use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, Response, StatusCode, header};
use pingora::apps::http_app::{HttpServer, ServeHttp};
use pingora::protocols::http::ServerSession;
use pingora::services::listening::Service;
use terrace_pingora::TerraceStorage;
use terrace_tiers::{BreakerState, Stack, TierHealth};

/// What operators ask: `/metrics` (Prometheus text) and `/healthz` (JSON).
///
/// `/healthz` answers 503 until the tiers are installed, and 200 from then on. A tier that is left alone for a
/// while because it fails makes it say `degraded`, still with 200: the proxy goes on serving without that tier
/// (promise P7).
///
/// Listen on an address that clients cannot reach.
#[derive(Clone)]
pub struct Admin {
    storage: &'static TerraceStorage,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Admin {
    /// `metrics` renders the metrics of the process in the Prometheus text format.
    pub fn new(
        storage: &'static TerraceStorage,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            storage,
            metrics: Arc::new(metrics),
        }
    }

    /// A service to be given an address and added to a server.
    pub fn into_service(self) -> Service<HttpServer<Self>> {
        let mut service = Service::new("terrace admin".to_owned(), HttpServer::new_app(self));
        service.threads = Some(1);
        service
    }

    fn answer(&self, path: &str) -> (StatusCode, &'static str, String) {
        match path {
            "/metrics" => (
                StatusCode::OK,
                "text/plain; version=0.0.4",
                (self.metrics)(),
            ),
            "/healthz" => {
                let (status, body) = health(self.storage.stack().map(Stack::health));
                (status, "application/json", body)
            }
            _ => {
                let body = "there is /metrics and /healthz\n".to_owned();
                (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", body)
            }
        }
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let req = session.req_header();
        let (status, content_type, body) = match req.method {
            Method::GET | Method::HEAD => self.answer(req.uri.path()),
            _ => {
                // Whatever body it has is not read.
                session.set_keepalive(None);
                let body = "only GET and HEAD\n".to_owned();
                (
                    StatusCode::METHOD_NOT_ALLOWED,
                    "text/plain; charset=utf-8",
                    body,
                )
            }
        };
        let body = body.into_bytes();
        let response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CACHE_CONTROL, "no-store")
            .body(body);
        // A builder fails only for headers that cannot be; these can.
        response.unwrap_or_default()
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

fn health(tiers: Option<Vec<TierHealth>>) -> (StatusCode, String) {
    let Some(tiers) = tiers else {
        let body = "{\"status\":\"starting\",\"tiers\":[]}\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, body);
    };
    let all_well = tiers
        .iter()
        .all(|tier| tier.breaker == BreakerState::Closed);
    let status = if all_well { "ok" } else { "degraded" };
    let mut body = format!("{{\"status\":\"{status}\",\"tiers\":[");
    for (index, tier) in tiers.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "{comma}{{\"level\":\"{}\",\"breaker\":\"{}\"}}",
            tier.level,
            tier.breaker.as_str()
        );
    }
    body.push_str("]}\n");
    (StatusCode::OK, body)
}

#[cfg(test)]
mod tests {
    use terrace_core::Level;

    use super::*;

    #[test]
    fn health_tells_what_each_tier_does() {
        let tiers = |breaker| {
            let healthy = TierHealth {
                level: Level::L0,
                breaker: BreakerState::Closed,
            };
            let other = TierHealth {
                level: Level::L3,
                breaker,
            };
            Some(vec![healthy, other])
        };
        assert_eq!(health(None).0, StatusCode::SERVICE_UNAVAILABLE);
        let (status, body) = health(tiers(BreakerState::Closed));
        assert_eq!(status, StatusCode::OK);
        let expected = concat!(
            "{\"status\":\"ok\",\"tiers\":[{\"level\":\"L0\",\"breaker\":\"closed\"},",
            "{\"level\":\"L3\",\"breaker\":\"closed\"}]}\n"
        );
        assert_eq!(body, expected);
        let (status, body) = health(tiers(BreakerState::Open));
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains("degraded") && body.contains("\"open\""),
            "{body}"
        );
    }
}
