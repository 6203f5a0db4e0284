//! What a 304 changes of the response it confirms (RFC 9111, sections 3.2 and 4.3.4).

use http::header::{self, HeaderName};
use pingora::http::ResponseHeader;

use crate::conditions::etag;

/// Fields that describe the stored bytes. What a 304 says of them is not about those.
const OF_THE_BODY: [HeaderName; 8] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Replaces the fields of `stored` by those `confirmation`, a 304 without its connection's fields, has, all lines of
/// each. What it does not have stays.
///
/// Pingora 0.9.1 takes over five (`HttpCache::revalidate_merge_header`).
pub(crate) fn merge(stored: &mut ResponseHeader, confirmation: &ResponseHeader) {
    for name in confirmation.headers.keys() {
        if OF_THE_BODY.contains(name)
            || (*name == header::ETAG && !adopts_tag(stored, confirmation))
        {
            continue;
        }
        stored.remove_header(name);
        for value in confirmation.headers.get_all(name) {
            // It cannot fail for a value that was a header's.
            let _ = stored.append_header(name.clone(), value.clone());
        }
    }
}

/// A stored body keeps the tag it came with: the origin has confirmed what we named. And a strong tag vouches for bytes
/// that a date alone does not.
fn adopts_tag(stored: &ResponseHeader, confirmation: &ResponseHeader) -> bool {
    let tag = confirmation.headers.get(header::ETAG);
    let is_strong = tag.is_some_and(|tag| etag::is_strong(tag.as_bytes()));
    !stored.headers.contains_key(header::ETAG) && !is_strong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(status: u16, fields: &[(&'static str, &str)]) -> ResponseHeader {
        let mut header = ResponseHeader::build(status, None).unwrap();
        for (name, value) in fields {
            header.append_header(*name, *value).unwrap();
        }
        header
    }

    fn merged(
        stored: &[(&'static str, &str)],
        confirmation: &[(&'static str, &str)],
    ) -> Vec<String> {
        let mut stored = header(200, stored);
        merge(&mut stored, &header(304, confirmation));
        assert_eq!(stored.status, 200);
        let mut fields: Vec<_> = stored
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        fields.sort();
        fields
    }

    #[test]
    fn what_it_says_replaces_and_the_rest_stays() {
        let stored = [
            ("a", "1"),
            ("a", "2"),
            ("b", "3"),
            ("cache-control", "max-age=1"),
        ];
        let confirmation = [
            ("a", "4"),
            ("c", "5"),
            ("c", "6"),
            ("cache-control", "max-age=9"),
        ];
        let expected = ["a: 4", "b: 3", "c: 5", "c: 6", "cache-control: max-age=9"];
        assert_eq!(merged(&stored, &confirmation), expected);
    }

    #[test]
    fn what_describes_the_stored_bytes_stays() {
        let stored = [("content-length", "10"), ("content-type", "text/plain")];
        let confirmation = [
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("content-md5", "x"),
            ("content-type", "text/html"),
        ];
        let expected = ["content-length: 10", "content-type: text/html"];
        assert_eq!(merged(&stored, &confirmation), expected);
    }

    #[test]
    fn a_tag_is_kept_and_only_a_weak_one_is_added() {
        let tags = |stored: &[_], confirmation: &[_]| merged(stored, confirmation).join(", ");
        assert_eq!(
            tags(&[("etag", "\"a\"")], &[("etag", "\"b\"")]),
            "etag: \"a\""
        );
        assert_eq!(tags(&[], &[("etag", "W/\"b\"")]), "etag: W/\"b\"");
        assert_eq!(tags(&[], &[("etag", "\"b\"")]), "");
    }
}
