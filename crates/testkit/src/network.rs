//! What an adapter does when the network between it and its server is bad.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use terrace_core::{BlobStore, Error, IndexStore, Retry, Tier};
use tokio::time::{sleep, timeout};

use crate::proxy::FaultProxy;
use crate::suite::{Case, Fixture, Outcome, check, trials};

pub(crate) mod blob;
pub(crate) mod index;
pub(crate) mod tier;

/// A call that has not ended by then hangs. Nothing is timed: an adapter's own deadlines should be far shorter.
const CALL_GUARD: Duration = Duration::from_secs(if cfg!(test) { 10 } else { 40 });
/// Between two tries of something that is to work again.
const PAUSE: Duration = Duration::from_millis(5);

/// Trials of an [`IndexStore`] behind a bad network: `open` gives each a fresh, empty store whose connections lead to the
/// address it is given, at which a [`FaultProxy`] stands in front of `server`.
///
/// Connections are reset, refused, half closed, silent, and swallowed, and answers are lost. The claim is: **no wrong
/// answer, an end to every call, and recovery without restart.** A write whose answer is lost is an error that says so
/// ([`Applied::Unknown`](terrace_core::Applied)), or is known to be applied; never a conflict, and never said not to be.
///
/// Set the adapter's own timeouts to about a second for these trials, or they take long. `open` is called while the network is
/// well.
pub fn index_under_faults<S, F, Fut>(name: &str, server: SocketAddr, open: F) -> Vec<Trial>
where
    S: IndexStore,
    F: Fn(SocketAddr) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    under_faults(name, index::cases(), server, open, |store| store)
}

/// Trials of a [`BlobStore`] behind a bad network; as [`index_under_faults`].
///
/// A blob is whole or absent, a reader gets the right bytes or an error, and a list is whole or ends with one.
pub fn blob_under_faults<S, F, Fut>(name: &str, server: SocketAddr, open: F) -> Vec<Trial>
where
    S: BlobStore,
    F: Fn(SocketAddr) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    under_faults(name, blob::cases(), server, open, |store| store)
}

/// Trials of a [`Tier`] behind a bad network; as [`index_under_faults`].
///
/// Among others, what was purged does not come back when commits and purges race while connections break (P3): a purge that
/// was acknowledged holds, whatever happened to the answers of others.
pub fn tier_under_faults<T, F, Fut>(name: &str, server: SocketAddr, open: F) -> Vec<Trial>
where
    T: Tier,
    F: Fn(SocketAddr) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<T>> + Send + 'static,
{
    under_faults(name, tier::cases(), server, open, |tier| tier)
}

/// A store, and what stands between it and its server.
pub(crate) struct Behind<T: ?Sized> {
    pub(crate) store: Arc<T>,
    pub(crate) proxy: FaultProxy,
}

/// A fixture of a store behind a proxy of its own, whose random numbers are the same in every run.
pub(crate) async fn behind<T, S, Fut>(
    server: SocketAddr,
    open: impl FnOnce(SocketAddr) -> Fut,
    erase: fn(Arc<S>) -> Arc<T>,
) -> Fixture<Behind<T>>
where
    T: ?Sized,
    Fut: Future<Output = Fixture<S>>,
{
    const SEED: u64 = 1;
    let proxy = match FaultProxy::seeded(server, SEED).await {
        Ok(proxy) => proxy,
        Err(error) => panic!("there is no port for the proxy: {error}"),
    };
    let Fixture { store, kept } = open(proxy.address()).await;
    let store = erase(store);
    Fixture {
        store: Arc::new(Behind { store, proxy }),
        kept,
    }
}

fn under_faults<T, S, F, Fut>(
    name: &str,
    cases: Vec<Case<Behind<T>>>,
    server: SocketAddr,
    open: F,
    erase: fn(Arc<S>) -> Arc<T>,
) -> Vec<Trial>
where
    T: ?Sized + Send + Sync + 'static,
    S: Send + Sync + 'static,
    F: Fn(SocketAddr) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Fixture<S>> + Send + 'static,
{
    let make = move || {
        let open = open.clone();
        async move { behind(server, open, erase).await }
    };
    trials(name, cases, make, |behind| behind)
}

/// What `call` answers; a failure if it never does.
async fn ends<T, E>(
    what: &str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<Result<T, E>, Failed> {
    timeout(CALL_GUARD, call)
        .await
        .map_err(|_| Failed::from(format!("{what} hangs: not over after {CALL_GUARD:?}")))
}

/// `call` ends with an error, and the error says that it may pass.
async fn fails<T: fmt::Debug>(what: &str, call: impl Future<Output = Result<T, Error>>) -> Outcome {
    match ends(what, call).await? {
        Ok(answer) => Err(Failed::from(format!("{what} cannot know that: {answer:?}"))),
        Err(error) => {
            check!(
                error.retry() == Retry::Later,
                "{what}: it passes, but the error says that it does not: {error:?}"
            );
            Ok(())
        }
    }
}

/// A caller who does not wait for the answer.
async fn leaves<T>(call: impl Future<Output = T>) {
    // It has asked by then, and nobody answers.
    drop(timeout(Duration::from_millis(1), call).await);
}

/// The first good answer of `call`, which must come when the network is well again.
async fn recovers<T, Fut>(what: &str, mut call: impl FnMut() -> Fut) -> Result<T, Failed>
where
    Fut: Future<Output = Result<T, Error>>,
{
    let trying = async {
        loop {
            match call().await {
                Ok(answer) => return Ok::<_, Failed>(answer),
                Err(error) if error.retry() == Retry::Later => sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
    };
    ends(&format!("{what}, after the faults,"), trying).await?
}
