//! What a request is, before the cache is asked.

use http::{HeaderName, HeaderValue, Method, Version, header};
use pingora::http::RequestHeader;
use pingora::protocols::http::authority::{RawTargetAuthority, raw_target_authority};

use crate::headers;
use crate::key::{Scheme, authority};
use crate::upstream::{Upstream, UpstreamGroup};

/// How often a request may come through a cache of our name, before it is taken for a loop.
const MAX_PASSES: usize = 8;

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It could be read in two ways.
    Ambiguous(&'static str),
    /// It comes round again and again.
    Loop,
}

/// Makes the target of a request origin form, and refuses what could be read in two ways. Returns the scheme of an
/// absolute target. A request of HTTP/1.0 that names no host is for the first of `upstream`.
///
/// Pingora has refused by now: more than one `Host`, one that contradicts the target, credentials in either, framing
/// that contradicts itself.
pub(crate) fn normalise(
    req: &mut RequestHeader,
    name: &str,
    upstream: &UpstreamGroup,
) -> Result<Option<Scheme>, Refusal> {
    let scheme = to_origin_form(req)?;
    name_host(req)?;
    join_cookies(req)?;
    if req.version <= Version::HTTP_10 && !has_host(req) {
        // It goes on as HTTP/1.1, which needs one.
        let first = upstream.servers.first().map(Upstream::authority);
        req.insert_header(header::HOST, first.unwrap_or_default())
            .map_err(|_| {
                Refusal::Ambiguous("an HTTP/1.0 request without a Host cannot be sent on")
            })?;
    }
    let authority = authority(req);
    if authority.is_empty() && req.version == Version::HTTP_11 && !has_host(req) {
        return Err(Refusal::Ambiguous("an HTTP/1.1 request needs a Host"));
    }
    if !authority.is_empty() && http::uri::Authority::try_from(authority).is_err() {
        return Err(Refusal::Ambiguous("the Host is not HOST or HOST:PORT"));
    }
    if headers::passes(&req.headers, name) >= MAX_PASSES {
        return Err(Refusal::Loop);
    }
    Ok(scheme)
}

fn has_host(req: &RequestHeader) -> bool {
    req.headers.contains_key(header::HOST)
}

/// An absolute target would be forwarded as such, and then be another request to the origin than the origin form the
/// key is made of.
fn to_origin_form(req: &mut RequestHeader) -> Result<Option<Scheme>, Refusal> {
    let (scheme, host, path) = match raw_target_authority(req.raw_path()) {
        RawTargetAuthority::None => return Ok(None),
        RawTargetAuthority::AmbiguousAuthority => {
            return Err(Refusal::Ambiguous("the request target is ambiguous"));
        }
        RawTargetAuthority::Absolute {
            scheme,
            authority,
            path_and_query,
        } => (scheme, authority.to_vec(), path_and_query),
    };
    let unusable = |_| Refusal::Ambiguous("the request target cannot be understood");
    let scheme = Scheme::parse(scheme).ok_or(Refusal::Ambiguous(
        "the request target is neither http nor https",
    ))?;
    let path = match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [b"/", path].concat(),
    };
    req.set_raw_path(&path).map_err(unusable)?;
    if !has_host(req) {
        req.insert_header(header::HOST, host).map_err(unusable)?;
    }
    Ok(Some(scheme))
}

/// HTTP/2 has the host in its target only. A revalidation in the background, which Pingora makes of the request as one of
/// HTTP/1.1, would lose it.
fn name_host(req: &mut RequestHeader) -> Result<(), Refusal> {
    let authority = req.uri.authority().map(|it| it.as_str().to_owned());
    match authority {
        Some(host) if !has_host(req) => req
            .insert_header(header::HOST, host)
            .map_err(|_| Refusal::Ambiguous("the authority cannot be understood")),
        _ => Ok(()),
    }
}

/// HTTP/2 may send the cookies in crumbs, which servers of HTTP/1.1 do not know (RFC 9113, section 8.2.3). Keys and
/// variants must not depend on how they came, either.
fn join_cookies(req: &mut RequestHeader) -> Result<(), Refusal> {
    let crumbs = req.headers.get_all(header::COOKIE).iter();
    let crumbs: Vec<_> = crumbs.map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let joined = crumbs.join(&b"; "[..]);
    req.insert_header(header::COOKIE, joined)
        .map_err(|_| Refusal::Ambiguous("the cookies cannot be understood"))
}

/// Whether a request may be answered by less than the whole body: it is a `HEAD`, or wants a range, or has a condition.
pub(crate) fn wants_less(req: &RequestHeader) -> bool {
    const CONDITIONS: [HeaderName; 5] = [
        header::RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
    ];
    let has = |name| req.headers.contains_key(name);
    req.method == Method::HEAD || CONDITIONS.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut req = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
        for (name, value) in headers {
            req.append_header(*name, *value).unwrap();
        }
        req
    }

    fn normalised(req: &mut RequestHeader) -> Result<Option<Scheme>, Refusal> {
        normalise(req, "terrace", &Upstream::new("origin", 9000).into())
    }

    #[test]
    fn http_1_0_may_leave_the_host_to_us() {
        let mut req = request("/", &[]);
        req.set_version(Version::HTTP_10);
        assert_eq!(normalised(&mut req), Ok(None));
        assert_eq!(req.headers["host"], "origin:9000");
    }

    #[test]
    fn an_absolute_target_becomes_origin_form() {
        for (target, path, scheme) in [
            ("http://a.example/x?y", "/x?y", Scheme::Http),
            ("HTTPS://a.example", "/", Scheme::Https),
            ("http://a.example?y", "/?y", Scheme::Http),
        ] {
            let mut req = request(target, &[]);
            assert_eq!(normalised(&mut req), Ok(Some(scheme)), "{target}");
            assert_eq!(req.raw_path(), path.as_bytes());
            assert_eq!(req.headers["host"], "a.example");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (target, headers) in [
            ("/", vec![]),
            ("/", vec![("host", "a/b")]),
            ("/", vec![("host", "a b")]),
            ("ftp://a/", vec![]),
        ] {
            let mut req = request(target, &headers);
            let refused = normalised(&mut req);
            assert!(
                matches!(refused, Err(Refusal::Ambiguous(_))),
                "{target} {headers:?}"
            );
        }
    }

    #[test]
    fn crumbs_of_cookies_are_put_together() {
        let crumbs = [("host", "a"), ("cookie", "a=1"), ("cookie", "b=2")];
        let mut req = request("/", &crumbs);
        normalised(&mut req).unwrap();
        let cookies: Vec<_> = req.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2"]);
    }

    #[test]
    fn a_loop_is_refused() {
        let via = ["1.1 terrace"; MAX_PASSES].join(", ");
        let mut req = request("/", &[("host", "a"), ("via", &via)]);
        assert_eq!(normalised(&mut req), Err(Refusal::Loop));
        let others = normalise(&mut req, "other", &Upstream::new("origin", 9000).into());
        assert_eq!(others, Ok(None));
    }
}
