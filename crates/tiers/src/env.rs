use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use terrace_core::{Clock, Random, Runtime, Timestamp};
use tokio_util::task::TaskTracker;

/// The ports, and the list of what is running.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) tasks: TaskTracker,
}

impl Env {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts detached work that [`drain`](Self::drain) waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(Box::pin(self.tasks.track_future(task)));
    }

    /// `None` if `work` takes longer than `deadline`; it is dropped then.
    pub(crate) async fn within<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let sleep = self.runtime.sleep(deadline);
        tokio::select! {
            biased;
            done = work => Some(done),
            () = sleep => None,
        }
    }

    /// Waits until all detached work has ended, and says whether it did in time.
    pub(crate) async fn drain(&self, deadline: Duration) -> bool {
        self.tasks.close();
        let drained = self.within(deadline, self.tasks.wait()).await.is_some();
        self.tasks.reopen();
        drained
    }
}

/// The [`Runtime`] port over a tokio runtime, which must have its timer enabled.
#[derive(Debug, Clone)]
pub struct TokioRuntime {
    handle: tokio::runtime::Handle,
}

impl TokioRuntime {
    /// Work will run on the runtime behind `handle`.
    pub fn new(handle: tokio::runtime::Handle) -> Self {
        Self { handle }
    }

    /// Work will run on the runtime this is called in.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as `Handle::current` does.
    pub fn current() -> Self {
        Self::new(tokio::runtime::Handle::current())
    }
}

impl Runtime for TokioRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.handle.spawn(task));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The timer belongs to the handle's runtime, whichever runtime polls it.
        let _guard = self.handle.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}
