use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, Version, header};
use pingora::cache::key::HashBinary;
use pingora::cache::lock::CacheKeyLockImpl;
use pingora::cache::predictor::Predictor;
use pingora::cache::{CacheKey, CacheMeta, ForcedFreshness, HitHandler, RespCacheable};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, RangeType, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use terrace_pingora::{CollapseLock, TerraceStorage};

use crate::cacheability;
use crate::conditions::Verdict;
use crate::config::ProxyConfig;
use crate::context::RequestContext;
use crate::error::ConfigError;
use crate::in_flight::InFlight;
use crate::insight::Insight;
use crate::key::Scheme;
use crate::metrics::{self, Metrics};
use crate::respond::Text;
use crate::rules::RuleSet;
use crate::stats::Stats;
use crate::upstream::Resolver;
use crate::variants::Variants;
use crate::{framing, headers};
use crate::{range, vary};

use forward::miss;
use stored::give_withheld;

mod answer;
mod ending;
mod forward;
mod outcome;
mod receive;
mod stored;

const SHARDS: usize = 16;
/// The most addresses of the upstream one request tries to connect to.
const MAX_CONNECTS: usize = 3;

/// A caching reverse proxy for one upstream. Host it by `pingora::prelude::http_proxy_service`.
pub struct CachingProxy {
    storage: &'static TerraceStorage,
    pub(crate) config: Arc<ProxyConfig>,
    rules: Arc<RuleSet>,
    insight: Insight,
    lock: &'static CacheKeyLockImpl,
    pub(crate) resolver: Arc<Resolver>,
    /// For rescues only; requests use Pingora's own.
    pub(crate) connector: Arc<Connector>,
    /// URLs whose responses are not stored: requests for them do not wait for each other.
    uncacheable: Predictor<SHARDS>,
    variants: Arc<Variants>,
    metrics: Metrics,
    stats: Arc<Stats>,
    in_flight: InFlight,
    background: InFlight,
}

impl CachingProxy {
    /// A proxy that caches in `storage`. Install a recorder for metrics before, or they go nowhere.
    ///
    /// Pingora wants the lock that collapses requests to be `'static`; each proxy leaks one, of a few
    /// hundred bytes.
    pub fn new(storage: &'static TerraceStorage, config: ProxyConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let resolver = Resolver::new(config.upstream.clone(), Arc::clone(&config.clock));
        let config = Arc::new(config);
        let in_flight = InFlight::new(metrics::in_flight());
        let rules = Arc::new(RuleSet::new(&config));
        let variants = Arc::new(Variants::new(config.max_variants));
        let stats = Arc::new(Stats::new());
        let per_shard = config.remembered_uncacheable.div_ceil(SHARDS);
        Ok(Self {
            storage,
            lock: Box::leak(Box::new(CollapseLock::new(storage, config.lock_age))),
            resolver: Arc::new(resolver),
            connector: Arc::new(Connector::new(None)),
            uncacheable: Predictor::new(per_shard, Some(cacheability::is_of_one_request)),
            metrics: Metrics::new(),
            background: InFlight::new(::metrics::Gauge::noop()),
            insight: Insight::new(
                Arc::clone(&config),
                Arc::clone(&rules),
                Arc::clone(&variants),
                Arc::clone(&stats),
                in_flight.clone(),
            ),
            rules,
            variants,
            stats,
            in_flight,
            config,
        })
    }

    /// The cache key of what `req` asks for, whose target is in origin form, by the [`Rules`](crate::Rules) of this proxy.
    pub fn key_of(&self, scheme: Scheme, req: &RequestHeader) -> CacheKey {
        self.rules.key(scheme, req)
    }

    /// The requests being served, revalidations in the background included.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// What it shows of itself, for an [`Admin`](crate::Admin) listener.
    pub fn insight(&self) -> Insight {
        self.insight.clone()
    }

    fn now(&self) -> SystemTime {
        self.config.clock.now().into()
    }
}

#[async_trait]
impl ProxyHttp for CachingProxy {
    type CTX = RequestContext;

    fn new_ctx(&self) -> Self::CTX {
        RequestContext::new(self.in_flight.enter())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        self.receive(session, ctx).await
    }

    fn request_cache_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        self.enable_cache(session, ctx);
        Ok(())
    }

    fn cache_key_callback(&self, _: &Session, ctx: &mut Self::CTX) -> Result<CacheKey> {
        let missing = || Error::explain(ErrorType::InternalError, "no key was made");
        ctx.key.take().ok_or_else(missing)
    }

    fn cache_miss(&self, session: &mut Session, ctx: &mut Self::CTX) {
        ctx.forward = miss(session);
        session.cache.cache_miss();
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        handler: &mut HitHandler,
        is_fresh: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<ForcedFreshness>> {
        self.offer_rescue(session.req_header(), meta.response_header(), handler);
        Ok(self.judge_found(session, meta, is_fresh, ctx))
    }

    async fn proxy_upstream_filter(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<bool> {
        if !ctx.demands.only_if_cached {
            return Ok(true);
        }
        let mut text = Text::new(
            StatusCode::GATEWAY_TIMEOUT,
            "nothing that is stored answers this request, and it does not want the origin to be asked",
        );
        text.cache_status = Some(self.cache_status(ctx.generated()));
        text.send(session).await?;
        Ok(false)
    }

    async fn upstream_peer(&self, _: &mut Session, ctx: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        let peer = self.resolver.peer(ctx.failed_connects).await;
        let (peer, addresses) = peer.inspect_err(|_| metrics::upstream_failed("Resolve"))?;
        ctx.attempts += 1;
        ctx.addresses = addresses;
        Ok(Box::new(peer))
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        metrics::upstream_failed(error.etype().as_str());
        ctx.failed_connects += 1;
        // Nothing was sent yet, so any request can be tried elsewhere.
        error.set_retry(ctx.failed_connects < ctx.addresses.min(MAX_CONNECTS));
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        self.note_asked(request, ctx);
        // Pingora has taken out what concerned the client's connection.
        let received_as = session.req_header().version;
        headers::append_request_via(request, received_as, &self.config.name)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        framing::check(response)?;
        self.note_received(response, ctx);
        headers::strip_response(response);
        self.follow_up(session, response, ctx).await
    }

    fn response_cache_filter(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<RespCacheable> {
        Ok(self.judge_received(session, response, ctx))
    }

    fn cache_vary_filter(
        &self,
        meta: &CacheMeta,
        ctx: &mut Self::CTX,
        req: &RequestHeader,
    ) -> Option<HashBinary> {
        let of_vary = vary::variance(meta.headers(), req);
        self.rules.variance(ctx.rule, of_vary, &req.headers)
    }

    fn cache_not_modified_filter(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<bool> {
        Ok(self.conditions(session, response, ctx))
    }

    fn range_header_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        _: &mut Self::CTX,
    ) -> RangeType {
        range::apply(
            session.req_header(),
            response,
            self.config.max_ranges,
            self.now(),
        )
    }

    fn should_serve_stale(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
        error: Option<&Error>,
    ) -> bool {
        self.serves_stale(session, error, ctx)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        if response.status.is_informational() {
            return Ok(());
        }
        answer::finish(session, response, ctx)?;
        give_withheld(session, response, ctx)?;
        let report = outcome::of(session, ctx);
        response.append_header("cache-status", self.cache_status(&report))?;
        response.append_header("via", headers::via(response.version, &self.config.name))?;
        if let Some(age) = outcome::age_of_new(session) {
            response.insert_header(header::AGE, age.as_secs())?;
        }
        ctx.report = Some(report);
        // A client of HTTP/1.0 does not know chunks; the end of the connection ends its body.
        let is_old = session.req_header().version <= Version::HTTP_10;
        if is_old && response.remove_header(&header::TRANSFER_ENCODING).is_some() {
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        _: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        if ctx.verdict != Verdict::Met {
            // The client gets a header only; what is not stored comes all the same.
            *body = None;
        }
        Ok(None)
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Self::CTX,
        _: &Error,
        context: ProxyWarnLogContext,
    ) -> bool {
        // A client that has what it wanted may leave; the fill goes on.
        context == ProxyWarnLogContext::DownstreamCache
    }

    fn suppress_error_log(&self, _: &Session, _: &Self::CTX, error: &Error) -> bool {
        // A client that leaves is no news.
        *error.esource() == ErrorSource::Downstream
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        self.tell_of_failure(session, error, ctx).await
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        self.account(session, error, ctx);
    }
}

impl CachingProxy {
    fn cache_status(&self, report: &crate::status::Report) -> String {
        let now = self.config.clock.now();
        // Long enough for most: growing it costs more than writing it.
        let mut text = String::with_capacity(96);
        // A `String` takes whatever is written.
        let _ = write!(text, "{}", report.cache_status(&self.config.name, now));
        text
    }
}
