use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use pingora::connectors::http::Connector;
use pingora::lb::Backends;
use pingora::{Error, ErrorType};
use terrace_core::{Clock, Timestamp};

use super::balance::{Balance, balance, member};
use super::discovery::{Discovery, Due};
use super::member::{Engaged, Member, Server};
use super::probe::Probe;
use super::{Upstream, UpstreamGroup};
use crate::config::ProxyConfig;

/// What the group is called that is not named.
pub(crate) const DEFAULT_GROUP: &str = "default";

/// The groups of a proxy.
pub(crate) struct Groups {
    default: Arc<Pool>,
    named: BTreeMap<String, Arc<Pool>>,
}

impl Groups {
    pub(crate) fn new(config: &ProxyConfig, connector: &Arc<Connector>) -> Self {
        let mut first = 0;
        let mut pool = |group: &str, settings: &UpstreamGroup| {
            let pool = Pool::new(group, settings, first, config, connector);
            first += settings.servers.len() as u64;
            Arc::new(pool)
        };
        let default = pool(DEFAULT_GROUP, &config.upstream);
        let named = config.upstreams.iter();
        let named = named.map(|(name, settings)| (name.clone(), pool(name, settings)));
        let named = named.collect();
        Self { default, named }
    }

    pub(crate) fn default(&self) -> &Arc<Pool> {
        &self.default
    }

    /// The group called `name`.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Pool>> {
        self.named.get(name)
    }

    /// Every server as configured, with the name of its group, and whether it gets requests; `None` while that is not known,
    /// before its name is resolved.
    pub(crate) fn health(&self) -> impl Iterator<Item = (&str, &Upstream, Option<bool>)> {
        let servers = self
            .all()
            .flat_map(|pool| pool.servers.iter().map(|it| (&*pool.name, it)));
        servers.map(|(group, server)| (group, &server.upstream, server.health.is_well()))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Pool>> {
        std::iter::once(&self.default).chain(self.named.values())
    }
}

/// The servers of a group at work.
pub(crate) struct Pool {
    name: String,
    servers: Vec<Arc<Server>>,
    settings: UpstreamGroup,
    balance: Box<dyn Balance>,
    clock: Arc<dyn Clock>,
    due: Due,
    /// Held by whoever resolves.
    resolving: tokio::sync::Mutex<()>,
}

impl Pool {
    /// Its servers are numbered from `first` on.
    fn new(
        group: &str,
        settings: &UpstreamGroup,
        first: u64,
        config: &ProxyConfig,
        connector: &Arc<Connector>,
    ) -> Self {
        let servers = settings.servers.iter().zip(first..);
        let servers = servers.map(|(it, id)| Arc::new(Server::new(group, it.clone(), id)));
        let servers: Vec<_> = servers.collect();
        let clock = &config.clock;
        let due = Due::default();
        let discovery = Discovery::new(
            servers.clone(),
            settings.clone(),
            Arc::clone(clock),
            Arc::clone(&due),
        );
        let mut backends = Backends::new(Box::new(discovery));
        if let Some(check) = settings.health.clone() {
            let (name, connector) = (config.name.clone(), Arc::clone(connector));
            let probe = Probe::new(check, settings.host.clone(), name, connector);
            backends.set_health_check(Box::new(probe));
        }
        Self {
            name: group.to_owned(),
            servers,
            balance: balance(settings, backends),
            settings: settings.clone(),
            clock: Arc::clone(clock),
            due,
            resolving: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn settings(&self) -> &UpstreamGroup {
        &self.settings
    }

    /// Which server gets the request whose cache key is `key`, after those that were `tried` already. One that is
    /// left out or has been tried comes only if there is no other.
    pub(crate) async fn pick(&self, key: &[u8], tried: &[SocketAddr]) -> pingora::Result<Engaged> {
        self.keep_up_to_date().await?;
        let is_new = |member: &Member| !tried.contains(&member.address);
        let picked = self
            .find(key, &|member, is_well| {
                is_well && is_new(member) && member.admits()
            })
            .or_else(|| self.find(key, &|member, _| is_new(member)))
            .or_else(|| self.find(key, &|_, _| true));
        let picked = picked.ok_or_else(|| {
            let context = "the upstream group has no server";
            Error::explain(ErrorType::ConnectNoRoute, context).into_up()
        })?;
        Ok(picked.begin())
    }

    /// Whether there is a server that was not `tried`, whatever its state.
    pub(crate) fn has_other_than(&self, tried: &[SocketAddr]) -> bool {
        let backends = self.balance.backends().get_backend();
        let mut members = backends.iter().filter_map(member);
        members.any(|member| !tried.contains(&member.address))
    }

    fn find(&self, key: &[u8], accepts: &dyn Fn(&Member, bool) -> bool) -> Option<Arc<Member>> {
        self.balance.select(key, accepts).or_else(|| {
            // While requests take turns at the same time, one of them may not be shown every server.
            let backends = self.balance.backends();
            let all = backends.get_backend();
            let mut all = all.iter().filter_map(|it| Some((member(it)?, it)));
            let found = all.find(|(member, it)| accepts(member, backends.ready(it)));
            found.map(|(member, _)| Arc::clone(member))
        })
    }

    /// The first requests wait for the names to be resolved. Later, one request resolves them again, if no background
    /// service does.
    async fn keep_up_to_date(&self) -> pingora::Result<()> {
        let due = self.due.load(Relaxed);
        if due != 0
            && self.clock.now() < Timestamp::from_millis(due).after(self.settings.resolve_every())
        {
            return Ok(());
        }
        if due == 0 {
            let _first = self.resolving.lock().await;
            if self.due.load(Relaxed) != 0 {
                return Ok(());
            }
            return self.balance.update().await;
        }
        let Ok(_mine) = self.resolving.try_lock() else {
            return Ok(());
        };
        // Discovery says what it cannot resolve, and goes on with what it knows.
        let _ = self.balance.update().await;
        Ok(())
    }

    pub(super) fn balancer(&self) -> &dyn Balance {
        &*self.balance
    }
}
