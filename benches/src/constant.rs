use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use http::header;
use pingora::http::ResponseHeader;
use pingora::proxy::{ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

/// The longest response, in bytes.
const LONGEST: usize = 64 << 20;

static BODY: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![b'x'; LONGEST]));

/// Answers `/BYTES` with as many bytes, and the header of an ordinary file.
pub(crate) struct Constant;

#[async_trait]
impl ProxyHttp for Constant {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn request_filter(&self, session: &mut Session, (): &mut Self::CTX) -> Result<bool> {
        let path = session.req_header().uri.path();
        let bytes = path.trim_start_matches('/').parse().ok();
        let Some(bytes) = bytes.filter(|bytes| *bytes <= LONGEST) else {
            session.respond_error(404).await?;
            return Ok(true);
        };
        session
            .write_response_header(Box::new(response(bytes)?), false)
            .await?;
        session
            .write_response_body(Some(BODY.slice(..bytes)), true)
            .await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Err(Error::new(ErrorType::ConnectNoRoute))
    }
}

fn response(bytes: usize) -> Result<ResponseHeader> {
    let mut response = ResponseHeader::build(200, Some(8))?;
    response.insert_header(header::CONTENT_TYPE, "application/octet-stream")?;
    response.insert_header(header::CONTENT_LENGTH, bytes)?;
    response.insert_header(header::CACHE_CONTROL, "public, max-age=86400")?;
    response.insert_header("ETag", "\"5f3c-5e1a7c8b\"")?;
    response.insert_header("Last-Modified", "Sun, 31 Dec 2023 12:00:00 GMT")?;
    response.insert_header(header::SERVER, "origin/1.0")?;
    Ok(response)
}
