use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use http::{HeaderValue, Method, StatusCode, Version, header};
use pingora::cache::HitHandler;
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use terrace_core::{Error, ErrorKind, ReadBody, Result};
use terrace_pingora::HitReader;
use terrace_tiers::Rescue;

use crate::CachingProxy;
use crate::config::ProxyConfig;
use crate::forwarding::Asker;
use crate::headers;
use crate::metrics;
use crate::upstream::{self, Pool};

/// The origin as another source for the rest of a hit's body, when every tier has failed in the middle of it.
///
/// What it answers need not be what is stored: the reader verifies it against the stored checksums. The conditions here
/// only make it likely.
pub(crate) struct OriginRescue {
    pool: Arc<Pool>,
    connector: Arc<Connector>,
    /// What the client asked, without what concerned its connection, its conditions and its ranges.
    request: RequestHeader,
    /// The stored entity tag, if it is strong.
    etag: Option<HeaderValue>,
}

impl CachingProxy {
    /// Lets the origin continue a hit that some tier may fail to deliver. What is in memory is not one of them, and
    /// does not pay for it.
    pub(crate) fn offer_rescue(
        &self,
        pool: &Arc<Pool>,
        asked: &RequestHeader,
        from: Asker,
        stored: &ResponseHeader,
        handler: &mut HitHandler,
    ) {
        let reader = HitReader::of(handler).filter(|reader| reader.can_fail());
        if let (Some(reader), &Method::GET) = (reader, &asked.method) {
            let (connector, config) = (&self.connector, &*self.config);
            let rescue = OriginRescue::new(pool, connector, (asked, from), stored, config);
            reader.set_rescue(Arc::new(rescue));
        }
    }
}

impl OriginRescue {
    pub(crate) fn new(
        pool: &Arc<Pool>,
        connector: &Arc<Connector>,
        (asked, from): (&RequestHeader, Asker),
        stored: &ResponseHeader,
        config: &ProxyConfig,
    ) -> Self {
        let mut request = asked.clone();
        let received_as = request.version;
        headers::strip_request(&mut request);
        request.set_version(Version::HTTP_11);
        // A request of HTTP/2 has its host in the target.
        let authority = asked.uri.authority().map(|it| it.as_str().to_owned());
        if let (Some(host), false) = (authority, request.headers.contains_key(header::HOST)) {
            let _ = request.insert_header(header::HOST, host);
        }
        // Without them the origin only gets a message less; they cannot fail for values we made.
        let _ = config.forwarding.tell(&mut request, from);
        let _ = headers::append_request_via(&mut request, received_as, &config.name);
        let etag = stored.headers.get(header::ETAG);
        Self {
            pool: Arc::clone(pool),
            connector: Arc::clone(connector),
            request,
            etag: etag
                .filter(|tag| tag.as_bytes().starts_with(b"\""))
                .cloned(),
        }
    }

    async fn ask(&self, range: &Range<u64>, len: u64) -> Result<OriginBody> {
        let unreachable = |error: Box<pingora::Error>| {
            Error::new(
                ErrorKind::Unavailable,
                "rescue.ask",
                "the origin cannot be asked",
            )
            .with_source(error)
        };
        let request = self.request(range).map_err(unreachable)?;
        let session = self.session(&request).await.map_err(unreachable)?;
        let answered = session.response_header();
        let skip = answered.and_then(|answer| bytes_to_skip(answer, range, len));
        let skip = skip.ok_or_else(|| {
            let message = format!(
                "the origin answered {} instead of the rest of the body",
                answered.map_or(0, |answer| answer.status.as_u16())
            );
            Error::new(ErrorKind::Unavailable, "rescue.ask", message)
        })?;
        Ok(OriginBody {
            session,
            skip,
            left: range.end - range.start,
        })
    }

    /// The answer of the first server that gives one.
    async fn session(&self, request: &RequestHeader) -> pingora::Result<HttpSession> {
        let settings = self.pool.settings();
        let mut tried = Vec::new();
        loop {
            let member = self.pool.pick(request.raw_path(), &tried).await?;
            let mut request = request.clone();
            if let Some(host) = member.host(&settings.host) {
                request.insert_header(header::HOST, host)?;
            }
            match upstream::ask(&self.connector, &member.peer(), request).await {
                Ok(session) => {
                    member.succeeded();
                    return Ok(session);
                }
                Err(error) => {
                    member.failed(&error);
                    tried.push(member.address());
                    if tried.len() >= settings.tries || !self.pool.has_other_than(&tried) {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn request(&self, range: &Range<u64>) -> pingora::Result<RequestHeader> {
        let mut request = self.request.clone();
        request.set_method(Method::GET);
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        request.insert_header(header::RANGE, bytes)?;
        if let Some(etag) = &self.etag {
            request.insert_header(header::IF_RANGE, etag)?;
        }
        Ok(request)
    }
}

#[async_trait]
impl Rescue for OriginRescue {
    async fn resume(&self, range: Range<u64>, len: u64) -> Result<Box<dyn ReadBody>> {
        if range.is_empty() {
            let message = "there is nothing left to be continued";
            return Err(Error::new(ErrorKind::Invalid, "rescue.ask", message));
        }
        match self.ask(&range, len).await {
            Ok(body) => {
                metrics::rescued("continued");
                tracing::warn!(
                    from = range.start,
                    len,
                    "no tier could go on with a body: the origin does"
                );
                Ok(Box::new(body))
            }
            Err(error) => {
                metrics::rescued("refused");
                Err(error)
            }
        }
    }
}

impl fmt::Debug for OriginRescue {
    /// Leaves the request out: its headers may carry a secret (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginRescue").finish_non_exhaustive()
    }
}

/// How many bytes of the answer come before the first one wanted; `None` if it is not an answer to the question.
fn bytes_to_skip(answer: &ResponseHeader, range: &Range<u64>, len: u64) -> Option<u64> {
    let field = |name| answer.headers.get(name)?.to_str().ok();
    match answer.status {
        StatusCode::PARTIAL_CONTENT => {
            let asked = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            (field(header::CONTENT_RANGE)? == asked).then_some(0)
        }
        StatusCode::OK => {
            let announced: u64 = field(header::CONTENT_LENGTH)?.parse().ok()?;
            (announced == len).then_some(range.start)
        }
        _ => None,
    }
}

/// The origin's answer, from the first byte wanted.
struct OriginBody {
    /// Never given back to a pool: it belongs to the runtime it was made on, and may be in the middle of a body.
    session: HttpSession,
    skip: u64,
    left: u64,
}

#[async_trait]
impl ReadBody for OriginBody {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        while self.left > 0 {
            let failed = |message| Error::new(ErrorKind::Unavailable, "rescue.read", message);
            let piece = self.session.read_response_body().await;
            let piece = piece.map_err(|error| {
                failed("the origin failed in the middle of the body").with_source(error)
            })?;
            let Some(mut piece) = piece else {
                return Err(failed("the origin ended in the middle of the body"));
            };
            let skipped = self.skip.min(piece.len() as u64);
            self.skip -= skipped;
            piece.advance(usize::try_from(skipped).unwrap_or(usize::MAX));
            piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !piece.is_empty() {
                self.left -= piece.len() as u64;
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn seek(&mut self, _: Range<u64>) -> Result<()> {
        let message = "a body that comes from the origin cannot seek";
        Err(Error::new(ErrorKind::Unsupported, "rescue.seek", message))
    }
}

#[cfg(test)]
mod tests;
