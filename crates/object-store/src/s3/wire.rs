//! Signed requests for what `object_store` has no call for.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{HeaderName, Method, header};
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpRequestBody, HttpResponseBody};
use object_store::path::Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use terrace_core::{Error, ErrorKind, Result, Retry, Runtime};

use crate::s3::answer::Answer;
use crate::s3::diagnosis::{of_code, of_status, of_transport};

/// How often a request is made.
const ATTEMPTS: u32 = 4;
/// Between the first and the second; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// No answer that is asked for here is longer.
const MAX_ANSWER: usize = 32 << 20;

/// What stands for itself in a query: the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The way to a bucket.
pub(crate) struct Wire {
    pub(crate) service: &'static str,
    pub(crate) http: HttpClient,
    pub(crate) credentials: AwsCredentialProvider,
    pub(crate) region: String,
    /// Without a slash at the end.
    pub(crate) bucket_url: String,
    pub(crate) runtime: Arc<dyn Runtime>,
}

/// A request that may be repeated.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    /// What it is for, in errors: "list the objects".
    pub(crate) purpose: &'static str,
    pub(crate) method: Method,
    /// An object; or the bucket itself.
    pub(crate) key: Option<&'a Path>,
    pub(crate) query: Vec<(&'static str, &'a str)>,
    pub(crate) headers: Vec<(HeaderName, &'a str)>,
    pub(crate) body: Bytes,
}

impl<'a> Request<'a> {
    pub(crate) fn new(purpose: &'static str, method: Method, key: Option<&'a Path>) -> Self {
        Self {
            purpose,
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Wire {
    /// What the server says to `request`, good or bad. Errors if it says nothing that can be understood, or, in spite of
    /// repetitions, only that it is in trouble.
    pub(crate) async fn send(&self, op: &'static str, request: &Request<'_>) -> Result<Answer> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.try_once(op, request).await {
                Err(error) if error.retry() == Retry::Later => {
                    tracing::debug!(%error, "asking again");
                    self.runtime.sleep(pause).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        self.try_once(op, request).await
    }

    /// The same, where anything but success is an error.
    pub(crate) async fn expect(&self, op: &'static str, request: &Request<'_>) -> Result<Answer> {
        let answer = self.send(op, request).await?;
        if answer.is_success() {
            return Ok(answer);
        }
        Err(self.refused(op, request.purpose, &answer))
    }

    /// What an answer means that is no success.
    pub(crate) fn refused(&self, op: &'static str, purpose: &str, answer: &Answer) -> Error {
        let refusal = answer.refusal();
        let (kind, advice) = of_code(&refusal.code).unwrap_or_else(|| of_status(answer.status));
        let region = refusal
            .region
            .as_deref()
            .or_else(|| answer.header("x-amz-bucket-region"));
        let mut said = format!("{}, {}", answer.status, refusal.code);
        if !refusal.message.is_empty() {
            let _ = write!(said, ": {}", refusal.message);
        }
        if let Some(region) = region.filter(|_| kind == ErrorKind::Invalid) {
            let _ = write!(said, "; it is {region}");
        }
        self.error(kind, op, purpose, advice).with_source(said)
    }

    /// An error that names the store.
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        op: &'static str,
        purpose: &str,
        advice: &str,
    ) -> Error {
        let Self {
            service,
            bucket_url,
            ..
        } = self;
        let message = format!("{service} at {bucket_url}: cannot {purpose}: {advice}");
        Error::new(kind, op, message)
    }

    async fn try_once(&self, op: &'static str, request: &Request<'_>) -> Result<Answer> {
        let broken = |error: HttpError| {
            let (kind, advice) = of_transport(error.kind());
            self.error(kind, op, request.purpose, advice)
                .with_source(error)
        };
        let signed = self.signed(op, request).await?;
        let response = self.http.execute(signed).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = match bounded(body).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                let what = "it answered more than was asked for";
                return Err(self.error(ErrorKind::Unsupported, op, request.purpose, what));
            }
            Err(error) => return Err(broken(error)),
        };
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        };
        let in_trouble = answer.status.is_server_error()
            || of_code(&answer.refusal().code)
                .is_some_and(|(kind, _)| kind == ErrorKind::Unavailable);
        // That the bucket is missing is worth an answer of its own.
        if !answer.is_success() && in_trouble && answer.refusal().code != "NoSuchBucket" {
            return Err(self.refused(op, request.purpose, &answer));
        }
        Ok(answer)
    }

    async fn signed(&self, op: &'static str, request: &Request<'_>) -> Result<HttpRequest> {
        let internal = |error: Box<dyn StdError + Send + Sync>| {
            self.error(ErrorKind::Internal, op, request.purpose, "see the cause")
                .with_source(error)
        };
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(self.url(request));
        for (name, value) in &request.headers {
            builder = builder.header(name, *value);
        }
        if request.method != Method::GET {
            builder = builder.header(header::CONTENT_LENGTH, request.body.len());
        }
        let body = HttpRequestBody::from(request.body.clone());
        let mut signed = builder.body(body).map_err(|error| internal(error.into()))?;
        let credential = self.credentials.get_credential().await.map_err(|error| {
            let advice = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give them in \
                          the configuration";
            self.error(ErrorKind::Denied, op, request.purpose, advice)
                .with_source(error)
        })?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut signed, None)
            .map_err(|error| internal(error.into()))?;
        Ok(signed)
    }

    fn url(&self, request: &Request<'_>) -> String {
        let mut url = self.bucket_url.clone();
        if let Some(key) = request.key {
            let _ = write!(url, "/{}", utf8_percent_encode(key.as_ref(), PATH));
        }
        for (number, (name, value)) in request.query.iter().enumerate() {
            let mark = if number == 0 { '?' } else { '&' };
            let _ = write!(url, "{mark}{name}={}", utf8_percent_encode(value, QUERY));
        }
        url
    }
}

/// The whole body; `None` if it is too long.
async fn bounded(body: HttpResponseBody) -> Result<Option<Bytes>, HttpError> {
    let mut whole = Vec::new();
    let mut pieces = body.bytes_stream();
    while let Some(piece) = pieces.try_next().await? {
        if whole.len() + piece.len() > MAX_ANSWER {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole.into()))
}
