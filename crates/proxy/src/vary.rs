//! Which variant of a response a request asks for.

use http::header::{self, HeaderMap, HeaderValue};
use pingora::cache::VarianceBuilder;
use pingora::cache::key::HashBinary;
use pingora::http::RequestHeader;

use crate::headers::tokens;

/// The most bytes of request headers that may select a variant.
const MAX_SELECTING_BYTES: usize = 8 * 1024;

/// The request's fault, not the response's.
pub(crate) const SELECTING_HEADERS: &str = "selecting-headers";

/// Why a response with these headers cannot be stored under what `req` selects: it must name its selecting headers, not
/// too many, and their values must not be too long. One that varies by a `personal` header is for one client alone.
pub(crate) fn check(
    response: &HeaderMap,
    req: &RequestHeader,
    max_names: usize,
    personal: &[&str],
) -> Result<(), &'static str> {
    let names = names(response);
    let is_personal = |name: &String| name == "*" || personal.contains(&name.as_str());
    if names.len() > max_names || names.iter().any(is_personal) {
        return Err("vary");
    }
    let selecting = |name: &String| -> usize {
        let values = req.headers.get_all(name).into_iter();
        values.map(HeaderValue::len).sum()
    };
    if names.iter().map(selecting).sum::<usize>() > MAX_SELECTING_BYTES {
        return Err(SELECTING_HEADERS);
    }
    Ok(())
}

/// The digest of the request headers a stored response was selected by; `None` if it names none.
pub(crate) fn variance(response: &HeaderMap, req: &RequestHeader) -> Option<HashBinary> {
    let mut builder = VarianceBuilder::new();
    for name in names(response) {
        let value = selector(&name, &req.headers);
        builder.add_owned_name_value(name, value);
    }
    builder.finalize()
}

fn names(response: &HeaderMap) -> Vec<String> {
    let values = response.get_all(header::VARY);
    tokens(values.iter())
        .map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
        .collect()
}

/// What `req` says in `name`, in one spelling. Never empty: Pingora takes "no selecting header was sent" for "there are
/// no variants", and would serve whichever is there.
///
/// Only spellings that mean the same by the header's definition become one: white space, lines of their own, and for
/// `Accept-Encoding` and `Accept-Language` case and order (RFC 9110, sections 12.5.3 and 12.5.4: preference is told by
/// weights alone).
fn selector(name: &str, req: &HeaderMap) -> Vec<u8> {
    if !req.contains_key(name) {
        return b"absent".to_vec();
    }
    let values = req.get_all(name);
    let mut elements: Vec<Vec<u8>> = values
        .iter()
        .flat_map(|value| elements(value.as_bytes()))
        .map(respelled(name))
        .collect();
    if is_negotiation(name) {
        elements.sort_unstable();
        elements.dedup();
    }
    [b"=", elements.join(&b","[..]).as_slice()].concat()
}

fn is_negotiation(name: &str) -> bool {
    name == header::ACCEPT_ENCODING.as_str() || name == header::ACCEPT_LANGUAGE.as_str()
}

/// The elements of a list, where commas inside of quotes are part of an element.
fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = (false, false);
    let elements = line.split(move |&byte| {
        let (is_quoted, is_escaped) = state;
        state = match byte {
            _ if is_escaped => (is_quoted, false),
            b'\\' => (is_quoted, is_quoted),
            b'"' => (!is_quoted, false),
            _ => state,
        };
        byte == b',' && !is_quoted
    });
    elements
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// White space goes only from where it is allowed: what is malformed stays another variant, because
/// the origin may read it in any way.
fn respelled(name: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    // Elsewhere case may matter, and a blank may be part of a value (`User-Agent`, a quoted string).
    let is_negotiation = is_negotiation(name);
    move |element| {
        let mut element = if is_negotiation {
            let parts = element.split(|&byte| byte == b';');
            parts
                .map(<[u8]>::trim_ascii)
                .collect::<Vec<_>>()
                .join(&b';')
        } else {
            element.to_vec()
        };
        if is_negotiation {
            element.make_ascii_lowercase();
        }
        element
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    fn request(headers: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut req = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in headers {
            req.append_header(*name, *value).unwrap();
        }
        req
    }

    fn select(vary: &'static str, req: &[(&'static str, &'static str)]) -> Option<HashBinary> {
        variance(&map(&[("vary", vary)]), &request(req))
    }

    #[test]
    fn without_vary_there_is_no_variance() {
        assert_eq!(variance(&map(&[]), &request(&[("accept", "x")])), None);
    }

    #[test]
    fn an_absent_header_is_a_variant_of_its_own() {
        let absent = select("accept-language", &[]);
        assert!(absent.is_some());
        assert_ne!(
            absent,
            select("accept-language", &[("accept-language", "")])
        );
        assert_ne!(
            absent,
            select("accept-language", &[("accept-language", "absent")])
        );
    }

    #[test]
    fn spellings_that_mean_the_same_are_one_variant() {
        let encoding = |value| select("Accept-Encoding", &[("accept-encoding", value)]);
        assert_eq!(encoding("gzip, br;q=0.5"), encoding("BR; q=0.5,GZIP"));
        assert_eq!(encoding("gzip ;q=0.5"), encoding("gzip;  q=0.5"));
        assert_ne!(encoding("gzip, br;q=0.5"), encoding("gzip, br;q=0"));
        assert_ne!(encoding("gzip;q=0"), encoding("gzip;q= 0"));
        assert_ne!(encoding("gzip"), encoding("g zip"));
        let language = |value| select("accept-language", &[("accept-language", value)]);
        assert_eq!(language("de, en"), language("de,en"));
        assert_eq!(language("DE, en"), language("de,EN"));
        assert_eq!(language("de, en;q=0.5"), language("en;q=0.5, de"));
        assert_ne!(language("de, en;q=0.5"), language("en, de;q=0.5"));
    }

    #[test]
    fn a_comma_in_quotes_is_part_of_a_value() {
        let foo = |value| select("foo", &[("foo", value)]);
        assert_eq!(foo("1, 2"), foo("1,2"));
        assert_eq!(select("foo", &[("foo", "1"), ("foo", "2")]), foo("1,2"));
        assert_ne!(foo("\"1, 2\""), foo("\"1,2\""));
        assert_eq!(foo(r#""a\"b", c"#), foo(r#""a\"b",c"#));
    }

    #[test]
    fn the_order_of_vary_does_not_matter() {
        let req = [("a", "1"), ("b", "2")];
        assert_eq!(select("a, b", &req), select("B,A", &req));
    }

    #[test]
    fn a_star_or_too_much_cannot_be_stored() {
        let check_vary = |vary| {
            check(
                &map(&[("vary", vary)]),
                &request(&[]),
                2,
                &["x-forwarded-for"],
            )
        };
        assert_eq!(check_vary("a, b"), Ok(()));
        for vary in ["*", "a, *", "a, b, c", "X-Forwarded-For"] {
            assert_eq!(check_vary(vary), Err("vary"), "{vary}");
        }
        let mut req = request(&[]);
        req.append_header("a", "x".repeat(MAX_SELECTING_BYTES + 1))
            .unwrap();
        let long = check(&map(&[("vary", "a")]), &req, 2, &[]);
        assert_eq!(long, Err(SELECTING_HEADERS));
    }
}
