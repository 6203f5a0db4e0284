use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use super::pool::Groups;

/// The background service that resolves the names of upstreams again and again, and checks their health, by Pingora's load
/// balancer. From [`CachingProxy::upstreams`](crate::CachingProxy::upstreams).
///
/// Without it the proxy works, but checks no health, and a request now and then waits for a name to be resolved.
pub struct UpstreamService {
    groups: Arc<Groups>,
}

impl UpstreamService {
    pub(crate) fn new(groups: Arc<Groups>) -> Self {
        Self { groups }
    }
}

#[async_trait]
impl BackgroundService for UpstreamService {
    async fn start(&self, shutdown: ShutdownWatch) {
        let balancers = self.groups.all().map(|pool| pool.balancer());
        join_all(balancers.map(|it| it.start(shutdown.clone()))).await;
    }
}

impl fmt::Debug for UpstreamService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamService").finish_non_exhaustive()
    }
}
