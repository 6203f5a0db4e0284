//! When a response came, and how old it was.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use pingora::http::ResponseHeader;

use crate::control::first;
use crate::control::seconds::Seconds;
use crate::date;

/// What was learnt of a response as it came from the origin, before it was changed for storing. After a 304, of
/// the 304.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// When.
    pub(crate) at: SystemTime,
    /// How old it was by then (RFC 9111, 4.2.3).
    pub(crate) age: Duration,
    /// When it was made, by the origin's clock.
    pub(crate) date: SystemTime,
    /// Whether its end can be told from a cut.
    pub(crate) is_framed: bool,
}

impl Received {
    /// `response` came at `at`, to a request sent at `asked`.
    pub(crate) fn new(response: &ResponseHeader, asked: SystemTime, at: SystemTime) -> Self {
        let headers = &response.headers;
        let date = first(headers, &header::DATE);
        let date = date.and_then(|it| date::parse(it.as_bytes(), at));
        let date = date.unwrap_or(at);
        // Its age may have been right when it left the one who said it; the way took at most this long.
        let delay = at.duration_since(asked).unwrap_or_default();
        let apparent = at.duration_since(date).unwrap_or_default();
        Self {
            at,
            age: whole((age(headers) + delay).max(apparent)),
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

/// What an upstream cache says about how long it kept the response: the first member of all lines. Nothing, if that is
/// not a number (RFC 9111, 5.1).
fn age(headers: &HeaderMap) -> Duration {
    let first = first(headers, &header::AGE);
    let member = first.and_then(|line| line.as_bytes().split(|&byte| byte == b',').next());
    let seconds = member.map(|it| Seconds::parse(it.trim_ascii()).or_zero());
    Duration::from_secs(seconds.unwrap_or(0).into())
}

/// Whole seconds, as `Date` and `Age` have them: the rest of a second is not an age.
fn whole(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs())
}
