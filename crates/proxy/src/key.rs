use pingora::cache::CacheKey;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;

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

/// The cache key of a URL, as [`CachingProxy`](crate::CachingProxy) makes it of a request.
///
/// Its components are the layout's version, the method class (`GET`, which `HEAD` shares), the scheme, the authority in
/// lower case and without the scheme's default port, and the path and query, byte for byte as
/// received. Each is framed by its length, so that no two URLs can run into each other.
///
/// `target` is the path and query as it stands in the request line: `/a?b=c`.
pub fn cache_key(scheme: Scheme, authority: &[u8], target: &[u8]) -> CacheKey {
    let authority = normal_authority(scheme, authority);
    let components: [&[u8]; 4] = [b"GET", scheme.as_str().as_bytes(), &authority, target];
    let len: usize = components.iter().map(|part| part.len() + 8).sum();
    let mut primary = Vec::with_capacity(1 + len);
    primary.push(VERSION);
    for part in components {
        primary.extend_from_slice(&(part.len() as u64).to_le_bytes());
        primary.extend_from_slice(part);
    }
    CacheKey::new(primary, "")
}

/// The key of a request whose target is in origin form.
pub(crate) fn of(scheme: Scheme, req: &RequestHeader) -> CacheKey {
    cache_key(scheme, authority(req), req.raw_path())
}

/// The authority a request is for: `Host`, or `:authority` of HTTP/2. Pingora has made sure that they agree.
pub(crate) fn authority(req: &RequestHeader) -> &[u8] {
    match req.headers.get(http::header::HOST) {
        Some(host) => host.as_bytes(),
        None => req.uri.authority().map_or(b"", |it| it.as_str().as_bytes()),
    }
}

fn normal_authority(scheme: Scheme, authority: &[u8]) -> Vec<u8> {
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
mod tests {
    use pingora::cache::key::CacheHashKey;

    use super::*;

    fn digest(scheme: Scheme, authority: &str, target: &str) -> [u8; 16] {
        cache_key(scheme, authority.as_bytes(), target.as_bytes()).primary_bin()
    }

    #[test]
    fn spellings_of_one_authority_are_one_key() {
        let plain = digest(Scheme::Http, "example.com", "/");
        for same in ["EXAMPLE.com", "example.com:80", "example.com:"] {
            assert_eq!(digest(Scheme::Http, same, "/"), plain, "{same}");
        }
        let v6 = digest(Scheme::Https, "[::1]", "/");
        assert_eq!(digest(Scheme::Https, "[::1]:443", "/"), v6);
    }

    #[test]
    fn what_differs_has_another_key() {
        let urls = [
            (Scheme::Http, "example.com", "/a"),
            (Scheme::Https, "example.com", "/a"),
            (Scheme::Http, "example.com:443", "/a"),
            (Scheme::Http, "example.com", "/A"),
            (Scheme::Http, "example.com", "/a?"),
            (Scheme::Http, "example.com", "/%61"),
            (Scheme::Http, "example.com/", "a"),
            (Scheme::Http, "example.co", "m/a"),
            (Scheme::Http, "[::1]", "/a"),
            (Scheme::Http, "[::]", "/a"),
            (Scheme::Http, "", "/a"),
        ];
        for (i, a) in urls.iter().enumerate() {
            for b in &urls[i + 1..] {
                assert_ne!(digest(a.0, a.1, a.2), digest(b.0, b.1, b.2), "{a:?} {b:?}");
            }
        }
    }
}
