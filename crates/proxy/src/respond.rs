//! Responses this proxy makes itself.

use bytes::Bytes;
use http::{StatusCode, header};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

/// A response of one small text.
pub(crate) struct Text {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    pub(crate) cache_status: Option<String>,
    pub(crate) retry_after: bool,
    /// The methods that are allowed.
    pub(crate) allow: Option<&'static str>,
}

impl Text {
    /// `body` gets a line end.
    pub(crate) fn new(status: StatusCode, body: impl Into<String>) -> Self {
        let mut body = body.into();
        body.push('\n');
        Self {
            status,
            body,
            cache_status: None,
            retry_after: false,
            allow: None,
        }
    }

    /// Sends it, if no other response was begun. After an error status, the connection is closed: what is left
    /// of the request's body is not worth reading.
    pub(crate) async fn send(self, session: &mut Session) -> Result<()> {
        if session.response_written().is_some() {
            return Ok(());
        }
        if !self.status.is_success() && self.status != StatusCode::NOT_FOUND {
            session.set_keepalive(None);
        }
        let mut response = ResponseHeader::build(self.status, Some(5))?;
        response.insert_header(header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
        response.insert_header(header::CONTENT_LENGTH, self.body.len())?;
        response.insert_header(header::CACHE_CONTROL, "no-store")?;
        if let Some(cache_status) = self.cache_status {
            response.insert_header("cache-status", cache_status)?;
        }
        if self.retry_after {
            response.insert_header(header::RETRY_AFTER, "1")?;
        }
        if let Some(allow) = self.allow {
            response.insert_header(header::ALLOW, allow)?;
        }
        session
            .write_response_header(Box::new(response), false)
            .await?;
        session
            .write_response_body(Some(Bytes::from(self.body)), true)
            .await
    }
}
