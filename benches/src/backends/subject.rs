use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::Outcome;

/// What is measured: bodies of one length by an adapter, and by the client it is made of.
pub(crate) struct Subject {
    pub(crate) backend: &'static str,
    /// What the client does instead.
    pub(crate) peer: &'static str,
    pub(crate) bytes: usize,
    pub(crate) ours: Fetch,
    pub(crate) raw: Fetch,
}

/// Gets the body once, to its last byte.
pub(crate) type Fetch = Arc<dyn Fn() -> BoxFuture<'static, Outcome<Taken>> + Send + Sync>;

/// A body that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) bytes: usize,
    /// How long its first piece took.
    pub(crate) first: Duration,
}

pub(crate) fn fetch<F>(get: impl Fn() -> F + Send + Sync + 'static) -> Fetch
where
    F: Future<Output = Outcome<Taken>> + Send + 'static,
{
    Arc::new(move || get().boxed())
}
