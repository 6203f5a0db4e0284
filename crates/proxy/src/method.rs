//! Methods that a proxy answers itself, or counts down (RFC 9110, sections 7.6.2 and 9.3).

use http::{HeaderValue, Method, StatusCode, header};
use pingora::http::RequestHeader;

use crate::respond::Text;

/// What `Allow` says: what goes on to the origin, which may allow less.
const ALLOWED: &str = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE";

/// The answer to a request that is not for the origin. Counts `Max-Forwards` down for one that is.
///
/// - `CONNECT` wants a tunnel, which a proxy in front of an origin does not open.
/// - `TRACE` would show a client what it must not see: the credentials that are added on the way, cookies that scripts
///   cannot read. It is refused, as most servers do.
/// - `OPTIONS` with `Max-Forwards: 0` asks whoever it has come to.
pub(crate) fn answer(req: &mut RequestHeader) -> Option<Text> {
    match req.method {
        Method::CONNECT => Some(not_allowed("this is no tunnel: CONNECT is not served")),
        Method::TRACE => Some(not_allowed("TRACE is not served")),
        Method::OPTIONS => match forwards_left(req)? {
            0 => Some(with_allow(StatusCode::OK, "this cache answers for itself")),
            left => {
                let value = HeaderValue::from(left - 1);
                // It cannot fail for a number.
                let _ = req.insert_header(header::MAX_FORWARDS, value);
                None
            }
        },
        _ => None,
    }
}

/// `None` if the header is not there, or is none: then it counts for nothing.
fn forwards_left(req: &RequestHeader) -> Option<u32> {
    let mut values = req.headers.get_all(header::MAX_FORWARDS).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let digits = value.to_str().ok()?.trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large to count is far enough.
    is_number.then(|| digits.parse().unwrap_or(u32::MAX))
}

fn not_allowed(why: &str) -> Text {
    with_allow(StatusCode::METHOD_NOT_ALLOWED, why)
}

fn with_allow(status: StatusCode, body: &str) -> Text {
    let mut text = Text::new(status, body);
    text.allow = Some(ALLOWED);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(method: &str, max_forwards: Option<&str>) -> (Option<u16>, Option<String>) {
        let mut req = RequestHeader::build(method, b"/", None).unwrap();
        if let Some(left) = max_forwards {
            req.append_header("max-forwards", left).unwrap();
        }
        let status = answer(&mut req).map(|text| text.status.as_u16());
        let left = req.headers.get("max-forwards");
        (status, left.map(|left| left.to_str().unwrap().to_owned()))
    }

    #[test]
    fn options_are_counted_down_and_answered_at_zero() {
        for (given, status, left) in [
            (None, None, None),
            (Some("3"), None, Some("2")),
            (Some("1"), None, Some("0")),
            (Some("0"), Some(200), Some("0")),
            (Some("-1"), None, Some("-1")),
            (Some("x"), None, Some("x")),
            (Some("99999999999"), None, Some("4294967294")),
        ] {
            let expected = (status, left.map(str::to_owned));
            assert_eq!(answered("OPTIONS", given), expected, "{given:?}");
        }
        assert_eq!(answered("GET", Some("0")), (None, Some("0".to_owned())));
    }

    #[test]
    fn what_is_not_for_the_origin_is_refused() {
        for method in ["TRACE", "CONNECT"] {
            assert_eq!(answered(method, None).0, Some(405), "{method}");
        }
    }
}
