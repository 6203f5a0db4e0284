//! Conditional requests (RFC 9110, section 13) against a response that is stored or has just come (RFC 9111,
//! section 4.3.2).

use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};

pub(crate) mod etag;

#[cfg(test)]
mod tests;

/// What a request's conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They hold, or there are none.
    Met,
    /// The client has what it asked for: 304.
    NotModified,
    /// The client wanted another one than there is: 412.
    Failed,
}

/// Evaluates the conditions of `req` for `response`, in the order of RFC 9110, section 13.2.2. `received` is when
/// `response` came, for one that does not say when it was made.
pub(crate) fn evaluate(
    req: &RequestHeader,
    response: &ResponseHeader,
    received: SystemTime,
) -> Verdict {
    // Section 13.2.1: they are for what succeeds without them. A part is not what they speak of.
    let is_whole = response.status.is_success() && response.status != StatusCode::PARTIAL_CONTENT;
    if !is_whole || !is_safe(&req.method) {
        return Verdict::Met;
    }
    if fails(&req.headers, &response.headers, received) {
        return Verdict::Failed;
    }
    if has_what_there_is(&req.headers, &response.headers, received) {
        return Verdict::NotModified;
    }
    Verdict::Met
}

/// Whether `req` has a condition that only what is current at the origin can fail (`If-Match`,
/// `If-Unmodified-Since`).
pub(crate) fn has_precondition(req: &RequestHeader) -> bool {
    let headers = &req.headers;
    headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_UNMODIFIED_SINCE)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn fails(asked: &HeaderMap, there: &HeaderMap, received: SystemTime) -> bool {
    if asked.contains_key(header::IF_MATCH) {
        let wanted = asked.get_all(header::IF_MATCH);
        return !etag::list_names(&wanted, there.get(header::ETAG), etag::strong_eq);
    }
    // One that is no date counts for nothing, as does one where no modification is known (section 13.1.4).
    let Some(until) = date(asked, header::IF_UNMODIFIED_SINCE, received) else {
        return false;
    };
    let modified = date(there, header::LAST_MODIFIED, received);
    modified.is_some_and(|modified| modified > until)
}

fn has_what_there_is(asked: &HeaderMap, there: &HeaderMap, received: SystemTime) -> bool {
    if asked.contains_key(header::IF_NONE_MATCH) {
        // Whatever `If-Modified-Since` says (section 13.1.3).
        let held = asked.get_all(header::IF_NONE_MATCH);
        return etag::list_names(&held, there.get(header::ETAG), etag::weak_eq);
    }
    let Some(since) = date(asked, header::IF_MODIFIED_SINCE, received) else {
        return false;
    };
    // RFC 9111, section 4.3.2: the three moments, best first.
    let modified = date(there, header::LAST_MODIFIED, received)
        .or_else(|| date(there, header::DATE, received));
    modified.unwrap_or(received) <= since
}

/// A date, of a field that is there once and is a date in one of the three formats (section 5.6.7). `now` tells the
/// century of the one that leaves it out.
pub(crate) fn date(headers: &HeaderMap, name: HeaderName, now: SystemTime) -> Option<SystemTime> {
    let mut values = headers.get_all(name).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    crate::date::parse(value.as_bytes(), now)
}
