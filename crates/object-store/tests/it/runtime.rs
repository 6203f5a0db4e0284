//! The `Runtime` port over tokio.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use terrace_core::Runtime;
use tokio::runtime::Handle;

/// The tokio runtime it was made in.
#[derive(Debug)]
pub(crate) struct Tokio(Handle);

impl Tokio {
    /// Of the current runtime.
    pub(crate) fn current() -> Arc<dyn Runtime> {
        Arc::new(Self(Handle::current()))
    }
}

impl Runtime for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}
