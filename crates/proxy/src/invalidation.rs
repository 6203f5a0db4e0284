//! What a successful unsafe request invalidates (RFC 9111, section 4.4).

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use terrace_core::Target;
use terrace_pingora::TerraceStorage;
use url::Url;

use crate::key::{self, Scheme};
use crate::metrics;
use crate::rules::RuleSet;

/// Whether the answer `status` to a request of `method` says that something was changed. Of a method nobody knows, the
/// worst is to be assumed.
pub(crate) fn is_due(method: &Method, status: StatusCode) -> bool {
    let is_safe = matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    );
    !is_safe && (status.is_success() || status.is_redirection())
}

/// Purges all that is stored for the target of `req`, and for what `response` names in `Location` and
/// `Content-Location` if it is of the same origin. Fills that are on their way are not stored.
///
/// When this returns, it is done by every tier, or was tried: the origin has done its part by now, so a tier that fails
/// cannot fail the request. It is logged and counted then, and the tier may keep a copy until that expires.
pub(crate) async fn invalidate(
    storage: &TerraceStorage,
    rules: &RuleSet,
    scheme: Scheme,
    req: &RequestHeader,
    response: &ResponseHeader,
) {
    let Some(stack) = storage.stack() else {
        // What has no tiers has stored nothing.
        return;
    };
    for cache_key in keys(rules, scheme, req, response) {
        let key = terrace_pingora::key(&cache_key);
        match stack.purge(&Target::AllVariants(key.primary())).await {
            Ok(_) => metrics::invalidated("done"),
            Err(error) => {
                metrics::invalidated("failed");
                tracing::error!(%key, %error, method = %req.method,
                    "an unsafe request succeeded, and a tier may still have what it changed: purge that URL");
            }
        }
    }
}

/// The target first; each once.
fn keys(
    rules: &RuleSet,
    scheme: Scheme,
    req: &RequestHeader,
    response: &ResponseHeader,
) -> Vec<pingora::cache::CacheKey> {
    let mut targets = vec![req.raw_path().to_vec()];
    if let Some(base) = base(scheme, req) {
        let named = [header::LOCATION, header::CONTENT_LOCATION]
            .into_iter()
            .filter_map(|name| same_origin(&base, response, &name));
        for target in named {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    let mut get = req.clone();
    get.set_method(Method::GET);
    targets
        .into_iter()
        .filter_map(|target| {
            get.set_raw_path(&target).ok()?;
            Some(rules.key(scheme, &get))
        })
        .collect()
}

fn base(scheme: Scheme, req: &RequestHeader) -> Option<Url> {
    let authority = std::str::from_utf8(key::authority(req)).ok()?;
    let path = std::str::from_utf8(req.raw_path()).ok()?;
    Url::parse(&format!("{}://{authority}{path}", scheme.as_str())).ok()
}

/// Path and query of the URL that `response` names in `name`, if its scheme, host and port are those of `base`: one origin
/// must not empty the cache of another (RFC 9111, section 4.4).
fn same_origin(base: &Url, response: &ResponseHeader, name: &HeaderName) -> Option<Vec<u8>> {
    let mut values = response.headers.get_all(name).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let url = base.join(text(value)?).ok()?;
    if url.origin() != base.origin() {
        return None;
    }
    let mut target = url.path().to_owned();
    if let Some(query) = url.query() {
        target.push('?');
        target.push_str(query);
    }
    Some(target.into_bytes())
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use pingora::cache::key::CacheHashKey;

    use super::*;
    use crate::config::ProxyConfig;

    #[test]
    fn only_what_succeeds_and_is_not_safe_invalidates() {
        for (method, status, expected) in [
            ("POST", 200, true),
            ("PUT", 204, true),
            ("DELETE", 303, true),
            ("PATCH", 200, true),
            ("M-SEARCH", 200, true),
            ("POST", 404, false),
            ("POST", 500, false),
            ("GET", 200, false),
            ("HEAD", 200, false),
            ("OPTIONS", 200, false),
        ] {
            let due = is_due(&method.parse().unwrap(), status.try_into().unwrap());
            assert_eq!(due, expected, "{method} {status}");
        }
    }

    fn invalidated(location: &str, content_location: Option<&str>) -> Vec<[u8; 16]> {
        let mut req = RequestHeader::build("POST", b"/a/b?c", None).unwrap();
        req.append_header("host", "one.example").unwrap();
        let mut response = ResponseHeader::build(201, None).unwrap();
        response.append_header("location", location).unwrap();
        if let Some(location) = content_location {
            response
                .append_header("content-location", location)
                .unwrap();
        }
        let config = ProxyConfig::new("127.0.0.1:9000".parse().unwrap());
        let rules = RuleSet::new(&config);
        let keys = keys(&rules, Scheme::Http, &req, &response);
        keys.iter().map(CacheHashKey::primary_bin).collect()
    }

    fn target(target: &str) -> [u8; 16] {
        key::cache_key(Scheme::Http, b"one.example", target.as_bytes()).primary_bin()
    }

    #[test]
    fn locations_are_resolved_and_kept_to_the_origin() {
        for (location, path) in [
            ("/x", "/x"),
            ("x?y=1", "/a/x?y=1"),
            ("../x#fragment", "/x"),
            ("http://one.example/x", "/x"),
            ("http://ONE.example:80/x", "/x"),
            ("//one.example/x", "/x"),
        ] {
            let expected = [target("/a/b?c"), target(path)];
            assert_eq!(invalidated(location, None), expected, "{location}");
        }
        for foreign in [
            "http://two.example/x",
            "https://one.example/x",
            "http://one.example:8080/x",
            "//two.example/x",
            "mailto:x",
            "",
            "http://[",
        ] {
            assert_eq!(invalidated(foreign, None), [target("/a/b?c")], "{foreign}");
        }
        let both = invalidated("/x", Some("/y"));
        assert_eq!(both, [target("/a/b?c"), target("/x"), target("/y")]);
    }
}
