//! A demonstration origin: one page for each thing a cache does.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora::Result;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use pingora::services::listening::Service;
use terrace::{Clock, SystemClock};

mod pages;

use pages::{Body, Page};

/// The bytes of one piece of a large body.
const PIECE: usize = 64 * 1024;

/// The origin as a service that listens on `address`.
pub fn service(address: &str) -> Service<DemoOrigin> {
    let mut service = Service::new("demonstration origin".to_owned(), DemoOrigin::default());
    service.add_tcp(address);
    service.threads = Some(1);
    service
}

/// The origin.
#[derive(Debug)]
pub struct DemoOrigin {
    clock: Arc<dyn Clock>,
}

impl Default for DemoOrigin {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
        }
    }
}

#[async_trait]
impl HttpServerApp for DemoOrigin {
    async fn process_new_http(
        self: &Arc<Self>,
        mut http: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !http.read_request().await.ok()? {
            return None;
        }
        let is_stopping = *shutdown.borrow();
        http.set_keepalive(if is_stopping { None } else { Some(60) });
        let page = pages::page(http.req_header(), self.clock.now());
        if let Some(wait) = page.wait {
            tokio::time::sleep(wait).await;
        }
        send(&mut http, page).await.ok()?;
        let settings = HttpPersistentSettings::for_session(&http);
        let stream = http.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }
}

async fn send(http: &mut ServerSession, page: Page) -> Result<()> {
    let has_body =
        http.req_header().method != Method::HEAD && page.status != StatusCode::NOT_MODIFIED;
    let mut response = ResponseHeader::build(page.status, None)?;
    for (name, value) in page.headers {
        response.append_header(name, value)?;
    }
    match &page.body {
        Body::Text(_) if page.status == StatusCode::NOT_MODIFIED => {}
        Body::Text(text) => response.insert_header(header::CONTENT_LENGTH, text.len())?,
        Body::Large {
            len,
            chunked: false,
        } => {
            response.insert_header(header::CONTENT_LENGTH, *len)?;
        }
        Body::Large { chunked: true, .. } => {
            response.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        }
    }
    http.write_response_header(Box::new(response)).await?;
    if !has_body {
        return http.finish_body().await;
    }
    match page.body {
        Body::Text(text) => http.write_response_body(text.into(), true).await,
        Body::Large { len, .. } => send_large(http, len).await,
    }
}

async fn send_large(http: &mut ServerSession, len: u64) -> Result<()> {
    let piece = Bytes::from(pages::pattern(PIECE));
    let mut left = len;
    while left > PIECE as u64 {
        http.write_response_body(piece.clone(), false).await?;
        left -= PIECE as u64;
    }
    let rest = usize::try_from(left).unwrap_or(PIECE);
    http.write_response_body(piece.slice(..rest), true).await
}
