//! What `Cache-Control` and its targeted variants say of a response.
//!
//! Reading is lenient where it restricts and strict where it permits (RFC 9111, 4.2.1): a `no-store` that is badly
//! written still forbids, a `max-age` that is badly written makes the response stale.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use seconds::Seconds;
use syntax::Member;

pub(crate) mod demands;
pub(crate) mod seconds;
mod syntax;
mod targeted;

/// Fields that the cache itself needs: a response that wants them left out cannot be reused without asking.
const INDISPENSABLE: [HeaderName; 10] = [
    header::AGE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::EXPIRES,
    header::TRANSFER_ENCODING,
    header::VARY,
];
/// The most fields that `no-cache="…"` and `private="…"` may name; with more, they are taken as if without names.
const MAX_FIELDS: usize = 32;

/// The directives of a response that a shared cache heeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are as many directives")]
pub(crate) struct Control {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) immutable: bool,
    pub(crate) max_age: Option<Seconds>,
    pub(crate) s_maxage: Option<Seconds>,
    pub(crate) stale_while_revalidate: Option<Seconds>,
    pub(crate) stale_if_error: Option<Seconds>,
    /// What may not be reused (`no-cache="…"`) or not even stored (`private="…"`), while the rest may.
    pub(crate) withheld: Vec<HeaderName>,
    /// It comes from a field made for caches such as this one (RFC 9213): `Cache-Control` and `Expires` do not count.
    pub(crate) is_targeted: bool,
}

impl Control {
    /// What applies to this cache: the first of the `targets` with a valid value, else `Cache-Control`.
    pub(crate) fn of(headers: &HeaderMap, targets: &[HeaderName]) -> Self {
        let targeted = targets
            .iter()
            .find_map(|name| targeted::read(headers, name));
        targeted.unwrap_or_else(|| Self::plain(headers))
    }

    /// What `Cache-Control` says, if there is any.
    pub(crate) fn plain(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for member in syntax::members(&headers.get_all(header::CACHE_CONTROL)) {
            match member {
                Member::Directive(name, value) => control.take(name, value.as_deref()),
                Member::Malformed(text) => control.fear(text),
            }
        }
        control
    }

    /// The first occurrence of a directive counts.
    fn take(&mut self, name: &[u8], value: Option<&[u8]>) {
        let seconds = |slot: &mut Option<Seconds>| {
            slot.get_or_insert_with(|| Seconds::parse(value.unwrap_or_default()));
        };
        match name.to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache |= !self.withholds(value),
            b"private" => self.private |= !self.withholds(value),
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"immutable" => self.immutable = true,
            b"max-age" => seconds(&mut self.max_age),
            b"s-maxage" => seconds(&mut self.s_maxage),
            b"stale-while-revalidate" => seconds(&mut self.stale_while_revalidate),
            b"stale-if-error" => seconds(&mut self.stale_if_error),
            _ => {}
        }
    }

    /// What is not a directive may have been meant as one: it restricts, and never permits.
    fn fear(&mut self, text: &[u8]) {
        for word in text.split(|byte| !syntax::is_token(*byte)) {
            match word.to_ascii_lowercase().as_slice() {
                b"no-store" => self.no_store = true,
                b"no-cache" => self.no_cache = true,
                b"private" => self.private = true,
                b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
                b"max-age" | b"s-maxage" => self.max_age = Some(Seconds::Invalid),
                _ => {}
            }
        }
    }

    /// Whether the argument of `no-cache` or `private` names fields, which then are withheld alone. What cannot be
    /// read as such, or names what the cache needs, restricts the whole response.
    fn withholds(&mut self, value: Option<&[u8]>) -> bool {
        let names = value.and_then(|value| {
            let names = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            let names = names.filter(|name| !name.is_empty());
            names
                .map(HeaderName::from_bytes)
                .collect::<Result<Vec<_>, _>>()
                .ok()
        });
        let names = names.unwrap_or_default();
        let is_possible = !names.is_empty()
            && names.len() + self.withheld.len() <= MAX_FIELDS
            && !names.iter().any(|name| INDISPENSABLE.contains(name));
        if is_possible {
            self.withheld.extend(names);
        }
        is_possible
    }

    /// Forgets what forbids storing or reusing: the operator has overruled the origin.
    pub(crate) fn overrule(&mut self) {
        self.no_store = false;
        self.no_cache = false;
        self.private = false;
        self.must_understand = false;
    }

    /// The lifetime it gives, in seconds, counted from when the response was made.
    pub(crate) fn lifetime(&self) -> Option<u32> {
        if self.no_cache {
            return Some(0);
        }
        // What is invalid is stale at once, whatever the other directive says.
        self.s_maxage.or(self.max_age).map(Seconds::or_zero)
    }

    /// Whether it must never be served stale, not even if a client or another directive allows it (RFC 9111, 4.2.4).
    pub(crate) fn forbids_stale(&self) -> bool {
        self.no_cache || self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some()
    }

    /// Whether the answer to a request with credentials may be shared (RFC 9111, 3.5).
    pub(crate) fn shares_authorized(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }
}

/// The first value of `name`, for fields of which there may be only one.
pub(crate) fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    headers.get_all(name).iter().next()
}

#[cfg(test)]
mod tests;
