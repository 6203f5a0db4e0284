use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use pingora::lb::selection::{BackendIter, BackendSelection, Consistent, Random, RoundRobin};
use pingora::lb::{Backend, Backends, LoadBalancer};
use pingora::services::background::BackgroundService;

use super::group::{Selection, UpstreamGroup};
use super::member::Member;

/// The most candidates that are looked at in the order of a selection, which may name one again and again. A server it
/// did not name by then is found without it.
const MAX_STEPS: usize = 256;

/// Pingora's load balancer, whichever way it selects.
#[async_trait]
pub(super) trait Balance: BackgroundService + Send + Sync {
    /// Finds out which servers there are.
    async fn update(&self) -> pingora::Result<()>;

    /// The first in the order of the selection that `accepts`.
    fn select(&self, key: &[u8], accepts: &dyn Fn(&Member, bool) -> bool) -> Option<Arc<Member>>;

    /// Every one, in no order.
    fn backends(&self) -> &Backends;
}

pub(super) fn balance(settings: &UpstreamGroup, backends: Backends) -> Box<dyn Balance> {
    match settings.selection {
        Selection::RoundRobin => boxed::<RoundRobin>(settings, backends),
        Selection::Random => boxed::<Random>(settings, backends),
        Selection::LeastRequests => boxed::<LeastRequests>(settings, backends),
        Selection::Hash => boxed::<Consistent>(settings, backends),
    }
}

fn boxed<S>(settings: &UpstreamGroup, backends: Backends) -> Box<dyn Balance>
where
    S: BackendSelection + Send + Sync + 'static,
    S::Iter: BackendIter,
{
    let mut balancer = LoadBalancer::<S>::from_backends(backends);
    balancer.update_frequency = Some(settings.resolve_every());
    balancer.health_check_frequency = settings.health.as_ref().map(|check| check.every);
    balancer.parallel_health_check = true;
    Box::new(balancer)
}

#[async_trait]
impl<S> Balance for LoadBalancer<S>
where
    S: BackendSelection + Send + Sync + 'static,
    S::Iter: BackendIter,
{
    async fn update(&self) -> pingora::Result<()> {
        Self::update(self).await
    }

    fn select(&self, key: &[u8], accepts: &dyn Fn(&Member, bool) -> bool) -> Option<Arc<Member>> {
        let accepts = |backend: &Backend, is_well: bool| {
            member(backend).is_some_and(|member| accepts(member, is_well))
        };
        let selected = self.select_with(key, MAX_STEPS, accepts);
        selected.as_ref().and_then(member).cloned()
    }

    fn backends(&self) -> &Backends {
        Self::backends(self)
    }
}

/// What discovery has put into every backend.
pub(super) fn member(backend: &Backend) -> Option<&Arc<Member>> {
    backend.ext.get()
}

/// The fewest requests under way, by weight; of several, one after the other.
struct LeastRequests {
    backends: Box<[Backend]>,
    turn: AtomicUsize,
}

struct ByLoad {
    of: Arc<LeastRequests>,
    order: VecDeque<usize>,
}

impl BackendSelection for LeastRequests {
    type Iter = ByLoad;
    type Config = ();

    fn build(backends: &BTreeSet<Backend>) -> Self {
        Self {
            backends: backends.iter().cloned().collect(),
            turn: AtomicUsize::new(0),
        }
    }

    fn iter(self: &Arc<Self>, _: &[u8]) -> ByLoad {
        let count = self.backends.len();
        let turn = self.turn.fetch_add(1, Relaxed);
        let from_turn = (0..count).map(|step| (turn.wrapping_add(step)) % count.max(1));
        // Loads change meanwhile: each is asked once.
        let mut loads: Vec<_> = from_turn
            .map(|index| (member(&self.backends[index]).map(|it| it.load()), index))
            .collect();
        // Stable: of equal ones, the one whose turn it is.
        loads.sort_by_key(|(load, _)| *load);
        ByLoad {
            of: Arc::clone(self),
            order: loads.into_iter().map(|(_, index)| index).collect(),
        }
    }
}

impl BackendIter for ByLoad {
    fn next(&mut self) -> Option<&Backend> {
        let index = self.order.pop_front()?;
        self.of.backends.get(index)
    }
}
