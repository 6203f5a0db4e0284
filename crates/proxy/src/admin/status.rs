//! `/status.json`: what the status page shows, for other programs as well.
//!
//! Its schema only grows while `schema` stays the same.

use http::StatusCode;
use serde::Serialize;
use terrace_core::Level;
use terrace_tiers::{BreakerState, LaneCounts, Stack, TierSnapshot};

use super::answer::Answer;
use super::{Admin, Asked};
use crate::insight::Insight;
use crate::stats::{Ending, History, Ranking, Sample, Since};

/// Objects in each ranking.
const TOP: usize = 12;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    name: &'a str,
    version: &'a str,
    now_ms: u64,
    uptime_ms: u64,
    status: &'static str,
    in_flight: usize,
    /// Since the start, by how they ended.
    requests: ByEnding,
    bytes: ByEnding,
    tiers: Vec<Tier>,
    in_progress: InProgress,
    upstreams: Vec<Upstream<'a>>,
    top: Top,
    purge: Purge,
    history: Past,
}

#[derive(Serialize)]
struct Tier {
    level: &'static str,
    role: &'static str,
    breaker: &'static str,
    usage: Usage,
    hits: u64,
    misses: u64,
    served_bytes: u64,
    errors: u64,
    timeouts: u64,
    corrupt: u64,
    rejected: u64,
    failovers: u64,
    fills: Lanes,
    promotions: Lanes,
}

#[derive(Serialize)]
struct Usage {
    objects: Option<u64>,
    bytes: Option<u64>,
    limit_bytes: Option<u64>,
    evictions: Option<u64>,
}

#[derive(Serialize)]
struct Lanes {
    active: u64,
    committed: u64,
    fenced: u64,
    failed: u64,
    aborted: u64,
    oversize: u64,
    lagged: u64,
    no_memory: u64,
}

#[derive(Serialize, Default)]
struct InProgress {
    bodies: usize,
    memory_bytes: usize,
    memory_limit_bytes: usize,
}

#[derive(Serialize)]
struct Upstream<'a> {
    group: &'a str,
    address: String,
    /// `null` before its name is resolved.
    healthy: Option<bool>,
}

#[derive(Serialize)]
struct Top {
    requests: Ranked,
    bytes: Ranked,
}

#[derive(Serialize)]
struct Ranked {
    total: u64,
    heaviest: Vec<Object>,
}

#[derive(Serialize)]
struct Object {
    url: String,
    /// The end of the URL was left out.
    cut: bool,
    weight: u64,
}

#[derive(Serialize)]
struct Purge {
    /// Whether a token is configured: `none`, `accepted`, or `required` of whoever asks.
    token: &'static str,
}

#[derive(Serialize)]
struct Past {
    columns: [&'static str; COLUMNS.len()],
    seconds: Steps,
    tens: Steps,
}

/// Samples of equal steps, oldest first.
#[derive(Serialize)]
struct Steps {
    every_ms: u64,
    /// How many are kept at most.
    keep: usize,
    /// The number of the first row, counted from the start of the process.
    first: u64,
    rows: Vec<[Option<u64>; COLUMNS.len()]>,
}

const COLUMNS: [&str; 20] = [
    "span_ms",
    "hit",
    "stale",
    "collapsed",
    "revalidated",
    "stale_on_error",
    "miss",
    "pass",
    "error",
    "aborted",
    "bytes_cache",
    "bytes_origin",
    "p50_cache_us",
    "p99_cache_us",
    "p50_origin_us",
    "p99_origin_us",
    "hit_L0",
    "hit_L1",
    "hit_L2",
    "hit_L3",
];

struct ByEnding([u64; Ending::ALL.len()]);

pub(super) fn answer(admin: &Admin, asked: &Asked<'_>, insight: &Insight) -> Answer {
    let query = asked.req.uri.query().unwrap_or_default();
    let document = document(admin, asked, insight, query);
    match serde_json::to_string(&document) {
        Ok(body) => Answer::json(StatusCode::OK, body),
        Err(error) => {
            tracing::error!(%error, "the status cannot be written as JSON");
            let body = "the status cannot be written as JSON; the log tells why\n";
            Answer::text(StatusCode::INTERNAL_SERVER_ERROR, body)
        }
    }
}

fn document<'a>(
    admin: &Admin,
    asked: &Asked<'_>,
    insight: &'a Insight,
    query: &str,
) -> Document<'a> {
    let (config, stats) = (insight.config(), insight.stats());
    let snapshot = admin.storage.stack().map(Stack::snapshot);
    let is_well = |tier: &TierSnapshot| tier.breaker == BreakerState::Closed;
    let health = match &snapshot {
        None => "starting",
        Some(snapshot) if snapshot.tiers.iter().all(is_well) => "ok",
        Some(_) => "degraded",
    };
    let in_progress = snapshot.as_ref().map(|snapshot| InProgress {
        bodies: snapshot.in_progress,
        memory_bytes: snapshot.memory_bytes,
        memory_limit_bytes: snapshot.memory_limit_bytes,
    });
    let totals = stats.totals();
    let [requests, bytes] = stats.top().rankings(TOP).map(Ranked::from);
    let permitted = crate::purge::permits(&config.purge, asked.peer, asked.req);
    let history = stats.history();
    let [keep_seconds, keep_tens] = History::KEPT;
    Document {
        schema: 1,
        name: &config.name,
        version: env!("CARGO_PKG_VERSION"),
        now_ms: config.clock.now().as_millis(),
        uptime_ms: u64::try_from(stats.uptime().as_millis()).unwrap_or(u64::MAX),
        status: health,
        in_flight: insight.in_flight().count(),
        requests: ByEnding(totals.requests),
        bytes: ByEnding(totals.bytes),
        tiers: snapshot.map_or_else(Vec::new, |it| {
            it.tiers.into_iter().map(Tier::from).collect()
        }),
        in_progress: in_progress.unwrap_or_default(),
        upstreams: upstreams(insight),
        top: Top { requests, bytes },
        purge: Purge {
            token: match (&config.purge.token, permitted) {
                (None, _) => "none",
                (Some(_), true) => "accepted",
                (Some(_), false) => "required",
            },
        },
        history: Past {
            columns: COLUMNS,
            seconds: Steps::new(
                1000,
                keep_seconds,
                &history.seconds(number(query, "seconds")),
            ),
            tens: Steps::new(10_000, keep_tens, &history.tens(number(query, "tens"))),
        },
    }
}

fn upstreams(insight: &Insight) -> Vec<Upstream<'_>> {
    let health = insight.groups().health();
    let told = health.map(|(group, server, healthy)| Upstream {
        group,
        address: server.to_string(),
        healthy,
    });
    told.collect()
}

/// The number named `name` in a query; 0 if there is none.
fn number(query: &str, name: &str) -> u64 {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(it, _)| *it == name);
    named
        .next()
        .and_then(|(_, number)| number.parse().ok())
        .unwrap_or(0)
}

impl Serialize for ByEnding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = Ending::ALL.map(Ending::as_str);
        serializer.collect_map(names.into_iter().zip(self.0))
    }
}

impl From<TierSnapshot> for Tier {
    fn from(tier: TierSnapshot) -> Self {
        let TierSnapshot { level, usage, .. } = tier;
        Self {
            level: level.as_str(),
            role: match level {
                Level::L0 => "memory",
                Level::L1 => "shared memory",
                Level::L2 => "local disk",
                Level::L3 => "durable",
            },
            breaker: tier.breaker.as_str(),
            usage: Usage {
                objects: usage.objects,
                bytes: usage.bytes,
                limit_bytes: usage.capacity_bytes,
                evictions: usage.evictions,
            },
            hits: tier.hits,
            misses: tier.misses,
            served_bytes: tier.served_bytes,
            errors: tier.errors,
            timeouts: tier.timeouts,
            corrupt: tier.corrupt,
            rejected: tier.rejected,
            failovers: tier.failovers,
            fills: tier.fills.into(),
            promotions: tier.promotions.into(),
        }
    }
}

impl From<LaneCounts> for Lanes {
    fn from(counts: LaneCounts) -> Self {
        let LaneCounts {
            active,
            committed,
            fenced,
            failed,
            aborted,
            oversize,
            lagged,
            no_memory,
        } = counts;
        Self {
            active,
            committed,
            fenced,
            failed,
            aborted,
            oversize,
            lagged,
            no_memory,
        }
    }
}

impl From<Ranking> for Ranked {
    fn from(ranking: Ranking) -> Self {
        let heaviest = ranking.heaviest.into_iter().map(|heavy| Object {
            url: heavy.name,
            cut: heavy.is_cut,
            weight: heavy.weight,
        });
        Self {
            total: ranking.total,
            heaviest: heaviest.collect(),
        }
    }
}

impl Steps {
    fn new(every_ms: u64, keep: usize, since: &Since) -> Self {
        Self {
            every_ms,
            keep,
            first: since.first,
            rows: since.samples.iter().map(row).collect(),
        }
    }
}

/// A sample in the order of [`COLUMNS`].
fn row(sample: &Sample) -> [Option<u64>; COLUMNS.len()] {
    let of = |ending: Ending| Some(sample.requests[ending as usize]);
    let ([p50_cache, p99_cache], [p50_origin, p99_origin]) = (sample.cache, sample.origin);
    let [l0, l1, l2, l3] = sample.hits.map(Some);
    [
        Some(sample.span),
        of(Ending::Hit),
        of(Ending::Stale),
        of(Ending::Collapsed),
        of(Ending::Revalidated),
        of(Ending::StaleOnError),
        of(Ending::Miss),
        of(Ending::Pass),
        of(Ending::Error),
        of(Ending::Aborted),
        Some(sample.bytes_from_cache),
        Some(sample.bytes_from_origin),
        p50_cache,
        p99_cache,
        p50_origin,
        p99_origin,
        l0,
        l1,
        l2,
        l3,
    ]
}

#[cfg(test)]
mod tests;
