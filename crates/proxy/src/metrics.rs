//! Counters and histograms. Handles are made once: looking one up by name would cost more than a hit.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use pingora::ErrorType;
use terrace_core::Level;
use terrace_tiers::Source;

use crate::done::{Done, End};
use crate::purge;
use crate::status::{Report, Served};

const REQUESTS: &str = "terrace_proxy_requests_total";
const INVALIDATIONS: &str = "terrace_proxy_invalidations_total";
const PURGES: &str = "terrace_proxy_purges_total";
const RESCUES: &str = "terrace_proxy_rescues_total";
const UPSTREAM_ERRORS: &str = "terrace_proxy_upstream_errors_total";

pub(crate) struct Metrics {
    hits: [Counter; Level::ALL.len()],
    stale_hits: [Counter; Level::ALL.len()],
    collapsed: Counter,
    revalidated: Counter,
    stale_on_error: Counter,
    stored: Counter,
    passed: Counter,
    generated: Counter,
    purges: Counter,
    errors: Counter,
    aborted: Counter,
    bytes: Counter,
    from_cache: Histogram,
    from_origin: Histogram,
    background: Counter,
    upstream_retries: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        describe();
        show_zeros();
        let outcome = |outcome| counter!(REQUESTS, "outcome" => outcome, "tier" => "none");
        let in_tier = |outcome: &'static str| {
            Level::ALL
                .map(|level| counter!(REQUESTS, "outcome" => outcome, "tier" => level.as_str()))
        };
        let seconds =
            |served| histogram!("terrace_proxy_request_duration_seconds", "served" => served);
        Self {
            hits: in_tier("hit"),
            stale_hits: in_tier("stale"),
            collapsed: outcome("collapsed"),
            revalidated: outcome("revalidated"),
            stale_on_error: outcome("stale_on_error"),
            stored: outcome("miss"),
            passed: outcome("pass"),
            generated: outcome("generated"),
            purges: outcome("purge"),
            errors: outcome("error"),
            aborted: outcome("aborted"),
            bytes: counter!("terrace_proxy_response_bytes_total"),
            from_cache: seconds("cache"),
            from_origin: seconds("origin"),
            background: counter!("terrace_proxy_background_revalidations_total"),
            upstream_retries: counter!("terrace_proxy_upstream_retries_total"),
        }
    }

    /// A request is over that a client made.
    pub(crate) fn served(&self, report: &Report, done: &Done<'_>) {
        self.outcome(report).increment(1);
        self.bytes.increment(done.bytes);
        let histogram = match report.served {
            Served::Hit { .. } | Served::Collapsed => Some(&self.from_cache),
            Served::Generated => None,
            Served::Revalidated | Served::StaleOnError | Served::Origin => Some(&self.from_origin),
        };
        if let Some(histogram) = histogram {
            histogram.record(done.took.as_secs_f64());
        }
    }

    fn outcome(&self, report: &Report) -> &Counter {
        let level = match report.source {
            Some(Source::Tier(level)) => level,
            Some(Source::Filling) | None => Level::L0,
        };
        match report.served {
            Served::Hit { stale: false } => &self.hits[level.index()],
            Served::Hit { stale: true } => &self.stale_hits[level.index()],
            Served::Collapsed => &self.collapsed,
            Served::Revalidated => &self.revalidated,
            Served::StaleOnError => &self.stale_on_error,
            Served::Origin if report.stored => &self.stored,
            Served::Origin => &self.passed,
            Served::Generated => &self.generated,
        }
    }

    /// A request is over whose response was cut short: by the client, or else by an error.
    pub(crate) fn failed(&self, done: &Done<'_>) {
        let counter = if done.end == End::ClientLeft {
            &self.aborted
        } else {
            &self.errors
        };
        counter.increment(1);
        self.bytes.increment(done.bytes);
    }

    /// A stored response was revalidated behind a client's back.
    pub(crate) fn revalidated_in_background(&self) {
        self.background.increment(1);
    }

    /// A request is sent to an upstream once more, because the one before failed.
    pub(crate) fn upstream_retried(&self) {
        self.upstream_retries.increment(1);
    }

    /// A `PURGE` was answered. `outcome` is one of a fixed few.
    pub(crate) fn purged(&self, outcome: &'static str) {
        self.purges.increment(1);
        purged(outcome);
    }
}

/// A purge ended, by whichever way it was asked for.
pub(crate) fn purged(outcome: &'static str) {
    counter!(PURGES, "outcome" => outcome).increment(1);
}

/// Says what they are, for the `HELP` lines of an exporter.
fn describe() {
    describe_counter!(REQUESTS, "Requests of clients, by what became of them");
    describe_histogram!(
        "terrace_proxy_request_duration_seconds",
        Unit::Seconds,
        "From the header read to the last byte written"
    );
    describe_counter!(
        "terrace_proxy_response_bytes_total",
        Unit::Bytes,
        "Body bytes sent to clients"
    );
    describe_gauge!("terrace_proxy_requests_in_flight", "Requests being served");
    describe_counter!(
        "terrace_proxy_background_revalidations_total",
        "Revalidations behind a client's back"
    );
    describe_counter!(
        UPSTREAM_ERRORS,
        "Connections and responses of the origin that failed"
    );
    describe_counter!(
        RESCUES,
        "Hits continued from the origin because every tier failed"
    );
    describe_counter!(
        "terrace_proxy_upstream_retries_total",
        "Requests sent to an upstream once more"
    );
    describe_gauge!(
        "terrace_proxy_upstream_healthy",
        "1 while a server gets requests, 0 while it is left out"
    );
    describe_counter!(PURGES, "PURGE requests");
    describe_counter!(
        INVALIDATIONS,
        "URLs purged because an unsafe request changed them"
    );
}

/// Counts nothing under the names that matter: what begins at one, and not at zero, seems never to have changed.
fn show_zeros() {
    for outcome in purge::OUTCOMES {
        counter!(PURGES, "outcome" => outcome).increment(0);
    }
    for outcome in ["continued", "refused"] {
        counter!(RESCUES, "outcome" => outcome).increment(0);
    }
    for outcome in ["done", "failed"] {
        counter!(INVALIDATIONS, "outcome" => outcome).increment(0);
    }
    let errors = [
        ErrorType::ConnectTimedout,
        ErrorType::ConnectRefused,
        ErrorType::ConnectionClosed,
        ErrorType::ReadTimedout,
    ];
    for error in errors {
        counter!(UPSTREAM_ERRORS, "kind" => error.as_str()).increment(0);
    }
}

/// How many requests are being served.
pub(crate) fn in_flight() -> Gauge {
    gauge!("terrace_proxy_requests_in_flight")
}

/// The upstream could not be reached, or did not keep up. `kind` is the name of an error type.
pub(crate) fn upstream_failed(kind: &'static str) {
    counter!(UPSTREAM_ERRORS, "kind" => kind).increment(1);
}

/// The origin was asked for the rest of a hit's body. `outcome` is one of a fixed few.
pub(crate) fn rescued(outcome: &'static str) {
    counter!(RESCUES, "outcome" => outcome).increment(1);
}

/// An unsafe request had what is stored for a URL removed. `outcome` is one of a fixed few.
pub(crate) fn invalidated(outcome: &'static str) {
    counter!(INVALIDATIONS, "outcome" => outcome).increment(1);
}
