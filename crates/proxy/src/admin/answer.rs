use http::{Response, StatusCode, header};

/// What an endpoint answers. Never cached by anybody.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Answer {
    pub(super) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<String>,
    ) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
        }
    }

    pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self::new(status, TEXT, body)
    }

    pub(super) fn json(status: StatusCode, body: impl Into<String>) -> Self {
        Self::new(status, JSON, body)
    }

    pub(super) fn not_found(body: &'static str) -> Self {
        Self::text(StatusCode::NOT_FOUND, body)
    }

    pub(super) fn method_not_allowed(body: &'static str) -> Self {
        Self::text(StatusCode::METHOD_NOT_ALLOWED, body)
    }

    pub(super) fn into_response(self) -> Response<Vec<u8>> {
        let body = self.body.into_bytes();
        let response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, self.content_type)
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CACHE_CONTROL, "no-store")
            .body(body);
        // A builder fails only for headers that cannot be; these can.
        response.unwrap_or_default()
    }
}
