use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, Version, header};
use pingora::cache::key::HashBinary;
use pingora::cache::lock::CacheKeyLockImpl;
use pingora::cache::predictor::Predictor;
use pingora::cache::{CacheKey, CacheMeta, ForcedFreshness, HitHandler, RespCacheable};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
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
use crate::upstream::{Groups, UpstreamService};
use crate::variants::Variants;
use crate::{framing, headers};
use crate::{range, vary};

use forward::miss;
use stored::give_withheld;

mod answer;
mod ending;
mod forward;
mod old_clients;
mod origin;
mod outcome;
mod receive;
mod stored;

const SHARDS: usize = 16;

/// A caching reverse proxy for one group of upstreams or several. Host it by `pingora::prelude::http_proxy_service`.
pub struct CachingProxy {
    storage: &'static TerraceStorage,
    pub(crate) config: Arc<ProxyConfig>,
    rules: Arc<RuleSet>,
    insight: Insight,
    lock: &'static CacheKeyLockImpl,
    pub(crate) groups: Arc<Groups>,
    /// For rescues and health checks only; requests use Pingora's own.
    pub(crate) connector: Arc<Connector>,
    /// URLs whose responses are not stored: requests for them do not wait for each other.
    uncacheable: Predictor<SHARDS>,
    variants: Arc<Variants>,
    metrics: Metrics,
    stats: Arc<Stats>,
    in_flight: InFlight,
    background: InFlight,
    /// `Via` of a response in HTTP/1.1. A name that passed the check is a valid value.
    via: &'static str,
}

impl CachingProxy {
    /// A proxy that caches in `storage`. Install a recorder for metrics before, or they go nowhere.
    ///
    /// Pingora wants the lock that collapses requests to be `'static`; each proxy leaks one, and the text of `Via`: a few
    /// hundred bytes.
    pub fn new(storage: &'static TerraceStorage, config: ProxyConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let connector = origin::connector()?;
        let groups = Arc::new(Groups::new(&config, &connector));
        let config = Arc::new(config);
        let in_flight = InFlight::new(metrics::in_flight());
        let rules = Arc::new(RuleSet::new(&config));
        let variants = Arc::new(Variants::new(config.max_variants));
        let stats = Arc::new(Stats::new());
        let per_shard = config.remembered_uncacheable.div_ceil(SHARDS);
        Ok(Self {
            storage,
            lock: Box::leak(Box::new(CollapseLock::new(storage, config.lock_age))),
            groups: Arc::clone(&groups),
            connector,
            uncacheable: Predictor::new(per_shard, Some(cacheability::is_of_one_request)),
            metrics: Metrics::new(),
            background: InFlight::new(::metrics::Gauge::noop()),
            insight: Insight::new(
                Arc::clone(&config),
                Arc::clone(&rules),
                groups,
                Arc::clone(&variants),
                Arc::clone(&stats),
                in_flight.clone(),
            ),
            rules,
            variants,
            stats,
            in_flight,
            via: Box::leak(headers::via(Version::HTTP_11, &config.name).into_boxed_str()),
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

    /// Watches over the upstreams; add it to the server by `pingora::prelude::background_service`.
    pub fn upstreams(&self) -> UpstreamService {
        UpstreamService::new(Arc::clone(&self.groups))
    }

    fn now(&self) -> SystemTime {
        self.config.clock.now().into()
    }
}

#[async_trait]
impl ProxyHttp for CachingProxy {
    /// Boxed: Pingora moves it from future to future, each of which has room for it, and copies those futures, too.
    type CTX = Box<RequestContext>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(RequestContext::new(self.in_flight.enter()))
    }

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        // In the place of Pingora's compression, which it would add and not use.
        modules.add_module(Box::new(old_clients::OldClients));
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
        let (asked, from) = (session.req_header(), self.asker(session, ctx));
        self.offer_rescue(self.pool(ctx), asked, from, meta.response_header(), handler);
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

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        self.choose_peer(session, ctx).await.map(Box::new)
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        self.retry_unconnected(ctx, &mut error);
        error
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Self::CTX,
        client_reused: bool,
    ) -> Box<Error> {
        let mut error = error.more_context(format!("Peer: {peer}"));
        self.retry_unanswered(session, ctx, &mut error, client_reused);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        self.note_asked(request, ctx);
        let from = self.asker(session, ctx);
        self.config.forwarding.tell(request, from)?;
        self.name_host(request, ctx)?;
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
        Self::answered(ctx);
        framing::check(response)?;
        self.note_received(response, ctx);
        headers::strip_response(response);
        self.follow_up(session, response, ctx).await
    }

    fn upstream_response_body_filter(
        &self,
        _: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        Self::check_total_time(ctx)?;
        Ok(None)
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
        match response.version {
            Version::HTTP_11 => {
                response.append_header("via", HeaderValue::from_static(self.via))?
            }
            other => response.append_header("via", headers::via(other, &self.config.name))?,
        };
        if let Some(age) = outcome::age_of_new(session) {
            response.insert_header(header::AGE, age.as_secs())?;
        }
        ctx.report = Some(report);
        // A client of HTTP/1.0 does not know chunks; the end of the connection ends its body.
        let is_old = session.req_header().version <= Version::HTTP_10;
        if is_old && !response.headers.contains_key(header::CONTENT_LENGTH) {
            response.remove_header(&header::TRANSFER_ENCODING);
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
        report.cache_status(&self.config.name, self.config.clock.now())
    }
}
