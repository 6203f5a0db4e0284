//! What is stored of a response, and whether what is stored will do.

use http::{Version, header};
use pingora::cache::predictor::CacheablePredictor;
use pingora::cache::{CacheMeta, CachePhase, ForcedFreshness, RespCacheable};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType, Result};

use super::forward::miss;
use super::{CachingProxy, answer};
use crate::cacheability::{self, Received};
use crate::context::RequestContext;
use crate::status::Forward;

impl CachingProxy {
    /// Whether what was found is served, where its own freshness does not tell.
    pub(super) fn judge_found(
        &self,
        session: &Session,
        meta: &CacheMeta,
        is_fresh: bool,
        ctx: &mut RequestContext,
    ) -> Option<ForcedFreshness> {
        let targets = &self.rules.terms(ctx.rule).freshness.targets;
        let forced = if answer::refutes(session.req_header(), meta) {
            Some(ForcedFreshness::ForceExpired)
        } else {
            ctx.demands.verdict(meta, is_fresh, self.now(), targets)
        };
        ctx.forward = match (is_fresh, &forced) {
            // If it is a response on its way: this is what it is on its way for.
            (true, None) => miss(session),
            (true, Some(_)) => Forward::Request,
            (false, _) => Forward::Stale,
        };
        forced
    }

    /// Notes when the origin is asked. What it is asked in the background, no client demands.
    pub(super) fn note_asked(&self, request: &mut RequestHeader, ctx: &mut RequestContext) {
        ctx.asked = Some(self.now());
        if ctx.background.is_some() {
            request.remove_header(&header::CACHE_CONTROL);
            request.remove_header(&header::PRAGMA);
        }
    }

    pub(super) fn note_received(&self, response: &ResponseHeader, ctx: &mut RequestContext) {
        let now = self.now();
        ctx.received = Some(Received::new(response, ctx.asked.unwrap_or(now), now));
        ctx.upstream_status = Some(response.status.as_u16());
    }

    /// Decides whether a response is stored.
    pub(super) fn judge_received(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut RequestContext,
    ) -> RespCacheable {
        let now = self.now();
        let received = ctx.received;
        let received = received.unwrap_or_else(|| Received::new(response, now, now));
        let req = session.req_header();
        let confirmed = Self::confirmed(session, ctx);
        let response = confirmed.as_ref().unwrap_or(response);
        let terms = self.rules.terms(ctx.rule);
        let mut decision = cacheability::decide(req, response, &received, terms);
        decision.cacheable = self.within_variants(session, ctx, decision.cacheable);
        if let Some(key) = session.cache.maybe_cache_key() {
            match &decision.cacheable {
                RespCacheable::Cacheable(_) => self.uncacheable.mark_cacheable(key),
                RespCacheable::Uncacheable(reason) => {
                    self.uncacheable.mark_uncacheable(key, *reason).is_some()
                }
            };
        }
        ctx.withheld = decision.withheld;
        decision.cacheable
    }

    /// Whether something stale is served: while it is revalidated, or because of `error`. That what is stored allows
    /// it was found out by now.
    pub(super) fn serves_stale(
        &self,
        session: &mut Session,
        error: Option<&Error>,
        ctx: &mut RequestContext,
    ) -> bool {
        let Some(error) = error else {
            let serves =
                ctx.demands.take_stale() && self.background.count() < self.config.max_background;
            // Pingora writes the request of a revalidation down as one of HTTP/1, but with its version, and cannot read
            // "HTTP/2" (`pingora-core` 0.9.1, `http/v1/client.rs`, line 936).
            if serves && session.req_header().version == Version::HTTP_2 {
                session.req_header_mut().set_version(Version::HTTP_11);
            }
            return serves;
        };
        if let ErrorType::HTTPStatus(code) = error.etype() {
            ctx.upstream_status = Some(*code);
            // RFC 5861, section 4. What else the origin says, it means.
            return matches!(code, 500 | 502 | 503 | 504);
        }
        // Pingora closes the client's connection after this; the response is to say so.
        session.set_keepalive(None);
        *error.esource() == ErrorSource::Upstream
    }
}

/// Gives back what was not stored to the client whose request the origin has just answered: it is served from the
/// stored header, but what was withheld from that was meant for it.
pub(super) fn give_withheld(
    session: &Session,
    response: &mut ResponseHeader,
    ctx: &mut RequestContext,
) -> Result<()> {
    let is_of_origin = matches!(
        session.cache.phase(),
        CachePhase::Miss
            | CachePhase::Expired
            | CachePhase::Revalidated
            | CachePhase::RevalidatedNoCache(_)
    );
    if !is_of_origin {
        return Ok(());
    }
    for name in ctx.withheld.keys() {
        response.remove_header(name);
        for value in ctx.withheld.get_all(name) {
            response.append_header(name, value)?;
        }
    }
    Ok(())
}
