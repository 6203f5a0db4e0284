use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt as _, TryFutureExt as _};
use terrace_core::{Random, Result, Runtime};
use tokio::sync::Semaphore;

use crate::config::DdbConfig;
use crate::error::{Failure, Op, Refusal};

/// The pause before the first repeat; each further one is twice as long, and all are lengthened by chance.
const PAUSE: Duration = Duration::from_millis(50);

/// A request under way.
pub(crate) type Sent<T, E> = BoxFuture<'static, Result<T, Box<SdkError<E>>>>;

/// Boxes a request: the SDK's futures are deep, and its errors large.
pub(crate) fn sent<T, E: Refusal>(
    request: impl Future<Output = Result<T, SdkError<E>>> + Send + 'static,
) -> Sent<T, E> {
    request.map_err(Box::new).boxed()
}

/// Makes calls: so many at a time, each within its deadline, repeated where that does no harm.
///
/// The SDK repeats nothing. It takes a write that got no answer for one that may be sent again; ours would then be
/// refused by their own first attempt.
pub(crate) struct Calls {
    runtime: Arc<dyn Runtime>,
    /// Where the table is, for messages.
    place: String,
    connections: usize,
    permits: Semaphore,
    attempts: u32,
    attempt_timeout: Duration,
    call_timeout: Duration,
    /// Of the next call's jitter.
    seed: AtomicU64,
}

impl Calls {
    pub(crate) fn new(
        config: &DdbConfig,
        place: String,
        runtime: Arc<dyn Runtime>,
        random: &dyn Random,
    ) -> Self {
        Self {
            runtime,
            place,
            connections: config.connections,
            permits: Semaphore::new(config.connections),
            attempts: config.attempts,
            attempt_timeout: config.attempt_timeout,
            call_timeout: config.call_timeout,
            seed: AtomicU64::new(random.next_u64()),
        }
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// What `send` answers. Dropping this leaves open whether a write is done.
    pub(crate) async fn run<T: Send, E: Refusal>(
        &self,
        op: Op,
        send: impl Fn() -> Sent<T, E>,
    ) -> Result<T> {
        let is_sent = AtomicBool::new(false);
        let attempts = async {
            // It is never closed.
            let _permit = self.permits.acquire().await;
            is_sent.store(true, Ordering::Relaxed);
            self.repeat(op, send).await
        };
        match within(&*self.runtime, self.call_timeout, attempts).await {
            Some(answer) => answer.map_err(|failure| failure.error),
            None if is_sent.load(Ordering::Relaxed) => Err(op.late(&self.place).error),
            None => Err(op.crowded(&self.place, self.connections)),
        }
    }

    async fn repeat<T: Send, E: Refusal>(
        &self,
        op: Op,
        send: impl Fn() -> Sent<T, E>,
    ) -> Result<T, Failure> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(PAUSE)
            .with_max_times(self.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .with_jitter_seed(self.seed.fetch_add(1, Ordering::Relaxed))
            .build();
        loop {
            let failure = match self.attempt(op, send()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match pauses.next() {
                Some(pause) if failure.repeat => self.runtime.sleep(pause).await,
                _ => return Err(failure),
            }
        }
    }

    async fn attempt<T, E: Refusal>(&self, op: Op, sent: Sent<T, E>) -> Result<T, Failure> {
        match within(&*self.runtime, self.attempt_timeout, sent).await {
            Some(answer) => answer.map_err(|error| op.failure(&self.place, error)),
            None => Err(op.late(&self.place)),
        }
    }
}

/// What `work` answers, if it does so in time.
pub(crate) async fn within<F: Future>(
    runtime: &dyn Runtime,
    limit: Duration,
    work: F,
) -> Option<F::Output> {
    match select(pin!(work), runtime.sleep(limit)).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("place", &self.place)
            .field("free", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}
