//! Why a request goes to the origin.

use http::Method;
use pingora::proxy::Session;

use crate::context::RequestContext;
use crate::status::Forward;

/// What the key of a request that found nothing says it looked for.
pub(super) fn miss(session: &Session) -> Forward {
    if session.cache.cache_key().get_variance_key().is_some() {
        Forward::VaryMiss
    } else {
        Forward::UriMiss
    }
}

/// Why `session`'s request has nothing to do with the cache.
pub(super) fn passes_by(session: &mut Session, ctx: &RequestContext) -> Option<Forward> {
    let method = &session.req_header().method;
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(Forward::Method);
    }
    if ctx.kept_out.is_some() {
        return Some(Forward::Bypass);
    }
    // The key says nothing of a body, and a protocol upgrade is no response.
    let has_body = !session.as_mut().is_body_empty();
    let is_special = has_body || session.is_upgrade_req() || ctx.demands.no_store;
    is_special.then_some(Forward::Request)
}
