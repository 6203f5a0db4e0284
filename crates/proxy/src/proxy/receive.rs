//! What happens to a request before it is looked up.

use http::{StatusCode, header};
use pingora::Result;
use pingora::cache::CacheOptionOverrides;
use pingora::cache::key::CacheHashKey as _;
use pingora::cache::predictor::CacheablePredictor;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use terrace_pingora::RequestSlot;
use terrace_tiers::Intent;

use super::CachingProxy;
use super::forward::passes_by;
use crate::conditions;
use crate::config::{ClientDirectives, ProxyConfig};
use crate::context::RequestContext;
use crate::control::demands::Demands;
use crate::forwarding::{Asker, peer};
use crate::key::Scheme;
use crate::method;
use crate::purge;
use crate::request::{self, Refusal};
use crate::respond::Text;
use crate::span;
use crate::stats::Ending;
use crate::status::Forward;

impl CachingProxy {
    /// Reads the request; says whether it was answered.
    pub(super) async fn receive(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<bool> {
        if session.subrequest_ctx.is_some() {
            ctx.background = Some(self.background.enter());
        } else {
            // The one whose request fills the cache may read slowly without slowing the others down, and not for ever.
            session.set_proxy_tasks_enabled(true);
            session.set_write_timeout(Some(self.config.send_timeout));
        }
        ctx.scheme = Scheme::of(session.as_downstream());
        let peer = peer(session);
        let forwarding = &self.config.forwarding;
        if let Some(scheme) = forwarding.receive(session.req_header_mut(), peer) {
            ctx.scheme = scheme;
        }
        let is_background = ctx.background.is_some();
        ctx.span = span::of(session.req_header(), is_background);
        if let Some(mut text) = method::answer(session.req_header_mut()) {
            text.cache_status = Some(self.cache_status(ctx.generated()));
            text.send(session).await?;
            return Ok(true);
        }
        let ProxyConfig { name, upstream, .. } = &*self.config;
        let target_scheme = match request::normalise(session.req_header_mut(), name, upstream) {
            Ok(scheme) => scheme,
            Err(refusal) => {
                self.refuse(refusal, session, ctx).await?;
                return Ok(true);
            }
        };
        let is_purge = session.req_header().method.as_str() == "PURGE";
        if let (true, Some(scheme)) = (is_purge, target_scheme) {
            // Whoever purges may name a URL of the other scheme.
            ctx.scheme = scheme;
        }
        self.find_rule(session.req_header_mut(), ctx)?;
        if is_purge {
            self.purge(session, ctx).await?;
            return Ok(true);
        }
        if ctx.background.is_none() {
            ctx.demands = self.demands(session.req_header(), ctx);
        }
        Ok(false)
    }

    /// Whom the request comes from, for upstreams.
    pub(super) fn asker(&self, session: &Session, ctx: &RequestContext) -> Asker {
        let key = &self.rules.terms(ctx.rule).key;
        Asker {
            peer: peer(session),
            scheme: (!key.ignore_scheme).then_some(ctx.scheme),
        }
    }

    /// Sends the request through the cache, unless it has nothing to do with it.
    pub(super) fn enable_cache(&self, session: &mut Session, ctx: &mut RequestContext) {
        if let Some(forward) = passes_by(session, ctx) {
            ctx.forward = forward;
            return;
        }
        let terms = self.rules.terms(ctx.rule);
        let mut key = self
            .rules
            .key_by(ctx.rule, ctx.scheme, session.req_header());
        // Pingora computes the digest whenever it is asked for it.
        key.set_primary_bin_override(key.primary_bin());
        let is_background = ctx.background.is_some();
        let is_collapsible = self.uncacheable.cacheable_prediction(&key);
        if !is_background && !is_collapsible && request::wants_less(session.req_header()) {
            // Through the cache it would cost the origin the whole.
            ctx.forward = Forward::Bypass;
            ctx.bypassed = Some(key);
            return;
        }
        let goes_to_origin = is_background
            || ctx.demands.are_about_freshness()
            || conditions::has_precondition(session.req_header());
        let intent = if goes_to_origin {
            Intent::Revalidate
        } else {
            Intent::Serve
        };
        let slot = RequestSlot::new().with_intent(intent).with_span(&ctx.span);
        let slot = slot.with_placement(terms.placement);
        key.extensions.insert(slot.clone());
        ctx.slot = Some(slot);
        ctx.forward = Forward::UriMiss;

        // Others wait only for a response that will probably do for them, too. A revalidation in the background
        // is handed the lock.
        let is_personal = session
            .req_header()
            .headers
            .contains_key(header::AUTHORIZATION);
        let may_wait = terms.collapse && !is_personal;
        let collapses = is_background || (may_wait && is_collapsible);
        let lock = collapses.then_some(self.lock);
        let mut options = CacheOptionOverrides::default();
        options.wait_timeout = Some(self.config.lock_wait);
        session
            .cache
            .enable(self.storage, None, None, lock, Some(options));
        ctx.key = Some(key);
    }

    /// Finds the rule that holds for the request, and makes the request what its key says.
    fn find_rule(&self, req: &mut RequestHeader, ctx: &mut RequestContext) -> Result<()> {
        let settled = self.rules.settle(ctx.scheme, req)?;
        let terms = self.rules.terms(settled.rule);
        tracing::trace!(rule = terms.name, "the rule that holds");
        ctx.rule = settled.rule;
        let group = terms.upstream.as_deref();
        ctx.upstream = group.and_then(|name| self.groups.named(name)).cloned();
        ctx.kept_out = if settled.is_ambiguous {
            Some("ambiguous-path")
        } else {
            terms.bypass(&req.headers)
        };
        Ok(())
    }

    fn demands(&self, req: &RequestHeader, ctx: &RequestContext) -> Demands {
        let demands = Demands::of(req);
        match self.rules.terms(ctx.rule).client_directives {
            ClientDirectives::Honour => demands,
            ClientDirectives::Ignore => demands.without_freshness(),
        }
    }

    async fn purge(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<()> {
        ctx.is_purge = true;
        let key = self
            .rules
            .key_by(ctx.rule, ctx.scheme, session.req_header());
        self.variants.forget(&key.primary_bin());
        let answer = purge::purge(self.storage, &self.config.purge, &key, session).await;
        self.metrics.purged(answer.outcome);
        self.stats.ended(Ending::Purge, 0);
        answer.text.send(session).await
    }

    async fn refuse(
        &self,
        refusal: Refusal,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        ctx.generated();
        let text = match refusal {
            Refusal::Ambiguous(why) => Text::new(StatusCode::BAD_REQUEST, why),
            Refusal::Loop => Text::new(
                StatusCode::LOOP_DETECTED,
                "this request has come through this cache too often: is the upstream the cache itself?",
            ),
        };
        text.send(session).await
    }
}
