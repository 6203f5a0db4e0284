use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use terrace::backend::{Entry, Fence, Fill, Lookup, TierKind};
use terrace::{
    Error, ErrorKind, Generation, Key, Meta, Peeked, PurgeOutcome, Result, Runtime, Target, Tier,
    Timestamp, Usage,
};
use tokio::sync::oneshot;

use crate::run::BoxError;
use crate::wiring::{Told, Unusable};

/// How long a start waits for a store.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to open it; twice as long after each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A tier that may come after the proxy has started.
///
/// A cache that does not start while its store is away would turn the store's outage into one of the site: the restart of a
/// proxy, or the machine that is added under load, must not wait for it. Until the tier is open every call fails, as calls of a tier
/// that is away do: requests go to the origin, nothing is stored in it, and a purge is not acknowledged.
#[derive(Debug, Clone)]
pub struct Late<T> {
    tier: Arc<OnceLock<T>>,
}

type First = oneshot::Sender<Result<(), BoxError>>;

impl<T: Tier> Late<T> {
    /// A tier that is here already.
    pub fn here(tier: T) -> Self {
        Self {
            tier: Arc::new(OnceLock::from(tier)),
        }
    }

    /// A tier that `open` opens, now or later: if it is away, or does not answer within ten seconds, attempts go on in the
    /// background. An error if it is here and cannot be used.
    pub async fn open<F, O>(open: F, runtime: &Arc<dyn Runtime>) -> Result<Self, BoxError>
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = Result<T, BoxError>> + Send + 'static,
    {
        let tier = Arc::default();
        let (first, told) = oneshot::channel();
        let attempts = attempt(open, Arc::clone(&tier), first, Arc::clone(runtime));
        runtime.spawn(Box::pin(attempts));
        tokio::select! {
            biased;
            told = told => if let Ok(Err(misconfigured)) = told {
                return Err(misconfigured);
            },
            () = runtime.sleep(PATIENCE) => {
                tracing::warn!("the durable tier takes long to open: the proxy starts without it");
            }
        }
        Ok(Self { tier })
    }

    fn tier(&self) -> Result<&T> {
        self.tier.get().ok_or_else(|| {
            let message = "the durable tier is not open yet; the log says why";
            Error::new(ErrorKind::Unavailable, "tiers.late", message)
        })
    }
}

/// Opens it, sooner or later, and tells how the first attempt went: an error only if there is no use in others.
async fn attempt<T, F, O>(open: F, tier: Arc<OnceLock<T>>, first: First, runtime: Arc<dyn Runtime>)
where
    F: Fn() -> O,
    O: Future<Output = Result<T, BoxError>>,
{
    let mut first = Some(first);
    let mut pause = FIRST_PAUSE;
    loop {
        match open().await {
            Ok(opened) => {
                // Nobody else sets it, and whether somebody waits does not matter.
                let _ = tier.set(opened);
                let _ = first.map(|first| first.send(Ok(())));
                tracing::info!("the durable tier is open");
                return;
            }
            Err(error) if Unusable::is_away(&error) => {
                tracing::warn!(error = %Told(&*error), "the durable tier is away: the proxy does without it, and tries again");
                let _ = first.take().map(|first| first.send(Ok(())));
            }
            Err(error) => {
                let unheard = match first.take() {
                    Some(first) => first.send(Err(error)).err().and_then(Result::err),
                    None => Some(error),
                };
                // The one who hears it does not start.
                let Some(error) = unheard else { return };
                tracing::error!(error = %Told(&*error), "the durable tier cannot be opened: the proxy does without it, and tries again");
            }
        }
        runtime.sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[async_trait]
impl<T: Tier> Tier for Late<T> {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        self.tier()?.lookup(key).await
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        self.tier()?.fence(key).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        self.tier()?.admit(key, entry, fence).await
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        self.tier()?.purge(target).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        self.tier()?.expire(target, at).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        self.tier()?.update_meta(key, generation, meta).await
    }

    async fn peek(&self, key: &Key) -> Result<Option<Peeked>> {
        self.tier()?.peek(key).await
    }

    fn usage(&self) -> Usage {
        self.tier.get().map(T::usage).unwrap_or_default()
    }
}
