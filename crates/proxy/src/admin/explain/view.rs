//! What an explanation tells, as it is written in JSON.

use std::time::Duration;

use http::header::{self, HeaderName};
use pingora::cache::CacheMeta;
use serde::Serialize;
use terrace_core::{Generation, Key, Meta, Peeked, Timestamp};
use terrace_pingora::decode_meta;
use terrace_tiers::{Inspected, Inspection, Seen, Underway};

use super::why;
use crate::decisions::Decision;

#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    pub(super) url: String,
    pub(super) now: String,
    /// The rule that holds; empty if none does.
    pub(super) rule: String,
    /// Why such a request passes by the cache, if it does.
    pub(super) passes_by: Option<&'static str>,
    /// The primary slot, and the variant that is selected, if that is another.
    pub(super) slots: Vec<Slot>,
    /// The last answer, if it is remembered.
    pub(super) last: Option<Last>,
}

#[derive(Debug, Serialize)]
pub(super) struct Slot {
    #[serde(rename = "slot")]
    pub(super) name: &'static str,
    pub(super) key: String,
    pub(super) in_progress: Option<Progress>,
    pub(super) tiers: Vec<TierView>,
}

#[derive(Debug, Serialize)]
pub(super) struct Progress {
    pub(super) generation: String,
    pub(super) received_bytes: u64,
    pub(super) length: Option<u64>,
    pub(super) state: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct TierView {
    pub(super) level: &'static str,
    pub(super) breaker: &'static str,
    /// `fresh`, `stale`, `nothing`, `not-asked`, `failed`.
    pub(super) state: &'static str,
    pub(super) error: Option<String>,
    pub(super) object: Option<Object>,
}

#[derive(Debug, Serialize)]
pub(super) struct Object {
    pub(super) generation: String,
    pub(super) length: Option<u64>,
    pub(super) stored_at: String,
    pub(super) fresh_until: String,
    /// Seconds; negative once it is stale.
    pub(super) ttl: i64,
    pub(super) soft_purged_at: Option<String>,
    /// Until when it may be of any use.
    pub(super) stale_until: String,
    pub(super) tags: Vec<String>,
    /// `None` if the bridge cannot read the metadata: to requests it is a miss.
    pub(super) response: Option<Response>,
}

/// What the stored header says of caching; no other field, for they may carry secrets (promise P11).
#[derive(Debug, Serialize)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) stale_while_revalidate_seconds: u32,
    pub(super) stale_if_error_seconds: u32,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) vary: Option<String>,
    pub(super) content_type: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Last {
    pub(super) at: String,
    pub(super) slot: &'static str,
    pub(super) outcome: &'static str,
    pub(super) cache_status: Option<String>,
    pub(super) reason: Option<&'static str>,
    pub(super) why: &'static str,
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
}

impl Slot {
    pub(super) fn new(name: &'static str, key: &Key, found: Inspection, now: Timestamp) -> Self {
        let tiers = found.tiers.into_iter();
        Self {
            name,
            key: key.to_string(),
            in_progress: found.in_progress.as_ref().map(Progress::new),
            tiers: tiers.map(|tier| TierView::new(tier, now)).collect(),
        }
    }
}

impl Progress {
    fn new(body: &Underway) -> Self {
        Self {
            generation: body.generation.to_string(),
            received_bytes: body.received,
            length: body.len,
            state: if body.is_complete {
                "committing"
            } else {
                "arriving"
            },
        }
    }
}

impl TierView {
    fn new(tier: Inspected, now: Timestamp) -> Self {
        let (state, error, object) = match tier.found {
            Seen::Held(held) => {
                let is_fresh =
                    held.meta.fresh_until >= now && held.expired_at.is_none_or(|at| at > now);
                let state = if is_fresh { "fresh" } else { "stale" };
                (state, None, Some(Object::new(&held, now)))
            }
            Seen::Nothing => ("nothing", None, None),
            Seen::NotAsked => ("not-asked", None, None),
            Seen::Failed(error) => ("failed", Some(error.to_string()), None),
        };
        Self {
            level: tier.level.as_str(),
            breaker: tier.breaker.as_str(),
            state,
            error,
            object,
        }
    }
}

impl Object {
    fn new(held: &Peeked, now: Timestamp) -> Self {
        let Peeked {
            generation,
            meta,
            expired_at,
            len,
        } = held;
        let decoded = decode_meta(meta, *expired_at).ok();
        Self {
            generation: Generation::to_string(generation),
            length: *len,
            stored_at: time(meta.updated),
            fresh_until: time(meta.fresh_until),
            ttl: seconds_left(meta, now),
            soft_purged_at: expired_at.map(time),
            stale_until: time(meta.stale_until),
            tags: meta.tags.iter().map(ToString::to_string).collect(),
            response: decoded.as_ref().map(Response::new),
        }
    }
}

impl Response {
    fn new(meta: &CacheMeta) -> Self {
        let field = |name: HeaderName| {
            let values = meta.headers().get_all(name).iter();
            let values: Vec<_> = values
                .map(|it| String::from_utf8_lossy(it.as_bytes()))
                .collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        Self {
            status: meta.response_header().status.as_u16(),
            stale_while_revalidate_seconds: meta.stale_while_revalidate_sec(),
            stale_if_error_seconds: meta.stale_if_error_sec(),
            etag: field(header::ETAG),
            last_modified: field(header::LAST_MODIFIED),
            cache_control: field(header::CACHE_CONTROL),
            vary: field(header::VARY),
            content_type: field(header::CONTENT_TYPE),
        }
    }
}

impl Last {
    pub(super) fn new(decision: &Decision, name: &str, primary: &Key) -> Self {
        let report = decision.report.as_ref();
        let reason = report.and_then(|report| report.refused);
        Self {
            at: time(decision.at),
            slot: if decision.key == *primary {
                "primary"
            } else {
                "variant"
            },
            outcome: decision.outcome,
            cache_status: report.map(|it| it.cache_status(name, decision.at)),
            reason,
            why: why::of(decision.outcome, reason),
            status: decision.status,
            bytes: decision.bytes,
            seconds: Duration::as_secs_f64(&decision.took),
        }
    }
}

pub(super) fn time(at: Timestamp) -> String {
    // A moment that no calendar has, far in the future.
    const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_999);
    humantime::format_rfc3339_millis(at.min(LAST).into()).to_string()
}

fn seconds_left(meta: &Meta, now: Timestamp) -> i64 {
    let millis = |it: Timestamp| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
    millis(meta.fresh_until).saturating_sub(millis(now)) / 1000
}
