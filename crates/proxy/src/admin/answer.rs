use http::header::{self, HeaderName};
use http::{Response, StatusCode};

/// What an endpoint answers. Never cached by anybody.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// Try again in a second.
    pub(super) retry_after: bool,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What a browser may do with an answer: nothing but show the status page, which is of this listener alone.
const BROWSER: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

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
            retry_after: false,
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
        let mut response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, self.content_type)
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CACHE_CONTROL, "no-store");
        for (name, value) in BROWSER {
            response = response.header(name, value);
        }
        if self.retry_after {
            response = response.header(header::RETRY_AFTER, 1);
        }
        let response = response.body(body);
        // A builder fails only for headers that cannot be; these can.
        response.unwrap_or_default()
    }
}
