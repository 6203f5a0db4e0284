use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;
use pingora::lb::discovery::ServiceDiscovery;
use pingora::lb::{Backend, Extensions};
use pingora::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora::{Error, ErrorType};
use terrace_core::Clock;

use super::group::UpstreamGroup;
use super::member::{Member, Server};

/// The most addresses of one name that are used.
const MAX_ADDRESSES: usize = 64;

/// Resolves the names of a group's servers.
pub(super) struct Discovery {
    servers: Vec<Arc<Server>>,
    settings: UpstreamGroup,
    clock: Arc<dyn Clock>,
    /// What each server was resolved to last, in their order.
    known: Mutex<Vec<Vec<Arc<Member>>>>,
    due: Due,
}

/// When names are to be resolved anew, in milliseconds; zero before the first time.
pub(super) type Due = Arc<AtomicU64>;

impl Discovery {
    pub(super) fn new(
        servers: Vec<Arc<Server>>,
        settings: UpstreamGroup,
        clock: Arc<dyn Clock>,
        due: Due,
    ) -> Self {
        let known = Mutex::new(vec![Vec::new(); servers.len()]);
        Self {
            servers,
            settings,
            clock,
            known,
            due,
        }
    }

    /// The addresses of a server; those it had, if it cannot be resolved.
    async fn resolve(&self, index: usize) -> Vec<Arc<Member>> {
        let server = &self.servers[index];
        let looked_up = lookup(server).await;
        // Two that resolve at the same time make one member of one address.
        let mut known = self.known.lock();
        let known = &mut known[index];
        match looked_up {
            Ok(addresses) => {
                let members = addresses.into_iter();
                *known = members.map(|it| self.member(server, it, known)).collect();
            }
            Err(error) => {
                let left = known.len();
                tracing::warn!(upstream = %server.upstream, %error, left, "cannot resolve an upstream: going on with the addresses it had");
            }
        }
        known.clone()
    }

    fn member(
        &self,
        server: &Arc<Server>,
        address: SocketAddr,
        known: &[Arc<Member>],
    ) -> Arc<Member> {
        let old = known.iter().find(|member| member.address == address);
        old.cloned().unwrap_or_else(|| {
            let (server, clock) = (Arc::clone(server), Arc::clone(&self.clock));
            let member = Member::new(server, address, self.settings.eject_for, clock);
            Arc::new(member)
        })
    }
}

async fn lookup(server: &Server) -> Result<BTreeSet<SocketAddr>, String> {
    let upstream = &server.upstream;
    let found = tokio::net::lookup_host((upstream.host.as_str(), upstream.port));
    match tokio::time::timeout(upstream.resolve_timeout, found).await {
        Err(_) => Err("no answer in time".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(found)) => {
            let found: BTreeSet<_> = found.take(MAX_ADDRESSES).collect();
            if found.is_empty() {
                return Err("the name has no address".to_owned());
            }
            Ok(found)
        }
    }
}

#[async_trait]
impl ServiceDiscovery for Discovery {
    async fn discover(&self) -> pingora::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let resolved = join_all((0..self.servers.len()).map(|index| self.resolve(index))).await;
        let mut by_address = BTreeMap::new();
        for member in resolved.into_iter().flatten() {
            // Of two at one address, the first one configured.
            by_address.entry(member.address).or_insert(member);
        }
        if by_address.is_empty() {
            let context = "no server of the upstream group can be resolved";
            return Err(Error::explain(ErrorType::ConnectNoRoute, context).into_up());
        }
        let due = self.clock.now().after(self.settings.resolve_every());
        self.due.store(due.as_millis().max(1), Relaxed);
        let backend = |(address, member): (SocketAddr, Arc<Member>)| {
            let weight = member.server.upstream.weight;
            let mut ext = Extensions::new();
            ext.insert(member);
            Backend {
                addr: PeerAddress::Inet(address),
                weight,
                ext,
            }
        };
        let backends = by_address.into_iter().map(backend).collect();
        Ok((backends, HashMap::new()))
    }
}
