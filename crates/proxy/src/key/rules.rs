use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::cache::CacheKey;
use pingora::cache::key::HashBinary;
use terrace_core::KeyDigest;

use super::{Scheme, VERSION, frame, normal_authority};
use crate::glob::Glob;
use crate::rules::RuleError;

pub use super::path::PathRules;
pub use super::query::QueryRules;

/// What of a request names what is stored for it. By default: scheme, host, path and query, as they were sent.
///
/// **What is left out of a key must not change the response**, or whoever sends the request first decides what all others
/// get. So the origin is asked for what the key says, and not for what was left out of it, unless
/// [`rewrite`](Self::rewrite) is off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct KeyRules {
    /// `http` and `https` are one. Only where the origin answers both the same, and redirects neither to the other.
    pub ignore_scheme: bool,
    /// Spellings of a path that are one.
    pub path: PathRules,
    /// Parameters that matter.
    pub query: QueryRules,
    /// The origin is asked for the path and the query that the key has. Without it, the origin gets what the client sent, and
    /// every parameter left out of the key must be one the origin ignores. Default: true.
    pub rewrite: bool,
    /// Request headers by whose values responses differ although the origin does not name them in `Vary`. They select a
    /// variant of the URL: a purge of the URL purges all of them.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::list"))]
    pub headers: Vec<HeaderName>,
    /// Cookies by whose values responses differ. As with [`headers`](Self::headers), they select variants.
    pub cookies: Vec<String>,
    /// Whose cache it is. Tenants share nothing, and one's purge does not touch another's objects.
    pub tenant: Option<Tenant>,
}

/// What says whose cache it is. A request that does not say it belongs to a tenant of its own, the one without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Tenant {
    /// A header. It must be set by something in front that clients cannot go round.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::one"))]
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// Always this one.
    Fixed(String),
}

impl Default for KeyRules {
    fn default() -> Self {
        Self {
            ignore_scheme: false,
            path: PathRules::default(),
            query: QueryRules::default(),
            rewrite: true,
            headers: Vec::new(),
            cookies: Vec::new(),
            tenant: None,
        }
    }
}

impl KeyRules {
    pub(crate) fn validate(&self) -> Result<(), RuleError> {
        self.query.validate()?;
        let tenant = match &self.tenant {
            Some(Tenant::Cookie(name)) => Some(name),
            Some(Tenant::Header(_) | Tenant::Fixed(_)) | None => None,
        };
        for name in self.cookies.iter().chain(tenant) {
            if name.is_empty() || name.contains(|it: char| it == '=' || it == ';' || it <= ' ') {
                let what = format!("`key`: {name:?} cannot be a cookie's name");
                return Err(RuleError::new(what));
            }
        }
        Ok(())
    }

    /// What of `target`, a path with a query or without, matters.
    pub(crate) fn target<'a>(&self, target: &'a [u8]) -> Cow<'a, [u8]> {
        let (path, query) = split(target);
        let normal_path = self.path.normal(path);
        let Some(query) = query else {
            return normal_path;
        };
        let normal_query = self.query.normal(query);
        if let (Cow::Borrowed(_), Some(Cow::Borrowed(_))) = (&normal_path, &normal_query) {
            return Cow::Borrowed(target);
        }
        let Some(normal_query) = normal_query else {
            return normal_path;
        };
        Cow::Owned([&*normal_path, b"?", &*normal_query].concat())
    }

    /// The cache key of `target`, a path with a query or without, asked for with these `headers`.
    pub fn key(
        &self,
        scheme: Scheme,
        authority: &[u8],
        target: &[u8],
        headers: &HeaderMap,
    ) -> CacheKey {
        let authority = normal_authority(scheme, authority);
        let scheme = if self.ignore_scheme {
            "*"
        } else {
            scheme.as_str()
        };
        let target = self.target(target);
        let components: [&[u8]; 4] = [b"GET", scheme.as_bytes(), &authority, &target];
        let len: usize = components.iter().map(|part| part.len() + 8).sum();
        let mut primary = Vec::with_capacity(1 + len);
        primary.push(VERSION);
        for part in components {
            frame(&mut primary, part);
        }
        if let Some(tenant) = &self.tenant {
            frame(&mut primary, b"tenant");
            for value in tenant.values(headers) {
                frame(&mut primary, value);
            }
        }
        CacheKey::new(primary, "")
    }

    /// The variant that `headers` select, where `of_vary` is the one by the headers that `Vary` names.
    pub(crate) fn variance(
        &self,
        of_vary: Option<HashBinary>,
        headers: &HeaderMap,
    ) -> Option<HashBinary> {
        if self.headers.is_empty() && self.cookies.is_empty() {
            return of_vary;
        }
        let mut frames = Vec::new();
        frame(&mut frames, of_vary.as_ref().map_or(&[], |it| it));
        for name in &self.headers {
            let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
            selector(&mut frames, name.as_str(), values);
        }
        for name in &self.cookies {
            selector(
                &mut frames,
                name,
                cookies(headers).filter_map(value_of(name)),
            );
        }
        Some(*KeyDigest::of(&[b"selectors", &frames]).as_bytes())
    }
}

impl Tenant {
    fn values<'a>(&'a self, headers: &'a HeaderMap) -> Vec<&'a [u8]> {
        match self {
            Self::Header(name) => {
                let values = headers.get_all(name).iter();
                values.map(HeaderValue::as_bytes).collect()
            }
            Self::Cookie(name) => cookies(headers).filter_map(value_of(name)).collect(),
            Self::Fixed(name) => vec![name.as_bytes()],
        }
    }
}

/// Name, number of values, values: none is not the same as an empty one.
fn selector<'a>(frames: &mut Vec<u8>, name: &str, values: impl Iterator<Item = &'a [u8]>) {
    let values: Vec<_> = values.collect();
    frame(frames, name.as_bytes());
    frames.extend_from_slice(&(values.len() as u64).to_le_bytes());
    for value in values {
        frame(frames, value);
    }
}

/// Name and value of every cookie, as they were sent.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|&byte| byte == b';'));
    pairs.map(<[u8]>::trim_ascii).map(|pair| {
        let end = pair.iter().position(|&byte| byte == b'=');
        match end {
            Some(end) => (&pair[..end], &pair[end + 1..]),
            None => (pair, &pair[pair.len()..]),
        }
    })
}

fn value_of<'a>(name: &str) -> impl Fn((&'a [u8], &'a [u8])) -> Option<&'a [u8]> {
    move |(given, value)| (given == name.as_bytes()).then_some(value)
}

/// Whether a request carries a cookie that one of `globs` names.
pub(crate) fn has_cookie(headers: &HeaderMap, globs: &[Glob]) -> bool {
    !globs.is_empty() && cookies(headers).any(|(name, _)| Glob::any(globs, name))
}

/// The path of a target, and its query.
pub(crate) fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match target.iter().position(|&byte| byte == b'?') {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}
