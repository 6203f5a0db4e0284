use std::any::Any;

use async_trait::async_trait;
use http::{Version, header};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::{HttpModule, HttpModuleBuilder, Module};

/// Keeps chunks from clients of HTTP/1.0, which do not know them: the end of the connection ends their bodies.
///
/// Pingora puts chunks around a body that came by HTTP/2 without a length after its last callback has seen the header
/// (`pingora-proxy` 0.9.1, `proxy_h2.rs`, line 967). Modules come later still.
pub(super) struct OldClients;

struct OldClient {
    is_old: bool,
}

impl HttpModuleBuilder for OldClients {
    fn init(&self) -> Module {
        Box::new(OldClient { is_old: false })
    }
}

#[async_trait]
impl HttpModule for OldClient {
    async fn request_header_filter(&mut self, request: &mut RequestHeader) -> Result<()> {
        self.is_old = request.version <= Version::HTTP_10;
        Ok(())
    }

    async fn response_header_filter(
        &mut self,
        response: &mut ResponseHeader,
        _: bool,
    ) -> Result<()> {
        if self.is_old {
            response.remove_header(&header::TRANSFER_ENCODING);
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
