use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use terrace::backend::{BlobStore, IndexStore};
use terrace::{Retry, Runtime, Tier};

use crate::cli::{ProxyArgs, SharedArgs, TierArgs};
use crate::run::BoxError;
use crate::tiers::Forgets;

/// What one binary is: its command line, and the types of its tiers. All else is the same for all of them.
pub trait Wiring: clap::Parser + Send + Sync + 'static {
    /// Where bodies are.
    type Bodies: BlobStore;
    /// Where everything is that changes.
    type Index: IndexStore + Forgets;
    /// The tier that processes share; [`NoTier`](terrace::NoTier) where there is none.
    type L1: Tier;

    /// Where to listen, and where to fetch from.
    fn proxy(&self) -> &ProxyArgs;

    /// Memory, and garbage collection.
    fn tiers(&self) -> &TierArgs;

    /// What matters where other proxies share the stores. Without it, the stores are this machine's: the proxy does not
    /// start without them.
    fn shared(&self) -> Option<&SharedArgs> {
        None
    }

    /// The largest body L1 takes, in bytes, if there is an L1.
    fn l1_gate(&self) -> Option<u64> {
        None
    }

    /// Where bodies go that are on their way to slow readers.
    fn spool_dir(&self) -> PathBuf {
        self.shared()
            .map_or_else(std::env::temp_dir, SharedArgs::spool_dir)
    }

    /// Where objects are kept, for the line that says that the proxy is ready: `data ./terrace-data`.
    fn place(&self) -> String;

    /// What is wrong with the options of the backends, as far as one can tell without asking them.
    fn check(&self) -> Result<(), BoxError>;

    /// Opens the store of bodies.
    fn bodies(
        &self,
        runtime: &Arc<dyn Runtime>,
    ) -> impl Future<Output = Result<Self::Bodies, BoxError>> + Send;

    /// Opens the index.
    fn index(
        &self,
        runtime: &Arc<dyn Runtime>,
    ) -> impl Future<Output = Result<Self::Index, BoxError>> + Send;

    /// Opens L1, for bodies of at most `gate` bytes. Only called if [`l1_gate`](Self::l1_gate) says one.
    fn l1(
        &self,
        gate: u64,
        runtime: &Arc<dyn Runtime>,
    ) -> impl Future<Output = Result<Self::L1, BoxError>> + Send;
}

/// A backend that cannot be used, with the settings to look at.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be used")]
pub struct Unusable {
    what: String,
    source: terrace::Error,
}

impl Unusable {
    /// `what` says which one, and by which settings: ``Redis at 10.0.0.1:6379 (`redis.url`)``.
    pub fn new(what: impl Into<String>, source: terrace::Error) -> Self {
        Self {
            what: what.into(),
            source,
        }
    }

    /// Whether `error` is one of a backend that may become usable without anybody doing anything here: it is away, or busy.
    pub fn is_away(error: &BoxError) -> bool {
        let unusable = error.downcast_ref::<Self>();
        unusable.is_some_and(|it| it.source.retry() == Retry::Later)
    }
}

/// An error with its causes, on one line.
pub(crate) struct Told<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
