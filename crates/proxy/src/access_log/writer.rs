use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::signal::unix::{SignalKind, signal};

use super::AccessLog;

/// The service that writes an [`AccessLog`]: host it by `pingora::prelude::background_service`.
///
/// It writes until the process ends. What waits at that moment is written by [`AccessLog::finish`], which
/// [`StackService::access_log`](crate::StackService::access_log) calls.
#[derive(Debug)]
pub struct AccessLogWriter {
    log: AccessLog,
}

impl AccessLogWriter {
    pub(super) fn new(log: AccessLog) -> Self {
        Self { log }
    }

    async fn reopen(&self) {
        let shared = std::sync::Arc::clone(&self.log.shared);
        if let Err(error) = tokio::task::spawn_blocking(move || shared.sink.reopen()).await {
            tracing::error!(%error, "opening the access log anew did not finish");
        }
    }
}

#[async_trait]
impl BackgroundService for AccessLogWriter {
    async fn start(&self, _: ShutdownWatch) {
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => Some(hangups),
            Err(error) => {
                tracing::warn!(%error, "SIGHUP cannot be listened to: the access log will not be opened anew");
                None
            }
        };
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                told = hangup => match told {
                    Some(()) => {
                        // What was said before the signal belongs into the old file.
                        self.log.flush().await;
                        self.reopen().await;
                    }
                    None => hangups = None,
                },
                () = self.log.shared.queue.came() => self.log.flush().await,
            }
        }
    }
}
