//! What happens once it is clear how a request ends.

use pingora::proxy::{FailToProxy, Session};
use pingora::{Error, ErrorSource};

use super::{CachingProxy, outcome};
use crate::context::RequestContext;
use crate::done::{Done, End};
use crate::respond::Text;
use crate::stats::Ending;
use crate::{key, metrics, span};

impl CachingProxy {
    /// Answers a request that failed before a response had begun.
    pub(super) async fn tell_of_failure(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut RequestContext,
    ) -> FailToProxy {
        let (status, body) = outcome::of_failure(error, ctx.forward);
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

    /// Keeps the books of a request that is over.
    pub(super) fn account(
        &self,
        session: &Session,
        error: Option<&Error>,
        ctx: &mut RequestContext,
    ) {
        let done = Done::new(session, error, ctx, self.config.clock.now());
        span::end(&ctx.span, &done);
        if ctx.background.is_some() {
            self.metrics.revalidated_in_background();
            return;
        }
        self.insight.remember(&done);
        if let Some(log) = &self.config.access_log {
            log.add(&done);
        }
        match (&ctx.report, done.end) {
            _ if ctx.is_purge => {}
            (Some(report), End::Whole) => {
                self.metrics.served(report, &done);
                let url = || key::url(done.scheme(), done.req());
                self.stats.served(report, done.bytes, done.took, url);
            }
            (_, end) => {
                self.metrics.failed(&done);
                let ending = if end == End::ClientLeft {
                    Ending::Aborted
                } else {
                    Ending::Error
                };
                self.stats.ended(ending, done.bytes);
            }
        }
    }
}
