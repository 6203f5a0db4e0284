//! Ranges of a response: which are served, which are ignored.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, header};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{RangeType, range_header_filter};

use crate::conditions::{date, etag};
use spec::Selection;

mod spec;

#[cfg(test)]
mod tests;

/// Decides on the `Range` of a request, and makes the response's header fit: 206, or 416.
///
/// The header is read here, because Pingora 0.9.1 serves `bytes=-0` as the range from the end to before it, gives lists
/// that overlap or do not ascend the whole body, and takes equal weak tags in `If-Range` for a match. It gets what
/// is left in a form it cannot misread.
pub(crate) fn apply(
    req: &RequestHeader,
    response: &mut ResponseHeader,
    max_ranges: usize,
    now: SystemTime,
) -> RangeType {
    let Ok(plain) = &*PLAIN else {
        return RangeType::None;
    };
    match wanted(req, response, max_ranges, now) {
        Some((Selection::Unsatisfiable, len)) => {
            refuse(response, len);
            RangeType::Invalid
        }
        Some((Selection::Ranges(ranges), _)) => {
            let mut plain = plain.clone();
            // It cannot fail for a value that was made here.
            let _ = plain.insert_header(header::RANGE, field(&ranges));
            range_header_filter(&plain, response, None)
        }
        Some((Selection::Ignored, _)) | None => range_header_filter(plain, response, None),
    }
}

/// A request for the whole.
static PLAIN: LazyLock<Result<RequestHeader>> =
    LazyLock::new(|| RequestHeader::build(Method::GET, b"/", Some(1)));

/// The `Range` that asks for `ranges`.
fn field(ranges: &[Range<usize>]) -> String {
    let text = |range: &Range<usize>| format!("{}-{}", range.start, range.end - 1);
    let list: Vec<_> = ranges.iter().map(text).collect();
    format!("bytes={}", list.join(","))
}

/// What `req` wants of `response`, and how long that is; `None` where it gets the whole.
fn wanted(
    req: &RequestHeader,
    response: &ResponseHeader,
    max_ranges: usize,
    now: SystemTime,
) -> Option<(Selection, usize)> {
    // Ranges are defined for GET alone (RFC 9110, section 14.2).
    if req.method != Method::GET || response.status != StatusCode::OK {
        return None;
    }
    let mut values = req.headers.get_all(header::RANGE).into_iter();
    let (Some(field), None) = (values.next(), values.next()) else {
        return None;
    };
    let len = response.headers.get(header::CONTENT_LENGTH)?;
    let len = len.to_str().ok()?.parse().ok()?;
    if !condition_holds(req, response, now) {
        return None;
    }
    Some((spec::select(field.as_bytes(), len, max_ranges), len))
}

/// `If-Range` (RFC 9110, section 13.1.5): only what is the same byte for byte has parts that fit together.
fn condition_holds(req: &RequestHeader, response: &ResponseHeader, now: SystemTime) -> bool {
    let mut values = req.headers.get_all(header::IF_RANGE).into_iter();
    let condition = match (values.next(), values.next()) {
        (None, _) => return true,
        (Some(condition), None) => condition,
        _ => return false,
    };
    if condition.as_bytes().contains(&b'"') {
        let tag = response.headers.get(header::ETAG);
        return tag.is_some_and(|tag| etag::strong_eq(condition.as_bytes(), tag.as_bytes()));
    }
    let is_same = response.headers.get(header::LAST_MODIFIED) == Some(condition);
    is_same && has_strong_date(response, now)
}

/// Whether it cannot have changed again within the second of its `Last-Modified` (RFC 9110, section 8.8.2.2).
fn has_strong_date(response: &ResponseHeader, now: SystemTime) -> bool {
    let modified = date(&response.headers, header::LAST_MODIFIED, now);
    let made = date(&response.headers, header::DATE, now);
    let Some((modified, made)) = modified.zip(made) else {
        return false;
    };
    made.duration_since(modified)
        .is_ok_and(|age| age >= Duration::from_secs(1))
}

/// Makes it a 416 of a body of `len` bytes.
fn refuse(response: &mut ResponseHeader, len: usize) {
    for name in [
        header::ACCEPT_RANGES,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        // They are of the 200.
        header::ETAG,
        header::LAST_MODIFIED,
        header::EXPIRES,
    ] {
        response.remove_header(&name);
    }
    // None of these can fail: the status is one, and so are the values.
    let _ = response.set_status(StatusCode::RANGE_NOT_SATISFIABLE);
    let _ = response.insert_header(header::CONTENT_LENGTH, "0");
    let _ = response.insert_header(header::CONTENT_RANGE, format!("bytes */{len}"));
    let _ = response.insert_header(header::CACHE_CONTROL, "no-store");
}
