use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use terrace_core::{Body, Commit, Committed, Error, ErrorKind, Fill, ReadBody, Result};
use tokio::sync::Mutex;

use super::remote::Client;

/// A body of which each piece is asked for.
pub(super) struct RemoteBody<S> {
    pub(super) client: Arc<Client<S>>,
    pub(super) body: Arc<Mutex<Body>>,
}

#[async_trait]
impl<S: Send + Sync + 'static> ReadBody for RemoteBody<S> {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let body = Arc::clone(&self.body);
        let read = move |_| {
            let body = Arc::clone(&body);
            async move { body.lock().await.read().await }.boxed()
        };
        self.client.read(None, read).await
    }

    fn seek(&mut self, _: Range<u64>) -> Result<()> {
        let message = "this double cannot";
        Err(Error::new(ErrorKind::Unsupported, "remote.seek", message))
    }
}

/// A fill to which each piece is sent.
pub(super) struct RemoteFill<S> {
    pub(super) client: Arc<Client<S>>,
    pub(super) fill: Arc<Mutex<Option<Box<dyn Fill>>>>,
}

fn gone() -> Error {
    Error::new(ErrorKind::Invalid, "remote.fill", "it is committed")
}

#[async_trait]
impl<S: Send + Sync + 'static> Fill for RemoteFill<S> {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let fill = Arc::clone(&self.fill);
        let len = chunk.len();
        let write = move |_| {
            let (fill, chunk) = (Arc::clone(&fill), chunk.clone());
            async move {
                let mut fill = fill.lock().await;
                fill.as_mut().ok_or_else(gone)?.write(chunk).await
            }
            .boxed()
        };
        self.client.write(len, (), write).await
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        let fill = Arc::clone(&self.fill);
        let finish = move |_| {
            let (fill, commit) = (Arc::clone(&fill), commit.clone());
            async move {
                let fill = fill.lock().await.take();
                fill.ok_or_else(gone)?.commit(commit).await
            }
            .boxed()
        };
        self.client.write(100, Committed::Published, finish).await
    }
}
