use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use super::ServerCertificate;

/// The background service that reads certificates again, so that a renewal needs no restart.
///
/// It reads the files rather than waiting for a signal, because Pingora ends the process on `SIGHUP`. What cannot be
/// used, such as a certificate whose key is not written yet, is told once a look, and the one in use stays.
#[derive(Debug)]
pub struct CertificateWatch {
    certificates: Vec<ServerCertificate>,
    every: Duration,
}

impl CertificateWatch {
    /// Looks at the files of `certificates` every 30 seconds.
    pub fn new(certificates: Vec<ServerCertificate>) -> Self {
        Self {
            certificates,
            every: Duration::from_secs(30),
        }
    }

    /// How often to look, at least every 10 milliseconds.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every.max(Duration::from_millis(10));
        self
    }

    fn look(&self) {
        for certificate in &self.certificates {
            let path = certificate.path().display();
            match certificate.reload() {
                Ok(true) => tracing::info!(%path, "the certificate was read again"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%path, %error, source = ?std::error::Error::source(&error), "the certificate in use stays");
                }
            }
        }
    }
}

#[async_trait]
impl BackgroundService for CertificateWatch {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        loop {
            let stopping = shutdown.wait_for(|stopping| *stopping);
            if tokio::time::timeout(self.every, stopping).await.is_ok() {
                return;
            }
            self.look();
        }
    }
}
