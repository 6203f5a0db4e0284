//! What a client demands of the cache, and whether a stored response meets it.

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderName};
use pingora::cache::{CacheMeta, ForcedFreshness};
use pingora::http::RequestHeader;

use super::Control;
use super::seconds::Seconds;
use super::syntax::{Member, is_token, members};
use crate::headers;

/// The directives of a request (RFC 9111, 5.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Demands {
    /// Nothing of this exchange may be stored.
    pub(crate) no_store: bool,
    /// The origin is to be asked, whatever is stored.
    pub(crate) revalidate: bool,
    /// The origin is not to be asked.
    pub(crate) only_if_cached: bool,
    /// The oldest that is welcome, in seconds.
    pub(crate) max_age: Option<u32>,
    /// For how long it is to be fresh still, in seconds.
    pub(crate) min_fresh: Option<u32>,
    /// For how long it may be stale, in seconds.
    pub(crate) max_stale: Option<u32>,
}

impl Demands {
    pub(crate) fn of(req: &RequestHeader) -> Self {
        let lines = req.headers.get_all(header::CACHE_CONTROL);
        let mut demands = Self::default();
        if lines.iter().next().is_none() {
            demands.revalidate = has_pragma_no_cache(req);
            return demands;
        }
        for member in members(&lines) {
            match member {
                Member::Directive(name, value) => demands.take(name, value.as_deref()),
                Member::Malformed(text) => demands.fear(text),
            }
        }
        demands
    }

    fn take(&mut self, name: &[u8], value: Option<&[u8]>) {
        let seconds = || Seconds::parse(value.unwrap_or_default());
        match name.to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.revalidate = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => {
                self.max_age.get_or_insert_with(|| seconds().or_zero());
            }
            // What cannot be read demands nothing.
            b"min-fresh" => self.min_fresh = self.min_fresh.or(seconds().valid()),
            b"max-stale" if value.is_none() => {
                self.max_stale.get_or_insert(Seconds::MAX);
            }
            b"max-stale" => self.max_stale = self.max_stale.or(seconds().valid()),
            _ => {}
        }
    }

    fn fear(&mut self, text: &[u8]) {
        for word in text.split(|byte| !is_token(*byte)) {
            match word.to_ascii_lowercase().as_slice() {
                b"no-store" => self.no_store = true,
                b"no-cache" => self.revalidate = true,
                _ => {}
            }
        }
    }

    /// What a proxy that works for the origin ignores. `no-store` and `only-if-cached` do not make the origin work.
    pub(crate) fn without_freshness(self) -> Self {
        Self {
            no_store: self.no_store,
            only_if_cached: self.only_if_cached,
            ..Self::default()
        }
    }

    /// Whether it may come to asking the origin although something fresh is stored.
    pub(crate) fn are_about_freshness(&self) -> bool {
        self.revalidate || self.max_age.is_some() || self.min_fresh.is_some()
    }

    /// Whether a stored response may be served without asking the origin, where that differs from what its
    /// freshness alone says.
    pub(crate) fn verdict(
        &self,
        meta: &CacheMeta,
        is_fresh: bool,
        now: SystemTime,
        targets: &[HeaderName],
    ) -> Option<ForcedFreshness> {
        if self.revalidate {
            return Some(ForcedFreshness::ForceExpired);
        }
        if *self == Self::default() {
            return None;
        }
        if !is_fresh {
            return self.bears(meta, now, targets);
        }
        let is_young = self.max_age.is_none_or(|most| {
            let age = now.duration_since(meta.epoch()).unwrap_or_default();
            age.as_secs() <= u64::from(most) && most > 0
        });
        let is_lasting = self.min_fresh.is_none_or(|least| {
            let left = meta.fresh_until().duration_since(now).unwrap_or_default();
            left >= seconds(least)
        });
        // Whoever reloads what never changes need not ask (RFC 8246, 2).
        let is_met = is_lasting && (is_young || control(meta, targets).immutable);
        // What the client prefers is not worth an error, if the origin has nothing better to say.
        let expired_at = Some(now);
        (!is_met).then_some(ForcedFreshness::ForceExpiredServeStale { expired_at })
    }

    /// Something stale is served to a client that bears it, unless its origin forbids that.
    fn bears(
        &self,
        meta: &CacheMeta,
        now: SystemTime,
        targets: &[HeaderName],
    ) -> Option<ForcedFreshness> {
        let most = self.max_stale.filter(|_| self.min_fresh.is_none())?;
        let stale_for = now.duration_since(meta.fresh_until()).unwrap_or_default();
        let age = now.duration_since(meta.epoch()).unwrap_or_default();
        let is_welcome =
            stale_for <= seconds(most) && self.max_age.is_none_or(|most| age <= seconds(most));
        let is_borne = is_welcome && !control(meta, targets).forbids_stale();
        is_borne.then_some(ForcedFreshness::ForceFresh)
    }

    /// Whether the client takes something stale that is being revalidated for it.
    pub(crate) fn take_stale(&self) -> bool {
        !self.are_about_freshness()
    }
}

fn control(meta: &CacheMeta, targets: &[HeaderName]) -> Control {
    Control::of(meta.headers(), targets)
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// `Pragma` counts only where there is no `Cache-Control` (RFC 9111, 5.4).
fn has_pragma_no_cache(req: &RequestHeader) -> bool {
    let values = req.headers.get_all(header::PRAGMA);
    headers::tokens(values.iter()).any(|token| token.eq_ignore_ascii_case(b"no-cache"))
}

#[cfg(test)]
mod tests;
