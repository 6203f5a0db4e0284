//! The log, and the metrics.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use terrace::Runtime;
use tracing_subscriber::EnvFilter;

use super::BoxError;

pub(super) fn log_to_stderr() {
    const QUIET: &str = "info,pingora_core=warn,pingora_proxy=warn,pingora_cache=error,pingora_load_balancing=error";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(QUIET));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // It fails only if there is a subscriber already; then that one gets the events.
    let _ = subscriber.try_init();
}

/// Buckets for requests: from a hit in memory to a download.
const REQUESTS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    30.0, 300.0,
];
/// Buckets for calls of tiers: from a look into memory to the longest deadline.
const CALLS: [f64; 18] = [
    0.000_000_5,
    0.000_001,
    0.000_002_5,
    0.000_01,
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    5.0,
    10.0,
];

pub(super) fn record_metrics() -> Result<PrometheusHandle, BoxError> {
    let of_calls = Matcher::Full("terrace_tier_operation_duration_seconds".to_owned());
    let others = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(of_calls, &CALLS)?
        .set_buckets_for_metric(others, &REQUESTS)?;
    Ok(builder.install_recorder()?)
}

/// Folds recorded values into histograms: unread, they would pile up.
pub(super) async fn keep_up(metrics: PrometheusHandle, runtime: Arc<dyn Runtime>) {
    loop {
        runtime.sleep(Duration::from_secs(5)).await;
        metrics.run_upkeep();
    }
}
