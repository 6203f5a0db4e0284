//! What became of a request, told from Pingora's state.

use std::time::Duration;

use http::StatusCode;
use pingora::cache::{CachePhase, NoCacheReason};
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType};
use terrace_pingora::RequestSlot;
use terrace_tiers::Source;

use crate::context::RequestContext;
use crate::status::{Forward, Report, Served};

/// How the response came about whose header is about to be sent.
pub(super) fn of(session: &Session, ctx: &RequestContext) -> Report {
    let cache = &session.cache;
    let outcome = ctx.slot.as_ref().and_then(RequestSlot::outcome);
    let source = outcome.and_then(|outcome| outcome.source);
    // It waited for another request, or takes part in what another request gets.
    let is_collapsed = source == Some(Source::Filling) || cache.lock_duration().is_some();
    let served = match cache.phase() {
        CachePhase::Hit if is_collapsed => Served::Collapsed,
        CachePhase::Hit => Served::Hit {
            // A client that bears it got it.
            stale: ctx.forward == Forward::Stale,
        },
        CachePhase::StaleUpdating => Served::Hit { stale: true },
        CachePhase::Stale => Served::StaleOnError,
        CachePhase::Revalidated | CachePhase::RevalidatedNoCache(_) => Served::Revalidated,
        _ => Served::Origin,
    };
    let mut report = Report::new(served, ctx.forward);
    report.fresh_until = cache
        .maybe_cache_meta()
        .map(|meta| meta.fresh_until().into());
    match served {
        Served::Origin => report.stored = outcome.is_some_and(|outcome| outcome.stored),
        Served::Revalidated | Served::StaleOnError => report.forward_status = ctx.upstream_status,
        _ => {}
    }
    if served != Served::Origin {
        report.source = source;
    }
    if let CachePhase::Disabled(reason) = cache.phase() {
        report.refused = refused(reason).or(ctx.kept_out);
    }
    report
}

/// How old a response is that has just come from the origin, or was just confirmed by it, if other caches on the way
/// kept it for a while. Pingora says it of hits.
pub(super) fn age_of_new(session: &Session) -> Option<Duration> {
    let has_used_origin = matches!(
        session.cache.phase(),
        CachePhase::Miss
            | CachePhase::Expired
            | CachePhase::Revalidated
            | CachePhase::RevalidatedNoCache(_)
    );
    let meta = session
        .cache
        .maybe_cache_meta()
        .filter(|_| has_used_origin)?;
    Some(meta.age()).filter(|age| age.as_secs() > 0)
}

/// What a client is told of an error; nothing if it cannot be told. `forward` is why the origin was asked.
pub(super) fn of_failure(error: &Error, forward: Forward) -> (Option<StatusCode>, &'static str) {
    if let ErrorType::HTTPStatus(code) = error.etype() {
        return (StatusCode::from_u16(*code).ok(), "the request failed");
    }
    match (error.esource(), error.etype()) {
        (
            ErrorSource::Downstream,
            ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed,
        ) => (None, ""),
        (ErrorSource::Downstream, _) => (
            Some(StatusCode::BAD_REQUEST),
            "the request cannot be understood",
        ),
        (
            ErrorSource::Upstream,
            ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout,
        ) => (
            Some(StatusCode::GATEWAY_TIMEOUT),
            "the origin does not answer in time, and nothing is stored that could be served instead",
        ),
        // RFC 9111, 5.2.2.2: what must be confirmed, and cannot be.
        (ErrorSource::Upstream, _) if forward == Forward::Stale => (
            Some(StatusCode::GATEWAY_TIMEOUT),
            "what is stored is stale and may not be served unconfirmed, and the origin cannot be reached",
        ),
        (ErrorSource::Upstream, _) => (
            Some(StatusCode::BAD_GATEWAY),
            "the origin cannot be reached, and nothing is stored that could be served instead",
        ),
        _ => (
            Some(StatusCode::INTERNAL_SERVER_ERROR),
            "this proxy failed; its log tells more",
        ),
    }
}

/// The reason Pingora was given for not storing.
fn refused(reason: NoCacheReason) -> Option<&'static str> {
    match reason {
        NoCacheReason::Custom(reason) => Some(reason),
        NoCacheReason::CacheLockTimeout | NoCacheReason::CacheLockRetryLimit => {
            Some("lock-timeout")
        }
        NoCacheReason::StorageError | NoCacheReason::InternalError => Some("storage-error"),
        NoCacheReason::ResponseTooLarge | NoCacheReason::PredictedResponseTooLarge => {
            Some("too-large")
        }
        _ => None,
    }
}
