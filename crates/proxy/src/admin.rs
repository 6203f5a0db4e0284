use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Response};
use pingora::apps::http_app::ServeHttp;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use terrace_pingora::TerraceStorage;

use crate::insight::Insight;

use answer::Answer;

mod answer;
mod explain;
mod health;
mod metrics;
mod page;
mod purge;
mod service;
mod status;

pub use service::AdminService;

/// What operators ask.
///
/// | path | answers |
/// |---|---|
/// | `/metrics` | Prometheus text |
/// | `/healthz` | JSON: how the tiers are |
/// | `/explain?url=URL` | text, or JSON if `Accept` wants it: what each tier holds of a URL, and why its last answer was what it was |
/// | `/`, `/status` | the status page, for browsers |
/// | `/status.json` | what it shows |
/// | `/purge` | JSON to be posted: what `PURGE` does, for the page's form |
///
/// `/healthz` answers 503 until the tiers are installed, and 200 from then on. A tier that is left alone for a
/// while because it fails makes it say `degraded`, still with 200: the proxy goes on serving without that tier
/// (promise P7).
///
/// `/explain` is for those who may [purge](crate::PurgeConfig). Repeat `&header=Name:Value` for the headers that select a
/// variant. It is no request: it counts as no hit, promotes nothing, and asks no tier whose breaker is not closed.
///
/// Listen on an address that clients cannot reach.
#[derive(Clone)]
pub struct Admin {
    storage: &'static TerraceStorage,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What the proxy shows of itself, if one was named.
    insight: Option<Insight>,
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
            insight: None,
        }
    }

    /// Shows what [`CachingProxy::insight`](crate::CachingProxy::insight) of this process's proxy tells as well.
    #[must_use]
    pub fn insight(mut self, insight: Insight) -> Self {
        self.insight = Some(insight);
        self
    }

    /// A service to be given an address and added to a server.
    pub fn into_service(self) -> AdminService {
        AdminService::new(self)
    }

    async fn answer(&self, asked: &Asked<'_>) -> Answer {
        let path = asked.req.uri.path();
        if let Some(insight) = &self.insight {
            if let Some(file) = page::file(path) {
                return file;
            }
            if path == "/status.json" {
                return status::answer(self, asked, insight);
            }
        }
        match path {
            "/metrics" => metrics::answer(self),
            "/healthz" => health::answer(self),
            "/explain" => explain::answer(self, asked).await,
            _ => Answer::not_found(
                "there is /status, /status.json, /metrics, /healthz and /explain?url=URL\n",
            ),
        }
    }
}

/// A request of an operator.
struct Asked<'a> {
    req: &'a RequestHeader,
    /// The other end of the connection.
    peer: Option<IpAddr>,
}

/// How long somebody may take nothing of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        session.set_write_timeout(Some(PATIENCE));
        if let Some(insight) = &self.insight
            && session.req_header().method == Method::POST
            && session.req_header().uri.path() == "/purge"
        {
            return purge::answer(self.storage, insight, session)
                .await
                .into_response();
        }
        if !matches!(session.req_header().method, Method::GET | Method::HEAD) {
            // Whatever body it has is not read.
            session.set_keepalive(None);
            return Answer::method_not_allowed("only GET and HEAD, and POST of /purge\n")
                .into_response();
        }
        let asked = Asked {
            req: session.req_header(),
            peer: peer(session),
        };
        self.answer(&asked).await.into_response()
    }
}

/// The address at the other end of the connection.
fn peer(session: &ServerSession) -> Option<IpAddr> {
    let peer = session.client_addr().and_then(|peer| peer.as_inet());
    peer.map(SocketAddr::ip)
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}
