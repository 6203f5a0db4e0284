//! Interim responses (RFC 9110, section 15.2), on their way to the client.

use std::time::Duration;

use http::{StatusCode, Version, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};

/// Sends `interim` to the client now, where Pingora might lose it.
///
/// What Pingora 0.9.1 reads in one go it handles in one go: once the final header of a response that is being stored is
/// among it, all that was to be sent is dropped, because the client is served from the cache from then on
/// (`proxy_h1.rs`, `process_upstream_tasks`: `if !serve_from_cache.should_send_to_downstream()`). So each interim
/// response is written where it is seen first, and Pingora's own turn at it is silenced.
///
/// A client that is gone is left to be found out by the final response: what is being stored goes on. One that takes
/// longer than `patience` is an error.
pub(crate) async fn relay(
    session: &mut Session,
    interim: &ResponseHeader,
    patience: Duration,
) -> Result<()> {
    let is_background = session.subrequest_ctx.is_some();
    // 101 is final, and a 100 that the client waits for goes to a request whose response is not stored.
    let is_expected = interim.status == StatusCode::CONTINUE
        && session.req_header().headers.contains_key(header::EXPECT);
    if is_background || interim.status == StatusCode::SWITCHING_PROTOCOLS || is_expected {
        return Ok(());
    }
    // HTTP/1.0 does not know them (RFC 9110, section 15.2).
    let is_understood = session.req_header().version >= Version::HTTP_11;
    // Towards HTTP/2 clients Pingora sends them itself, or not at all.
    let ServerSession::H1(client) = session.as_downstream_mut() else {
        return Ok(());
    };
    if is_understood {
        client.set_ignore_info_resp(false);
        let written = client.write_response_header(Box::new(interim.clone()));
        let Ok(written) = tokio::time::timeout(patience, written).await else {
            let message = "the client does not take an interim response";
            return Err(Error::explain(ErrorType::WriteTimedout, message).into_down());
        };
        if let Err(error) = written {
            tracing::debug!(%error, "the client left before an interim response");
        }
    }
    client.set_ignore_info_resp(true);
    Ok(())
}
