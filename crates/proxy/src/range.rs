//! Ranges of a response: which are served, which are ignored.

use http::header;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{RangeType, range_header_filter};

/// Decides on the `Range` of a request, and makes the response's header fit.
///
/// Pingora serves single ranges and ascending lists of them. It takes equal weak entity tags in `If-Range` for
/// a match; two bodies with one weak tag may differ byte for byte, so their ranges do not fit together.
pub(crate) fn apply(
    req: &RequestHeader,
    response: &mut ResponseHeader,
    max_ranges: usize,
) -> RangeType {
    if has_weak_condition(req) {
        return RangeType::None;
    }
    // Pingora's bound is exclusive.
    range_header_filter(req, response, Some(max_ranges.saturating_add(1)))
}

fn has_weak_condition(req: &RequestHeader) -> bool {
    let condition = req.headers.get(header::IF_RANGE);
    condition.is_some_and(|tag| tag.as_bytes().starts_with(b"W/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply_to(range: &str, if_range: Option<&str>, etag: &str) -> (RangeType, ResponseHeader) {
        let mut req = RequestHeader::build("GET", b"/", None).unwrap();
        req.append_header("range", range).unwrap();
        if let Some(condition) = if_range {
            req.append_header("if-range", condition).unwrap();
        }
        let mut response = ResponseHeader::build(200, None).unwrap();
        response.append_header("content-length", "100").unwrap();
        response.append_header("etag", etag).unwrap();
        let range = apply(&req, &mut response, 3);
        (range, response)
    }

    #[test]
    fn a_strong_condition_holds_and_a_weak_one_never_does() {
        let (range, response) = apply_to("bytes=0-9", Some("\"a\""), "\"a\"");
        assert_eq!(range, RangeType::Single(0..10));
        assert_eq!(response.status, 206);
        let (range, response) = apply_to("bytes=0-9", Some("W/\"a\""), "W/\"a\"");
        assert_eq!(range, RangeType::None);
        assert_eq!(response.status, 200);
    }

    #[test]
    fn too_many_ranges_get_the_whole() {
        let (range, _) = apply_to("bytes=0-1,4-5,8-9", None, "\"a\"");
        assert!(matches!(range, RangeType::Multi(_)));
        let (range, _) = apply_to("bytes=0-1,4-5,8-9,12-13", None, "\"a\"");
        assert_eq!(range, RangeType::None);
    }
}
