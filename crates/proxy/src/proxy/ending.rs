//! What happens once it is clear how a request ends.

use pingora::proxy::{FailToProxy, Session};
use pingora::{Error, ErrorSource};

use super::{CachingProxy, outcome};
use crate::context::RequestContext;
use crate::metrics;
use crate::respond::Text;

impl CachingProxy {
    /// Answers a request that failed before a response had begun.
    pub(super) async fn tell_of_failure(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut RequestContext,
    ) -> FailToProxy {
        let (status, body) = outcome::of_failure(error);
        let code = status.map_or(0, |status| status.as_u16());
        // Those of connecting are counted by now.
        let is_connected = ctx.attempts > ctx.failed_connects;
        if is_connected && *error.esource() == ErrorSource::Upstream {
            metrics::upstream_failed(error.etype().as_str());
        }
        if let Some(status) = status {
            let mut text = Text::new(status, body);
            text.cache_status = Some(self.cache_status(ctx.generated()));
            if let Err(error) = text.send(session).await {
                tracing::debug!(%error, "the client left before it was told of an error");
            }
        }
        FailToProxy {
            error_code: code,
            can_reuse_downstream: false,
        }
    }

    /// Counts a request that is over.
    pub(super) fn account(
        &self,
        session: &Session,
        error: Option<&Error>,
        ctx: &mut RequestContext,
    ) {
        if ctx.background.is_some() {
            self.metrics.revalidated_in_background();
            return;
        }
        if ctx.is_purge {
            return;
        }
        let bytes = session.body_bytes_sent();
        match (error, &ctx.report) {
            (None, Some(report)) => self.metrics.served(report, bytes, ctx.started.elapsed()),
            (error, _) => {
                let by_client =
                    error.is_some_and(|error| *error.esource() == ErrorSource::Downstream);
                self.metrics.failed(by_client, bytes);
            }
        }
    }
}
