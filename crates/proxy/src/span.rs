//! What tracing tells of a request.

use pingora::http::RequestHeader;
use tracing::Span;
use tracing::field::{Empty, debug, display};

use crate::done::Done;
use crate::key;

/// The target of the request's span: `RUST_LOG=info,terrace::request=debug` shows it.
const TARGET: &str = "terrace::request";
/// The most bytes of a path.
const MAX_PATH: usize = 256;

/// The span of one request; costs a look at a flag unless somebody listens. The path goes in without its query, which may carry
/// a secret (promise P11).
pub(crate) fn of(req: &RequestHeader, background: bool) -> Span {
    if !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        return Span::none();
    }
    let path = req.raw_path();
    let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    let path = String::from_utf8_lossy(&path[..path.len().min(MAX_PATH)]);
    let host = String::from_utf8_lossy(key::authority(req));
    tracing::debug_span!(
        target: TARGET, "request", method = %req.method, host = ?host, path = ?path, background,
        outcome = Empty, tier = Empty, reason = Empty, generation = Empty, status = Empty, bytes = Empty,
        duration = Empty
    )
}

/// Notes how it ended, and says so in an event.
pub(crate) fn end(span: &Span, done: &Done<'_>) {
    if span.is_disabled() {
        return;
    }
    span.record("outcome", done.outcome);
    span.record("tier", done.tier());
    span.record("reason", done.reason());
    span.record("generation", done.generation().map(display));
    span.record("status", done.status);
    span.record("bytes", done.bytes);
    span.record("duration", debug(done.took));
    tracing::debug!(target: TARGET, parent: span, "done");
}
