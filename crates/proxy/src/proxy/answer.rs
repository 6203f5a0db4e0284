//! What an answer of the origin means beyond itself: for what is stored, and for the client's conditions.

use http::StatusCode;
use http::header;
use pingora::Result;
use pingora::cache::key::CacheHashKey as _;
use pingora::cache::predictor::CacheablePredictor as _;
use pingora::cache::{CacheMeta, CachePhase, NoCacheReason, RespCacheable};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use super::CachingProxy;
use crate::cacheability::{self, Received};
use crate::conditions::{self, Verdict};
use crate::context::RequestContext;
use crate::{confirmation, headers, interim, invalidation, variants, vary};

impl CachingProxy {
    /// Acts on an answer of the origin from which its connection's fields were taken.
    pub(super) async fn follow_up(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if response.status.is_informational() {
            return interim::relay(session, response, self.config.send_timeout).await;
        }
        headers::ensure_date(response, self.now());
        let is_confirmation = response.status == StatusCode::NOT_MODIFIED
            && session.cache.phase() == CachePhase::Stale;
        ctx.confirmation = is_confirmation.then(|| Box::new(response.clone()));
        let asked = session.req_header();
        if invalidation::is_due(&asked.method, response.status) {
            invalidation::invalidate(self.storage, &self.rules, ctx.scheme, asked, response).await;
        }
        self.reconsider(asked, response, ctx);
        Ok(())
    }

    /// The stored header as a 304 has changed it, all of it.
    pub(super) fn confirmed(session: &Session, ctx: &RequestContext) -> Option<ResponseHeader> {
        let confirmation = ctx.confirmation.as_ref()?;
        let mut header = session.cache.maybe_cache_meta()?.response_header_copy();
        confirmation::merge(&mut header, confirmation);
        Some(header)
    }

    /// Takes one more variant of a URL only while there is room for it.
    pub(super) fn within_variants(
        &self,
        session: &Session,
        ctx: &RequestContext,
        decision: RespCacheable,
    ) -> RespCacheable {
        let (RespCacheable::Cacheable(meta), Some(key)) =
            (&decision, session.cache.maybe_cache_key())
        else {
            return decision;
        };
        let req = session.req_header();
        let of_vary = vary::variance(meta.headers(), req);
        let variance = self.rules.variance(ctx.rule, of_vary, &req.headers);
        let Some(variance) = variance else {
            return decision;
        };
        let url = key.primary_bin();
        if self
            .variants
            .admits(url, variance, last_use(meta), self.now())
        {
            decision
        } else {
            RespCacheable::Uncacheable(NoCacheReason::Custom(variants::TOO_MANY))
        }
    }

    /// A URL whose responses were not stored is asked past the cache for parts and conditions. If the answer shows that
    /// they could be by now, the next request goes through it.
    fn reconsider(
        &self,
        asked: &RequestHeader,
        response: &ResponseHeader,
        ctx: &mut RequestContext,
    ) {
        let Some(key) = ctx.bypassed.take() else {
            return;
        };
        let now = self.now();
        let received = ctx.received;
        let received = received.unwrap_or_else(|| Received::new(response, now, now));
        let mut whole = response.clone();
        if matches!(
            response.status,
            StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
        ) {
            // It cannot fail for a status that is one.
            let _ = whole.set_status(StatusCode::OK);
        }
        let decision = cacheability::decide(asked, &whole, &received, self.rules.terms(ctx.rule));
        if decision.cacheable.is_cacheable() {
            self.uncacheable.mark_cacheable(&key);
        }
    }

    /// Whether the client, by its conditions, gets a header only.
    pub(super) fn conditions(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut RequestContext,
    ) -> bool {
        let created = session.cache.maybe_cache_meta().map(CacheMeta::created);
        let received = created.unwrap_or_else(|| self.now());
        ctx.verdict = conditions::evaluate(session.req_header(), response, received);
        ctx.verdict != Verdict::Met
    }
}

/// Whether a condition of `req` does not hold for what is stored. Whether it fails only the origin can tell: it may have
/// what the client wants by now.
pub(super) fn refutes(req: &RequestHeader, meta: &CacheMeta) -> bool {
    conditions::has_precondition(req)
        && conditions::evaluate(req, meta.response_header(), meta.created()) == Verdict::Failed
}

/// Makes the header fit for what the conditions came to, and for a confirmation that is not stored.
pub(super) fn finish(
    session: &Session,
    response: &mut ResponseHeader,
    ctx: &RequestContext,
) -> Result<()> {
    if let (CachePhase::RevalidatedNoCache(_), Some(confirmation)) =
        (session.cache.phase(), &ctx.confirmation)
        && response.status != StatusCode::PARTIAL_CONTENT
    {
        confirmation::merge(response, confirmation);
    }
    // Pingora knows of 304 alone, and was told so.
    if ctx.verdict == Verdict::Failed && response.status == StatusCode::NOT_MODIFIED {
        response.set_status(StatusCode::PRECONDITION_FAILED)?;
        response.insert_header(header::CONTENT_LENGTH, "0")?;
        // The lifetime is that of the 200.
        response.insert_header(header::CACHE_CONTROL, "no-store")?;
        response.remove_header(&header::EXPIRES);
    }
    Ok(())
}

/// Until when a response may be served, fresh or stale.
fn last_use(meta: &CacheMeta) -> std::time::SystemTime {
    let stale = meta
        .stale_while_revalidate_sec()
        .max(meta.stale_if_error_sec());
    let window = std::time::Duration::from_secs(stale.into());
    let fresh_until = meta.fresh_until();
    fresh_until.checked_add(window).unwrap_or(fresh_until)
}
