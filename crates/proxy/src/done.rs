//! What there is to say of a request that is over.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::HeaderValue;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource};
use terrace_core::{Generation, Timestamp};
use terrace_tiers::Source;

use crate::context::RequestContext;
use crate::decisions::Decision;
use crate::key::Scheme;

/// A request that is over, for those who keep books of it.
pub(crate) struct Done<'a> {
    session: &'a Session,
    ctx: &'a RequestContext,
    pub(crate) at: Timestamp,
    pub(crate) took: Duration,
    /// 0 if nothing was sent.
    pub(crate) status: u16,
    /// Of the body.
    pub(crate) bytes: u64,
    /// As in `terrace_proxy_requests_total`.
    pub(crate) outcome: &'static str,
    pub(crate) end: End,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its response was sent as a whole.
    Whole,
    /// The client left before.
    ClientLeft,
    /// Something failed.
    Failed,
}

impl<'a> Done<'a> {
    pub(crate) fn new(
        session: &'a Session,
        error: Option<&Error>,
        ctx: &'a RequestContext,
        at: Timestamp,
    ) -> Self {
        let end = match error.map(Error::esource) {
            Some(ErrorSource::Downstream) => End::ClientLeft,
            Some(_) => End::Failed,
            None if ctx.report.is_none() && !ctx.is_purge => End::Failed,
            None => End::Whole,
        };
        let report = ctx.report.as_ref();
        let outcome = match (end, report) {
            (End::ClientLeft, _) => "aborted",
            (_, _) if ctx.is_purge => "purge",
            (End::Whole, Some(report)) => report.outcome(),
            _ => "error",
        };
        let sent = session.response_written();
        Self {
            session,
            ctx,
            at,
            took: ctx.started.elapsed(),
            status: sent.map_or(0, |sent| sent.status.as_u16()),
            bytes: session.body_bytes_sent() as u64,
            outcome,
            end,
        }
    }

    pub(crate) fn req(&self) -> &'a RequestHeader {
        self.session.req_header()
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.ctx.scheme
    }

    /// The other end of the connection.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        let peer = self.session.client_addr().and_then(|addr| addr.as_inet());
        peer.map(SocketAddr::ip)
    }

    /// Where the response was found: a tier, or a body on its way.
    pub(crate) fn tier(&self) -> Option<&'static str> {
        let source = self.ctx.report.as_ref()?.source;
        source.map(Source::as_str)
    }

    /// Why it was not stored.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        self.ctx.report.as_ref()?.refused
    }

    /// What the client was told by us.
    pub(crate) fn cache_status(&self) -> Option<&'a HeaderValue> {
        let sent = self.session.response_written()?;
        sent.headers.get_all("cache-status").iter().next_back()
    }

    pub(crate) fn upstream_status(&self) -> Option<u16> {
        self.ctx.upstream_status
    }

    /// Of the body that was found, or is being stored.
    pub(crate) fn generation(&self) -> Option<Generation> {
        let slot = self.ctx.slot.as_ref()?;
        slot.outcome()?.generation
    }

    /// To be remembered for `explain`, if a key was looked up.
    pub(crate) fn decision(&self) -> Option<Decision> {
        Some(Decision {
            key: self.ctx.slot.as_ref()?.key()?,
            at: self.at,
            outcome: self.outcome,
            report: self.ctx.report.clone(),
            status: self.status,
            bytes: self.bytes,
            took: self.took,
        })
    }
}
