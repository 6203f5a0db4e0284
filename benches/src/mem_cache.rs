use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use pingora::Result;
use pingora::cache::cache_control::CacheControl;
use pingora::cache::filters::resp_cacheable;
use pingora::cache::lock::{CacheKeyLockImpl, CacheLock};
use pingora::cache::{CacheKey, CacheMetaDefaults, MemCache, RespCacheable};
use pingora::http::ResponseHeader;
use pingora::proxy::{ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;

static CACHE: LazyLock<MemCache> = LazyLock::new(MemCache::new);
static LOCK: LazyLock<Box<CacheKeyLockImpl>> =
    LazyLock::new(|| CacheLock::new_boxed(Duration::from_secs(5)));
const DEFAULTS: CacheMetaDefaults = CacheMetaDefaults::new(
    |status| (status == StatusCode::OK).then(|| Duration::from_mins(1)),
    0,
    0,
);

/// As little as pingora needs to cache: its own storage, its own lock, its own reading of `Cache-Control`.
pub(crate) struct MemCached {
    upstream: SocketAddr,
}

impl MemCached {
    pub(crate) fn new(upstream: SocketAddr) -> Self {
        Self { upstream }
    }
}

#[async_trait]
impl ProxyHttp for MemCached {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    fn request_cache_filter(&self, session: &mut Session, (): &mut Self::CTX) -> Result<()> {
        if session.req_header().method == Method::GET {
            session
                .cache
                .enable(&*CACHE, None, None, Some(&**LOCK), None);
        }
        Ok(())
    }

    fn cache_key_callback(&self, session: &Session, (): &mut Self::CTX) -> Result<CacheKey> {
        let request = session.req_header();
        let mut url = request
            .headers
            .get(http::header::HOST)
            .map_or(Vec::new(), |host| host.as_bytes().to_vec());
        url.extend_from_slice(request.raw_path());
        Ok(CacheKey::new(url, ""))
    }

    fn response_cache_filter(
        &self,
        _: &Session,
        response: &ResponseHeader,
        (): &mut Self::CTX,
    ) -> Result<RespCacheable> {
        let control = CacheControl::from_resp_headers(response);
        Ok(resp_cacheable(
            control.as_ref(),
            response.clone(),
            false,
            &DEFAULTS,
        ))
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}
