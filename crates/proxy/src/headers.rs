//! Headers that concern one connection, and the trace of those a message has passed.

use std::time::SystemTime;

use http::header::{self, GetAll, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Version};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};

/// Fields of one connection, besides those `Connection` names.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The most fields `Connection` may name that are heeded. A response with more is not one of a server
/// that means well.
const MAX_NAMED: usize = 32;

/// Fields a `Connection` header cannot take away: without them the message would be another.
const PROTECTED: [HeaderName; 6] = [
    header::HOST,
    header::CACHE_CONTROL,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::VARY,
];

/// The elements of a comma-separated field, without the space around them.
pub(crate) fn tokens<'a>(
    values: impl Iterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = &'a [u8]> {
    values
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

fn named_by_connection(values: &GetAll<'_, HeaderValue>) -> Vec<HeaderName> {
    tokens(values.iter())
        .take(MAX_NAMED)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !PROTECTED.contains(name))
        .collect()
}

/// Takes out of an origin's response what concerned the connection to it.
pub(crate) fn strip_response(response: &mut ResponseHeader) {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let named = named_by_connection(&response.headers.get_all(header::CONNECTION));
    for name in named.iter().chain(&HOP_BY_HOP) {
        response.remove_header(name);
    }
}

/// Notes when a response was made, if it does not say so: it came `now` (RFC 9110, section 6.6.1).
pub(crate) fn ensure_date(response: &mut ResponseHeader, now: SystemTime) {
    if !response.headers.contains_key(header::DATE) {
        // It cannot fail for a date.
        let _ = response.insert_header(header::DATE, httpdate::fmt_http_date(now));
    }
}

/// Makes of a client's request one that stands for itself: without what concerned its connection, its conditions, its
/// ranges and its body.
pub(crate) fn strip_request(request: &mut RequestHeader) {
    const OF_THIS_REQUEST: [HeaderName; 8] = [
        header::RANGE,
        header::IF_RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::CONTENT_LENGTH,
        header::EXPECT,
    ];
    let named = named_by_connection(&request.headers.get_all(header::CONNECTION));
    for name in named.iter().chain(&HOP_BY_HOP).chain(&OF_THIS_REQUEST) {
        request.remove_header(name);
    }
}

/// What `Via` says of us, for a message that was received as `version`.
pub(crate) fn via(version: Version, name: &str) -> String {
    let version = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    format!("{version} {name}")
}

pub(crate) fn append_request_via(
    request: &mut RequestHeader,
    version: Version,
    name: &str,
) -> Result<()> {
    request
        .append_header(header::VIA, via(version, name))
        .map(drop)
}

/// How often a message has passed a cache called `name`.
pub(crate) fn passes(headers: &HeaderMap, name: &str) -> usize {
    tokens(headers.get_all(header::VIA).iter())
        .filter(|hop| {
            let mut words = hop.split(u8::is_ascii_whitespace);
            words.nth(1) == Some(name.as_bytes())
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes_and_what_matters_stays() {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("connection", "close, X-Hop , cache-control"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("cache-control", "private"),
            ("etag", "\"a\""),
        ] {
            response.append_header(name, value).unwrap();
        }
        strip_response(&mut response);
        let left: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["cache-control", "etag"]);
    }

    #[test]
    fn passes_are_counted_over_fields_and_lists() {
        let mut headers = HeaderMap::new();
        headers.append("via", HeaderValue::from_static("1.1 terrace, 2 other"));
        headers.append("via", HeaderValue::from_static("1.0 terrace (note)"));
        assert_eq!(passes(&headers, "terrace"), 2);
        assert_eq!(passes(&headers, "terr"), 0);
    }
}
