use std::time::UNIX_EPOCH;

use super::*;

const WHEN: &str = "Sat, 21 Nov 2020 06:00:00 GMT";
const LATER: &str = "Sat, 21 Nov 2020 06:00:01 GMT";

fn request(fields: &[(&'static str, &str)]) -> RequestHeader {
    let mut req = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, value) in fields {
        req.append_header(*name, *value).unwrap();
    }
    req
}

fn response(fields: &[(&'static str, &str)]) -> ResponseHeader {
    let mut response = ResponseHeader::build(200, None).unwrap();
    response.append_header("content-length", "100").unwrap();
    for (name, value) in fields {
        response.append_header(*name, *value).unwrap();
    }
    response
}

fn status(asked: &[(&'static str, &str)], there: &[(&'static str, &str)]) -> u16 {
    let mut response = response(there);
    let _ = apply(&request(asked), &mut response, 3, UNIX_EPOCH);
    response.status.as_u16()
}

#[test]
fn a_range_is_a_206_and_several_are_one_of_parts() {
    let mut one = response(&[("content-type", "text/plain")]);
    let range = apply(&request(&[("range", "bytes=5-9")]), &mut one, 3, UNIX_EPOCH);
    assert_eq!(range, RangeType::Single(5..10));
    assert_eq!(one.status, 206);
    assert_eq!(one.headers["content-range"], "bytes 5-9/100");
    assert_eq!(one.headers["content-length"], "5");
    let mut two = response(&[]);
    let range = apply(
        &request(&[("range", "bytes=50-59,0-9")]),
        &mut two,
        3,
        UNIX_EPOCH,
    );
    let RangeType::Multi(parts) = range else {
        panic!("{range:?}");
    };
    assert_eq!(parts.ranges, [0..10, 50..60]);
    assert_eq!(two.status, 206);
    let mut merged = response(&[]);
    let range = apply(
        &request(&[("range", "bytes=0-9,5-19")]),
        &mut merged,
        3,
        UNIX_EPOCH,
    );
    assert_eq!(range, RangeType::Single(0..20));
}

#[test]
fn what_cannot_be_satisfied_is_a_416_that_nobody_keeps() {
    for field in ["bytes=100-", "bytes=-0"] {
        let mut response =
            response(&[("content-encoding", "gzip"), ("cache-control", "max-age=9")]);
        let range = apply(&request(&[("range", field)]), &mut response, 3, UNIX_EPOCH);
        assert_eq!(range, RangeType::Invalid, "{field}");
        assert_eq!(response.status, 416);
        assert_eq!(response.headers["content-range"], "bytes */100");
        assert_eq!(response.headers["content-length"], "0");
        assert_eq!(response.headers["cache-control"], "no-store");
        assert!(!response.headers.contains_key("content-encoding"));
    }
}

#[test]
fn what_is_malformed_or_too_much_gets_the_whole() {
    for field in [
        "bytes=",
        "bytes=9-5",
        "lines=1-2",
        "bytes=0-1,4-5,8-9,12-13",
    ] {
        assert_eq!(status(&[("range", field)], &[]), 200, "{field}");
    }
    let twice = [("range", "bytes=0-1"), ("range", "bytes=4-5")];
    assert_eq!(status(&twice, &[]), 200);
}

#[test]
fn ranges_are_for_get_and_for_200() {
    let asked = [("range", "bytes=0-1")];
    for method in ["HEAD", "POST"] {
        let mut req = request(&asked);
        req.set_method(method.parse().unwrap());
        let mut response = response(&[]);
        assert_eq!(apply(&req, &mut response, 3, UNIX_EPOCH), RangeType::None);
        assert_eq!(response.status, 200, "{method}");
    }
    let mut missing = response(&[]);
    missing.set_status(404).unwrap();
    assert_eq!(
        apply(&request(&asked), &mut missing, 3, UNIX_EPOCH),
        RangeType::None
    );
    assert_eq!(missing.status, 404);
}

#[test]
fn if_range_wants_the_same_bytes() {
    for (condition, there, expected) in [
        ("\"a\"", vec![("etag", "\"a\"")], 206),
        ("\"a\"", vec![("etag", "\"b\"")], 200),
        ("\"a\"", vec![], 200),
        ("W/\"a\"", vec![("etag", "W/\"a\"")], 200),
        ("\"a\"", vec![("etag", "W/\"a\"")], 200),
        (WHEN, vec![("last-modified", WHEN), ("date", LATER)], 206),
        // It may have changed again in the same second.
        (WHEN, vec![("last-modified", WHEN), ("date", WHEN)], 200),
        (WHEN, vec![("last-modified", WHEN)], 200),
        (LATER, vec![("last-modified", WHEN), ("date", LATER)], 200),
        ("a", vec![("etag", "a")], 200),
    ] {
        let asked = [("range", "bytes=0-1"), ("if-range", condition)];
        assert_eq!(status(&asked, &there), expected, "{condition} {there:?}");
    }
}
