use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use pingora::cache::CacheKey;
use pingora::http::ResponseHeader;
use terrace_pingora::RequestSlot;
use tokio::time::Instant;
use tracing::Span;

use crate::cacheability::Received;
use crate::conditions::Verdict;
use crate::control::demands::Demands;
use crate::in_flight::Flight;
use crate::key::Scheme;
use crate::rules::RuleId;
use crate::status::{Forward, Report, Served};
use crate::upstream::{Engaged, Pool};

/// What one request remembers from callback to callback.
pub struct RequestContext {
    pub(crate) started: Instant,
    pub(crate) scheme: Scheme,
    /// Which rule holds for it.
    pub(crate) rule: RuleId,
    /// Why its rule has it pass by the cache, if it does.
    pub(crate) kept_out: Option<&'static str>,
    pub(crate) demands: Demands,
    /// Between the callback that decides to cache and the one that Pingora asks for the key.
    pub(crate) key: Option<CacheKey>,
    pub(crate) slot: Option<RequestSlot>,
    /// Why the request goes to the origin, if it does.
    pub(crate) forward: Forward,
    /// When the origin was asked.
    pub(crate) asked: Option<SystemTime>,
    /// What its conditions came to, for the response at hand.
    pub(crate) verdict: Verdict,
    /// The 304 that confirmed what is stored.
    pub(crate) confirmation: Option<Box<ResponseHeader>>,
    /// The key it would have had, if the cache is left out because nothing was stored so far.
    pub(crate) bypassed: Option<CacheKey>,
    /// What the origin answered.
    pub(crate) received: Option<Received>,
    /// Fields of its answer that are for this client only.
    pub(crate) withheld: HeaderMap,
    pub(crate) upstream_status: Option<u16>,
    /// Connections that were tried.
    pub(crate) attempts: usize,
    /// Connections that were tried and failed.
    pub(crate) failed_connects: usize,
    /// Connections that were open, and closed by the server when they were to be used.
    pub(crate) stale: usize,
    /// Servers that failed this request.
    pub(crate) tried: Vec<SocketAddr>,
    /// The group a rule has named, if one has.
    pub(crate) upstream: Option<Arc<Pool>>,
    /// The server that was chosen last.
    pub(crate) member: Option<Engaged>,
    /// When the response must have ended, and the timeout that says so.
    pub(crate) deadline: Option<(Instant, Duration)>,
    /// How the response came about, once its header was sent.
    pub(crate) report: Option<Report>,
    /// A purge was answered; it is counted already.
    pub(crate) is_purge: bool,
    /// While it revalidates in the background.
    pub(crate) background: Option<Flight>,
    /// Disabled unless somebody listens.
    pub(crate) span: Span,
    pub(crate) _in_flight: Flight,
}

impl RequestContext {
    pub(crate) fn new(in_flight: Flight) -> Self {
        Self {
            started: Instant::now(),
            scheme: Scheme::Http,
            rule: RuleId::default(),
            kept_out: None,
            demands: Demands::default(),
            key: None,
            slot: None,
            forward: Forward::Bypass,
            asked: None,
            verdict: Verdict::Met,
            confirmation: None,
            bypassed: None,
            received: None,
            withheld: HeaderMap::new(),
            upstream_status: None,
            attempts: 0,
            failed_connects: 0,
            stale: 0,
            tried: Vec::new(),
            upstream: None,
            member: None,
            deadline: None,
            report: None,
            is_purge: false,
            background: None,
            span: Span::none(),
            _in_flight: in_flight,
        }
    }

    /// Notes that this proxy answers by itself.
    pub(crate) fn generated(&mut self) -> &Report {
        let report = Report::new(Served::Generated, self.forward);
        self.report.insert(report)
    }
}
