//! What of an origin's responses is stored, and how long it is fresh.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use pingora::cache::{CacheMeta, NoCacheReason, RespCacheable};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::config::SetCookie;
use crate::control::Control;
use crate::rules::{Said, Terms};
use crate::{variants, vary};

use lifetime::{Lifetime, StaleWindows};
pub(crate) use received::Received;

mod lifetime;
mod received;

const AUTHORIZATION: &str = "authorization";

/// Whether the reason lies in one request, and says nothing of the next one for the same URL.
pub(crate) fn is_of_one_request(reason: &'static str) -> bool {
    reason == AUTHORIZATION || reason == vary::SELECTING_HEADERS || reason == variants::TOO_MANY
}

/// What is to become of a response.
pub(crate) struct Decision {
    pub(crate) cacheable: RespCacheable,
    /// Fields that are not stored with it, but which the client gets whose request it answers.
    pub(crate) withheld: HeaderMap,
}

/// Whether `response`, the answer to `req`, is stored, and for how long it is good. The reason, if it is not, is the
/// detail that `Cache-Status` gives.
pub(crate) fn decide(
    req: &RequestHeader,
    response: &ResponseHeader,
    received: &Received,
    terms: &Terms,
) -> Decision {
    let mut stored = response.clone();
    let mut control = Control::of(&response.headers, &terms.freshness.targets);
    if terms.is_forced() {
        control.overrule();
    }
    if terms.remove_set_cookie {
        stored.remove_header(&header::SET_COOKIE);
    }
    let withheld = take_out(&control, &mut stored);
    let cacheable = match judge(req, stored, &control, received, terms) {
        Ok(meta) => RespCacheable::Cacheable(meta),
        Err(reason) => RespCacheable::Uncacheable(NoCacheReason::Custom(reason)),
    };
    Decision {
        cacheable,
        withheld,
    }
}

/// What may not be reused without asking goes, with the age, which is said anew on every hit.
fn take_out(control: &Control, stored: &mut ResponseHeader) -> HeaderMap {
    let mut withheld = HeaderMap::new();
    for name in &control.withheld {
        for value in stored.headers.get_all(name) {
            withheld.append(name.clone(), value.clone());
        }
    }
    for name in withheld.keys() {
        stored.remove_header(name);
    }
    stored.remove_header(&header::AGE);
    withheld
}

fn judge(
    req: &RequestHeader,
    stored: ResponseHeader,
    control: &Control,
    received: &Received,
    terms: &Terms,
) -> Result<CacheMeta, &'static str> {
    permitted(req, &stored, control)?;
    if !received.is_framed {
        return Err("close-delimited");
    }
    if announced(&stored) > Some(terms.max_bytes) {
        return Err("too-large");
    }
    vary::check(&stored.headers, req, terms.max_vary, terms.personal)?;
    let lifetime = lifetime_by(terms, &stored, control, received).ok_or("no-lifetime")?;
    shareable(&stored, control, lifetime, terms.set_cookie)?;
    let stale = StaleWindows::of(control, &terms.freshness);
    let is_stale = received.age >= lifetime.fresh_for;
    if is_stale && !stale.is_explicit && !has_validator(&stored) {
        return Err("stale-on-arrival");
    }

    let made = before(received.at, received.age);
    // Pingora takes the very moment of expiry for fresh.
    let fresh_until = if lifetime.fresh_for.is_zero() {
        before(made, Duration::from_secs(1))
    } else {
        made.checked_add(lifetime.fresh_for).unwrap_or(made)
    };
    let (swr, sie) = (stale.while_revalidate, stale.if_error);
    let mut meta = CacheMeta::new(fresh_until, received.at, swr, sie, stored);
    if !received.age.is_zero() {
        meta.set_epoch_override(made);
    }
    Ok(meta)
}

/// What the origin says, or is assumed, as far as the rule of the request agrees.
fn lifetime_by(
    terms: &Terms,
    stored: &ResponseHeader,
    control: &Control,
    received: &Received,
) -> Option<Lifetime> {
    let said = Lifetime::of(stored, control, received, &terms.freshness);
    if control.no_cache {
        return said;
    }
    let is_explicit = said.is_some_and(|said| said.is_explicit);
    let fresh_for = terms.lifetime(
        stored.status,
        Said {
            lifetime: said.map(|said| said.fresh_for),
            is_explicit,
            may_be_assumed: control.public || lifetime::is_cacheable_by_default(stored.status),
        },
    )?;
    Some(Lifetime {
        fresh_for,
        is_explicit,
    })
}

fn announced(response: &ResponseHeader) -> Option<u64> {
    let len = response.headers.get(header::CONTENT_LENGTH)?;
    len.to_str().ok()?.parse().ok()
}

/// RFC 9111, section 3.
fn permitted(
    req: &RequestHeader,
    response: &ResponseHeader,
    control: &Control,
) -> Result<(), &'static str> {
    const UNSTORABLE: [StatusCode; 3] = [
        StatusCode::PARTIAL_CONTENT,
        StatusCode::NOT_MODIFIED,
        StatusCode::RANGE_NOT_SATISFIABLE,
    ];
    if response.status.is_informational() || UNSTORABLE.contains(&response.status) {
        return Err("status");
    }
    if control.must_understand {
        // It stands beside a `no-store` for those who do not know it (RFC 9111, 5.2.2.3).
        if !is_understood(response.status) {
            return Err("must-understand");
        }
    } else if control.no_store {
        return Err("no-store");
    }
    if control.private {
        return Err("private");
    }
    let is_authorized = req.headers.contains_key(header::AUTHORIZATION);
    if is_authorized && !control.shares_authorized() {
        return Err(AUTHORIZATION);
    }
    Ok(())
}

/// The final statuses of RFC 9110 whose caching needs nothing that is not done here.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 307 | 308 | 400..=415 | 417 | 421 | 422 | 426 | 500..=505
    )
}

/// A cookie is made for one client. Whoever wants it shared says how long the response is good (RFC 9111, 7.3), or has to
/// say more, if the operator wants that.
fn shareable(
    response: &ResponseHeader,
    control: &Control,
    lifetime: Lifetime,
    policy: SetCookie,
) -> Result<(), &'static str> {
    let is_meant_for_all = match policy {
        SetCookie::Explicit => lifetime.is_explicit,
        SetCookie::Public => control.public || control.s_maxage.is_some() || control.is_targeted,
    };
    let sets_cookie = response.headers.contains_key(header::SET_COOKIE);
    if sets_cookie && !is_meant_for_all {
        return Err("set-cookie");
    }
    Ok(())
}

fn has_validator(response: &ResponseHeader) -> bool {
    let headers = &response.headers;
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

fn before(moment: SystemTime, duration: Duration) -> SystemTime {
    moment
        .checked_sub(duration)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
