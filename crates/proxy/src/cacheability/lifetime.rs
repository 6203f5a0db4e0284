//! For how long a response is good.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use pingora::http::ResponseHeader;

use super::Received;
use crate::config::Freshness;
use crate::control::seconds::Seconds;
use crate::control::{Control, first};
use crate::{date, headers};

/// A lifetime, counted from when the response was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) fresh_for: Duration,
    /// The origin said it, this cache did not assume it.
    pub(super) is_explicit: bool,
}

impl Lifetime {
    /// The first there is: of the directives, `Expires`, the operator's for its status, one guessed from
    /// `Last-Modified`, the operator's for all.
    pub(super) fn of(
        response: &ResponseHeader,
        control: &Control,
        received: &Received,
        freshness: &Freshness,
    ) -> Option<Self> {
        let expires = || expires(&response.headers, received);
        let explicit = control.lifetime().map(|it| Duration::from_secs(it.into()));
        let explicit = explicit.or_else(|| (!control.is_targeted).then(expires).flatten());
        if let Some(fresh_for) = explicit {
            return Some(Self {
                fresh_for,
                is_explicit: true,
            });
        }
        let of_status = freshness.by_status.get(&response.status.as_u16()).copied();
        let may_be_assumed = control.public || is_cacheable_by_default(response.status);
        let assumed = || {
            let guessed = guessed(&response.headers, received, freshness);
            guessed.or(freshness.default_ttl)
        };
        let fresh_for = of_status.or_else(|| may_be_assumed.then(assumed).flatten())?;
        Some(Self {
            fresh_for,
            is_explicit: false,
        })
    }
}

/// RFC 9111, 5.3: what is no date is in the past. Both dates are by the origin's clock, which may be wrong.
fn expires(headers: &HeaderMap, received: &Received) -> Option<Duration> {
    let expires = first(headers, &header::EXPIRES)?;
    let until = date::parse(expires.as_bytes(), received.at);
    let lifetime = until.and_then(|until| until.duration_since(received.date).ok());
    Some(lifetime.unwrap_or_default())
}

/// RFC 9111, 4.2.2: what has not changed for long will probably not change soon.
fn guessed(fields: &HeaderMap, received: &Received, freshness: &Freshness) -> Option<Duration> {
    // Who says so to a client has thought of caches, if only of old ones.
    let mut pragma = headers::tokens(fields.get_all(header::PRAGMA).iter());
    if pragma.any(|token| token.eq_ignore_ascii_case(b"no-cache")) {
        return None;
    }
    let modified = first(fields, &header::LAST_MODIFIED)?;
    let modified = date::parse(modified.as_bytes(), received.at)?;
    let unchanged_for = received.date.duration_since(modified).ok()?;
    let guess = unchanged_for / 100 * u32::from(freshness.heuristic_percent);
    Some(guess.min(freshness.heuristic_max)).filter(|it| !it.is_zero())
}

/// RFC 9110, 15.1; without 206.
pub(super) fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Seconds for which a stale response may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StaleWindows {
    /// While it is revalidated.
    pub(super) while_revalidate: u32,
    /// Because the origin fails.
    pub(super) if_error: u32,
    /// The origin allows one of them, this cache did not assume it.
    pub(super) is_explicit: bool,
}

impl StaleWindows {
    /// RFC 5861, and RFC 9111, 4.2.4.
    pub(super) fn of(control: &Control, freshness: &Freshness) -> Self {
        if control.forbids_stale() {
            return Self {
                while_revalidate: 0,
                if_error: 0,
                is_explicit: false,
            };
        }
        let while_revalidate = control.stale_while_revalidate.map(Seconds::or_zero);
        let if_error = control.stale_if_error.map(Seconds::or_zero);
        Self {
            is_explicit: while_revalidate.or(if_error).is_some(),
            while_revalidate: while_revalidate
                .unwrap_or_else(|| whole(freshness.stale_while_revalidate)),
            if_error: if_error.unwrap_or_else(|| whole(freshness.stale_if_error)),
        }
    }
}

fn whole(window: Duration) -> u32 {
    u32::try_from(window.as_secs()).unwrap_or(Seconds::MAX)
}
