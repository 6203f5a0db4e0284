use http::HeaderMap;
use pingora::cache::CacheKey;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;

pub(crate) mod path;
mod query;
mod rules;

pub use rules::{KeyRules, PathRules, QueryRules, Tenant};
pub(crate) use rules::{has_cookie, split};

/// The version of the key's layout: another layout is another cache.
const VERSION: u8 = 1;

/// The scheme a URL was asked for with. Part of a cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS, as the client sees it.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> &'static [u8] {
        match self {
            Self::Http => b"80",
            Self::Https => b"443",
        }
    }

    pub(crate) fn of(session: &ServerSession) -> Self {
        let digest = session.digest();
        if digest.is_some_and(|digest| digest.ssl_digest.is_some()) {
            Self::Https
        } else {
            Self::Http
        }
    }

    /// The scheme named `name`, in any case.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        [Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| name.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
    }
}

/// The cache key of a URL by the default [`KeyRules`], as [`CachingProxy`](crate::CachingProxy) makes it where nothing else
/// is configured.
///
/// Its components are the layout's version, the method class (`GET`, which `HEAD` shares), the scheme, the authority in
/// lower case and without the scheme's default port, and the path and query, byte for byte as
/// received. Each is framed by its length, so that no two URLs can run into each other.
///
/// `target` is the path and query as it stands in the request line: `/a?b=c`.
pub fn cache_key(scheme: Scheme, authority: &[u8], target: &[u8]) -> CacheKey {
    KeyRules::default().key(scheme, authority, target, &HeaderMap::new())
}

/// Appends `part`, so that where it ends can be told from what follows.
fn frame(primary: &mut Vec<u8>, part: &[u8]) {
    primary.extend_from_slice(&(part.len() as u64).to_le_bytes());
    primary.extend_from_slice(part);
}

/// The authority a request is for: `Host`, or `:authority` of HTTP/2. Pingora has made sure that they agree.
pub(crate) fn authority(req: &RequestHeader) -> &[u8] {
    match req.headers.get(http::header::HOST) {
        Some(host) => host.as_bytes(),
        None => req.uri.authority().map_or(b"", |it| it.as_str().as_bytes()),
    }
}

/// The URL of a request whose target is in origin form, for people to read.
pub(crate) fn url(scheme: Scheme, req: &RequestHeader) -> String {
    let authority = String::from_utf8_lossy(authority(req));
    let target = String::from_utf8_lossy(req.raw_path());
    format!("{}://{authority}{target}", scheme.as_str())
}

pub(crate) fn normal_authority(scheme: Scheme, authority: &[u8]) -> Vec<u8> {
    let mut authority = authority.to_ascii_lowercase();
    // The last colon of "[::1]" belongs to the address.
    let colon = authority.iter().rposition(|&byte| byte == b':');
    if let Some(colon) = colon {
        let port = &authority[colon + 1..];
        if port.is_empty() || port == scheme.default_port() {
            authority.truncate(colon);
        }
    }
    authority
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
