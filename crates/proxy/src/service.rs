use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pingora::server::ShutdownWatch;
use pingora::services::ServiceReadyNotifier;
use pingora::services::background::BackgroundService;
use terrace_pingora::TerraceStorage;
use terrace_tiers::Stack;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::Instrument as _;

type BoxError = Box<dyn Error + Send + Sync>;
type Build = Box<dyn FnOnce(Handle) -> BoxFuture<'static, Result<Stack, BoxError>> + Send>;
type OnStopped = Box<dyn FnOnce(bool) + Send>;

/// The background service that owns the tiers' runtime: it opens the tiers, installs them in the storage, and drains
/// them when the server stops.
///
/// The runtime is made when Pingora starts the service, after a possible fork: threads from before would be
/// lost. Remote I/O runs on it, not on Pingora's own runtimes, which may be many current-thread ones
/// (`work_stealing = false`).
///
/// Let the service that listens depend on this one (`ServiceHandle::add_dependency`), so that the first
/// request finds the tiers.
///
/// # If the tiers cannot be opened
///
/// The process ends with status 1 and the reason on standard error: a proxy without its cache would send all its
/// traffic to the origin, and a process that looks alive would hide it.
pub struct StackService {
    storage: &'static TerraceStorage,
    threads: usize,
    drain_timeout: Duration,
    in_flight: Option<crate::InFlight>,
    access_log: Option<crate::AccessLog>,
    once: Mutex<Option<Once>>,
}

struct Once {
    build: Build,
    on_stopped: Option<OnStopped>,
}

impl StackService {
    /// A service that opens the tiers of `storage` by `build`, which runs on the new runtime and gets its handle.
    pub fn new<F, O, E>(storage: &'static TerraceStorage, build: F) -> Self
    where
        F: FnOnce(Handle) -> O + Send + 'static,
        O: Future<Output = Result<Stack, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let build: Build = Box::new(move |handle| {
            let opening = build(handle);
            Box::pin(async move { opening.await.map_err(Into::into) })
        });
        Self {
            storage,
            threads: 2,
            drain_timeout: Duration::from_secs(10),
            in_flight: None,
            access_log: None,
            once: Mutex::new(Some(Once {
                build,
                on_stopped: None,
            })),
        }
    }

    /// Threads of the runtime, at least 1. Default: 2.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// How long to wait, when the server stops, for requests that are being served and then for what is still
    /// being written to the tiers; what is left then is aborted. Default: 10 s. Pingora's
    /// `grace_period_seconds` should be longer.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Drains only when these requests have been served.
    #[must_use]
    pub fn wait_for(mut self, in_flight: crate::InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }

    /// Writes what is left of `log` before [`on_stopped`](Self::on_stopped) is called; waits for as long as for the rest.
    #[must_use]
    pub fn access_log(mut self, log: crate::AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Called once the tiers are drained (`true`) or given up (`false`), when nothing is left that would be
    /// lost: Pingora itself always waits for the whole of its grace period.
    #[must_use]
    pub fn on_stopped(mut self, stopped: impl FnOnce(bool) + Send + 'static) -> Self {
        if let Some(once) = self.once.get_mut() {
            once.on_stopped = Some(Box::new(stopped));
        }
        self
    }

    async fn run(&self, once: Once, mut shutdown: ShutdownWatch, ready: ServiceReadyNotifier) {
        let runtime = match OwnRuntime::new(self.threads) {
            Ok(runtime) => runtime,
            Err(error) => give_up("cannot start the threads of the cache", &error),
        };
        let handle = runtime.handle();
        // On the runtime, so that what `build` opens belongs to it.
        let built = handle.spawn((once.build)(handle.clone())).await;
        let stack = match built {
            Ok(Ok(stack)) => stack,
            Ok(Err(error)) => give_up("cannot open the cache", error.as_ref()),
            Err(panicked) => give_up("cannot open the cache", &panicked),
        };
        if let Err(error) = self.storage.install(stack.clone()) {
            give_up("cannot install the cache", &error);
        }
        tracing::info!("the cache is open");
        ready.notify_ready();

        // An error means that the server is gone without a word: stop as well.
        let _ = shutdown.wait_for(|stopping| *stopping).await;
        let drained = self
            .drain(&stack)
            .instrument(tracing::info_span!("drain"))
            .await;
        if let Some(log) = &self.access_log
            && !log.finish(self.drain_timeout).await
        {
            tracing::warn!("the last lines of the access log could not be written in time");
        }
        if let Some(stopped) = once.on_stopped {
            stopped(drained);
        }
    }

    async fn drain(&self, stack: &Stack) -> bool {
        if let Some(in_flight) = &self.in_flight {
            let idle = tokio::time::timeout(self.drain_timeout, in_flight.idle()).await;
            if idle.is_err() {
                let left = in_flight.count();
                tracing::warn!(
                    left,
                    "requests are still being served: not waiting any longer"
                );
            }
        }
        let drained = stack.drain(self.drain_timeout).await;
        if drained {
            tracing::info!("the cache is drained");
        } else {
            tracing::warn!(
                "the cache is still writing: what is left is given up, and fetched again"
            );
        }
        drained
    }
}

#[async_trait]
impl BackgroundService for StackService {
    async fn start_with_ready_notifier(
        &self,
        shutdown: ShutdownWatch,
        ready: ServiceReadyNotifier,
    ) {
        let once = self.once.lock().take();
        if let Some(once) = once {
            self.run(once, shutdown, ready).await;
        } else {
            tracing::error!("a stack service was started twice; it runs already");
        }
    }
}

impl fmt::Debug for StackService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackService")
            .field("threads", &self.threads)
            .field("drain_timeout", &self.drain_timeout)
            .finish_non_exhaustive()
    }
}

/// A runtime that may be dropped where blocking is not allowed.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new(threads: usize) -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_name("terrace");
        Ok(Self(Some(builder.enable_all().build()?)))
    }

    fn handle(&self) -> Handle {
        match &self.0 {
            Some(runtime) => runtime.handle().clone(),
            // It is taken out only by `drop`.
            None => unreachable!("the runtime is there until it is dropped"),
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn give_up(what: &str, error: &(dyn Error + 'static)) -> ! {
    let mut message = format!("terrace: {what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    eprintln!("{message}");
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use terrace_memory::MemoryTier;
    use terrace_policy::Policy;
    use terrace_tiers::{MultiTier, TokioRuntime};
    use tokio::sync::watch;

    use super::*;

    async fn open(handle: Handle) -> Result<Stack, BoxError> {
        let runtime = Arc::new(TokioRuntime::new(handle));
        let small = Policy::builder().l0_max(0).l1_max(0).l2_max(0).l3_max(0);
        let tiers = MultiTier::builder(MemoryTier::new(1 << 20))
            .policy(small.build()?)
            .runtime(runtime);
        Ok(tiers.build()?.stack().clone())
    }

    #[tokio::test]
    async fn it_is_ready_when_the_tiers_are_installed_and_stops_when_they_are_drained() {
        let storage: &'static TerraceStorage = Box::leak(Box::default());
        let in_flight = crate::InFlight::new(metrics::Gauge::noop());
        let (stopped, mut has_stopped) = watch::channel(None);
        let service = StackService::new(storage, open)
            .threads(1)
            .wait_for(in_flight.clone())
            .on_stopped(move |drained| stopped.send(Some(drained)).unwrap());
        let (ready, mut is_ready) = watch::channel(false);
        let (stop, shutdown) = watch::channel(false);
        let request = in_flight.enter();

        let running = service.start_with_ready_notifier(shutdown, ServiceReadyNotifier::new(ready));
        let outside = async {
            is_ready.wait_for(|ready| *ready).await.unwrap();
            assert!(storage.stack().is_some());
            stop.send(true).unwrap();
            // Not while a request is being served.
            tokio::task::yield_now().await;
            assert_eq!(*has_stopped.borrow(), None);
            drop(request);
            has_stopped.wait_for(Option::is_some).await.unwrap();
        };
        tokio::join!(running, outside);
        assert_eq!(*has_stopped.borrow(), Some(true));
    }
}
