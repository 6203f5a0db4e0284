use std::sync::Arc;

use async_trait::async_trait;
use http::header;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::lb::Backend;
use pingora::lb::health_check;
use pingora::{Error, ErrorType, Result};

use super::ask;
use super::balance::member;
use super::group::{HealthCheck, HostPolicy};
use super::member::Member;

/// Finds out whether a server is well, with the server's own TLS settings and protocol.
pub(super) struct Probe {
    check: HealthCheck,
    host: HostPolicy,
    name: String,
    connector: Arc<Connector>,
}

impl Probe {
    pub(super) fn new(
        check: HealthCheck,
        host: HostPolicy,
        name: String,
        connector: Arc<Connector>,
    ) -> Self {
        Self {
            check,
            host,
            name,
            connector,
        }
    }

    async fn probe(&self, member: &Member) -> Result<()> {
        let mut peer = member.peer();
        peer.options.connection_timeout = Some(self.check.timeout);
        peer.options.total_connection_timeout = Some(self.check.timeout);
        let Some(path) = &self.check.path else {
            // Dropped at once: a connection is all that was wanted.
            return self.connector.get_http_session(&peer).await.map(drop);
        };
        let mut request = RequestHeader::build("GET", path.as_bytes(), None)?;
        let own = || member.server.upstream.authority();
        let host = self.check.host.clone();
        let host = host.or_else(|| member.host(&self.host)).unwrap_or_else(own);
        request.insert_header(header::HOST, host)?;
        request.insert_header(header::USER_AGENT, format!("{}-health", self.name))?;
        let session = ask(&self.connector, &peer, request).await?;
        let status = session.response_header().map_or(0, |it| it.status.as_u16());
        if (200..400).contains(&status) {
            return Ok(());
        }
        Err(Error::explain(
            ErrorType::CustomCode("unwell", status),
            "the answer to a health check",
        ))
    }
}

#[async_trait]
impl health_check::HealthCheck for Probe {
    async fn check(&self, target: &Backend) -> Result<()> {
        let Some(member) = member(target) else {
            return Ok(());
        };
        let checked = tokio::time::timeout(self.check.timeout, self.probe(member)).await;
        let checked = checked.unwrap_or_else(|_| {
            let context = "no answer to a health check in time";
            Err(Error::explain(ErrorType::ReadTimedout, context))
        });
        if let Err(error) = &checked {
            tracing::debug!(upstream = %member.server.upstream, address = %member.address, %error, "a health check failed");
        }
        checked
    }

    async fn health_status_change(&self, target: &Backend, healthy: bool) {
        if let Some(member) = member(target) {
            member.observed(healthy);
        }
    }

    fn health_threshold(&self, success: bool) -> usize {
        if success {
            self.check.successes
        } else {
            self.check.failures
        }
    }
}
