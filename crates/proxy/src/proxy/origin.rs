//! Which server of the upstreams gets a request, and when another one gets it instead.

use std::sync::Arc;

use http::header;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::tls::{RootCertStore, load_platform_certs_incl_env_into_store};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use tokio::time::Instant;

use super::CachingProxy;
use crate::context::RequestContext;
use crate::error::ConfigError;
use crate::key;
use crate::metrics;
use crate::upstream::{Pool, Selection};

/// The most connections from the pool that one request finds closed by the other side, before it gives up.
const MAX_STALE: usize = 8;

/// For what does not go through Pingora's proxy.
pub(super) fn connector() -> Result<Arc<Connector>, ConfigError> {
    // Pingora panics where this fails.
    load_platform_certs_incl_env_into_store(&mut RootCertStore::empty())
        .map_err(|error| ConfigError::SystemCertificates(error.to_string()))?;
    Ok(Arc::new(Connector::new(None)))
}

impl CachingProxy {
    /// The upstreams of a request.
    pub(super) fn pool<'a>(&'a self, ctx: &'a RequestContext) -> &'a Arc<Pool> {
        let named = ctx.upstream.as_ref();
        named.unwrap_or_else(|| self.groups.default())
    }

    pub(super) async fn choose_peer(
        &self,
        session: &Session,
        ctx: &mut RequestContext,
    ) -> Result<HttpPeer> {
        let pool = Arc::clone(self.pool(ctx));
        let key = match pool.settings().selection {
            Selection::Hash => balancing_key(session, ctx),
            _ => [0; 16],
        };
        let picked = pool.pick(&key, &ctx.tried).await;
        let member = picked.inspect_err(|_| metrics::upstream_failed("Resolve"))?;
        if ctx.attempts > 0 {
            self.metrics.upstream_retried();
        }
        ctx.attempts += 1;
        let peer = member.peer();
        ctx.member = Some(member);
        Ok(peer)
    }

    /// No connection: nothing was sent yet, so that any request can be tried elsewhere.
    pub(super) fn retry_unconnected(&self, ctx: &mut RequestContext, error: &mut Error) {
        metrics::upstream_failed(error.etype().as_str());
        ctx.failed_connects += 1;
        // Of HTTP/2, it may have been open, and not be any more: that says nothing of the server.
        let is_left = if matches!(error.etype(), ErrorType::H2Error) {
            try_afresh(ctx)
        } else {
            self.try_elsewhere(ctx, error)
        };
        error.set_retry(is_left);
    }

    /// Something was sent: only a request that may be sent twice, and has no body, is tried again, and only if no byte of
    /// a response has come.
    pub(super) fn retry_unanswered(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        error: &mut Error,
        is_reused: bool,
    ) {
        let is_upstream = *error.esource() == ErrorSource::Upstream;
        if !is_upstream || ctx.received.is_some() {
            error.set_retry(false);
            return;
        }
        let may_repeat = session.req_header().method.is_idempotent()
            && session.as_mut().is_body_empty()
            && session.response_written().is_none();
        let is_left = match (is_broken(error), is_reused) {
            // The server closed a connection that was idle, just when it was to be used again. One that says nothing would say
            // nothing on each of those that are idle.
            (true, true) if !is_silence(error) => {
                self.turn_away(ctx);
                try_afresh(ctx)
            }
            (true, _) => self.try_elsewhere(ctx, error),
            // What HTTP/2 knows: that the server did not begin with it, or wants it in HTTP/1.1.
            (false, _) => {
                error.retry.decide_reuse(is_reused);
                error.retry() && try_afresh(ctx)
            }
        };
        error.set_retry(may_repeat && is_left);
    }

    /// Leaves the server out that has failed, and says whether there is another one for this request.
    fn try_elsewhere(&self, ctx: &mut RequestContext, error: &Error) -> bool {
        if let Some(member) = &ctx.member {
            member.failed(error);
            ctx.tried.push(member.address());
        }
        let pool = self.pool(ctx);
        ctx.tried.len() < pool.settings().tries && pool.has_other_than(&ctx.tried)
    }

    /// Prefers others to the server that was chosen last, if there are.
    fn turn_away(&self, ctx: &mut RequestContext) {
        let address = ctx.member.as_ref().map(|member| member.address());
        if let Some(address) = address
            && self.pool(ctx).has_other_than(&ctx.tried)
        {
            ctx.tried.push(address);
        }
    }

    /// The server has answered.
    pub(super) fn answered(ctx: &mut RequestContext) {
        if let Some(member) = &ctx.member {
            member.succeeded();
            let total = member.total_timeout();
            ctx.deadline = total.map(|total| (Instant::now() + total, total));
        }
    }

    /// Gives up a response that takes longer than it may.
    pub(super) fn check_total_time(ctx: &RequestContext) -> Result<()> {
        match ctx.deadline {
            Some((deadline, total)) if Instant::now() >= deadline => {
                let context = format!("the response took longer than {total:?} in all");
                Err(Error::explain(ErrorType::ReadTimedout, context).into_up())
            }
            _ => Ok(()),
        }
    }

    /// Names the host the server is to know the request by.
    pub(super) fn name_host(
        &self,
        request: &mut RequestHeader,
        ctx: &RequestContext,
    ) -> Result<()> {
        let policy = &self.pool(ctx).settings().host;
        let host = ctx.member.as_ref().and_then(|member| member.host(policy));
        match host {
            Some(host) => request.insert_header(header::HOST, host),
            None => Ok(()),
        }
    }
}

/// Says whether a new connection may be tried, to whichever server.
fn try_afresh(ctx: &mut RequestContext) -> bool {
    ctx.stale += 1;
    ctx.stale < MAX_STALE
}

/// Whether the connection failed, rather than what was said on it.
fn is_broken(error: &Error) -> bool {
    is_silence(error)
        || matches!(
            error.etype(),
            ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed
        )
}

/// Whether the other side did nothing for as long as it may.
fn is_silence(error: &Error) -> bool {
    matches!(
        error.etype(),
        ErrorType::ReadTimedout | ErrorType::WriteTimedout
    )
}

/// What a request is told apart by when its server is chosen by a hash: its cache key.
fn balancing_key(session: &Session, ctx: &RequestContext) -> [u8; 16] {
    use pingora::cache::key::CacheHashKey as _;
    if let Some(key) = session.cache.maybe_cache_key() {
        return key.primary_bin();
    }
    let req = session.req_header();
    key::cache_key(ctx.scheme, key::authority(req), req.raw_path()).primary_bin()
}
