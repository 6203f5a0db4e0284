//! What of an origin's responses is stored, and how long it is fresh.

use std::time::{Duration, SystemTime};

use http::{StatusCode, header};
use pingora::cache::cache_control::{CacheControl, Cacheable, InterpretCacheControl};
use pingora::cache::filters::{calculate_expires_header_time, calculate_serve_stale_durations};
use pingora::cache::{CacheMeta, CacheMetaDefaults, NoCacheReason, RespCacheable};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::config::{Freshness, ProxyConfig};
use crate::vary;

const AUTHORIZATION: &str = "authorization";

/// Whether the reason lies in one request, and says nothing of the next one for the same URL.
pub(crate) fn is_of_one_request(reason: &'static str) -> bool {
    reason == AUTHORIZATION || reason == vary::SELECTING_HEADERS
}

/// What was learnt of a response as it came from the origin, before it was changed for storing. After a 304, of
/// the 304.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// When.
    pub(crate) at: SystemTime,
    /// How old it was by then.
    pub(crate) age: Duration,
    /// When it was made, by the origin's clock.
    pub(crate) date: SystemTime,
    /// Whether its end can be told from a cut.
    pub(crate) is_framed: bool,
}

impl Received {
    pub(crate) fn new(response: &ResponseHeader, at: SystemTime) -> Self {
        let date = date(response).unwrap_or(at);
        let headers = &response.headers;
        Self {
            at,
            age: age(response).max(apparent_age(at, date)),
            date,
            is_framed: headers.contains_key(header::CONTENT_LENGTH)
                || headers.contains_key(header::TRANSFER_ENCODING)
                || response.version == http::Version::HTTP_2
                || has_no_body(response.status),
        }
    }
}

fn has_no_body(status: StatusCode) -> bool {
    status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// What an upstream cache says about how long it kept the response. Nothing, if it cannot be understood.
fn age(response: &ResponseHeader) -> Duration {
    let age = response.headers.get(header::AGE);
    let seconds = age.and_then(|age| age.to_str().ok()?.trim().parse::<u32>().ok());
    Duration::from_secs(seconds.unwrap_or(0).into())
}

fn date(response: &ResponseHeader) -> Option<SystemTime> {
    let date = response.headers.get(header::DATE)?.to_str().ok()?;
    httpdate::parse_http_date(date).ok()
}

/// Whole seconds, as `Date` has them: the rest of a second is not an age.
fn apparent_age(at: SystemTime, date: SystemTime) -> Duration {
    let age = at.duration_since(date).unwrap_or_default();
    Duration::from_secs(age.as_secs())
}

/// Whether `response`, the answer to `req`, is stored, and for how long it is good. The reason, if it is not, is the
/// detail that `Cache-Status` gives.
pub(crate) fn decide(
    req: &RequestHeader,
    response: &ResponseHeader,
    received: &Received,
    config: &ProxyConfig,
) -> RespCacheable {
    match judge(req, response, received, config) {
        Ok(meta) => RespCacheable::Cacheable(meta),
        Err(reason) => RespCacheable::Uncacheable(NoCacheReason::Custom(reason)),
    }
}

fn judge(
    req: &RequestHeader,
    response: &ResponseHeader,
    received: &Received,
    config: &ProxyConfig,
) -> Result<CacheMeta, &'static str> {
    let control = CacheControl::from_resp_headers(response);
    let control = control.as_ref();
    permitted(req, response, control)?;
    if !received.is_framed {
        return Err("close-delimited");
    }
    vary::check(&response.headers, req, config.max_vary)?;
    let fresh_for = fresh_for(response, control, received, &config.freshness)?;
    let (while_revalidate, if_error) = stale_windows(control, &config.freshness);
    let is_stale_for_good = received.age >= fresh_for && while_revalidate == 0 && if_error == 0;
    if is_stale_for_good && !has_validator(response) {
        return Err("stale-on-arrival");
    }

    let mut header = response.clone();
    if let Some(control) = control {
        control.strip_private_headers(&mut header);
    }
    // Said anew on every hit.
    header.remove_header(&header::AGE);
    let made = before(received.at, received.age);
    // Pingora takes the very moment of expiry for fresh.
    let fresh_until = if fresh_for.is_zero() {
        before(made, Duration::from_secs(1))
    } else {
        made.checked_add(fresh_for).unwrap_or(made)
    };
    let mut meta = CacheMeta::new(fresh_until, received.at, while_revalidate, if_error, header);
    if !received.age.is_zero() {
        meta.set_epoch_override(made);
    }
    Ok(meta)
}

/// RFC 9111, section 3; and prudence where it leaves room.
fn permitted(
    req: &RequestHeader,
    response: &ResponseHeader,
    control: Option<&CacheControl>,
) -> Result<(), &'static str> {
    const UNSTORABLE: [StatusCode; 3] = [
        StatusCode::PARTIAL_CONTENT,
        StatusCode::NOT_MODIFIED,
        StatusCode::RANGE_NOT_SATISFIABLE,
    ];
    if response.status.is_informational() || UNSTORABLE.contains(&response.status) {
        return Err("status");
    }
    if control.is_some_and(CacheControl::no_store) {
        return Err("no-store");
    }
    if control.is_some_and(CacheControl::private) {
        return Err("private");
    }
    let is_authorized = req.headers.contains_key(header::AUTHORIZATION);
    if is_authorized && !control.is_some_and(CacheControl::allow_caching_authorized_req) {
        return Err(AUTHORIZATION);
    }
    // A cookie is made for one client. Whoever wants it shared says so.
    let sets_cookie = response.headers.contains_key(header::SET_COOKIE);
    if sets_cookie && !control.is_some_and(CacheControl::public) {
        return Err("set-cookie");
    }
    Ok(())
}

/// The lifetime the origin gave the response, counted from when it was made.
fn fresh_for(
    response: &ResponseHeader,
    control: Option<&CacheControl>,
    received: &Received,
    freshness: &Freshness,
) -> Result<Duration, &'static str> {
    if let Some(explicit) = control.and_then(CacheControl::fresh_duration) {
        return Ok(explicit);
    }
    if let Some(expires) = calculate_expires_header_time(response) {
        // Both by the origin's clock, which may be wrong.
        return Ok(expires.duration_since(received.date).unwrap_or_default());
    }
    let may_be_assumed = is_cacheable_by_default(response.status)
        || control.is_some_and(|control| control.is_cacheable() == Cacheable::Yes);
    let assumed = freshness.default_ttl.filter(|_| may_be_assumed);
    assumed.ok_or("no-lifetime")
}

/// RFC 9110, 15.1; without 206, which is not stored.
fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Seconds for which a stale response may be served while it is revalidated, and when the origin fails.
fn stale_windows(control: Option<&CacheControl>, freshness: &Freshness) -> (u32, u32) {
    // Pingora reads the two windows without looking at `no-cache`, which forbids both.
    if control.is_some_and(CacheControl::no_cache) {
        return (0, 0);
    }
    let seconds = |window: Duration| u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
    let assumed = CacheMetaDefaults::new(
        |_| None,
        seconds(freshness.stale_while_revalidate),
        seconds(freshness.stale_if_error),
    );
    calculate_serve_stale_durations(control, &assumed)
}

fn has_validator(response: &ResponseHeader) -> bool {
    let headers = &response.headers;
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

fn before(moment: SystemTime, duration: Duration) -> SystemTime {
    moment
        .checked_sub(duration)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
