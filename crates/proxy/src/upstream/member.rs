use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use pingora::protocols::ALPN;
use pingora::upstreams::peer::HttpPeer;
use terrace_core::{Clock, Timestamp};

use super::gauge::Health;
use super::{HostPolicy, Protocol, Upstream, Verify};
use crate::tls::{ClientIdentity, TrustAnchors};

/// The most requests at a time on one connection of HTTP/2; the server may want fewer.
const MAX_STREAMS: usize = 100;
/// How often a connection of HTTP/2 is asked whether it is alive.
const PING_EVERY: Duration = Duration::from_secs(15);

/// A server as configured, which may have several addresses.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) upstream: Upstream,
    /// Keeps connections apart that Pingora's pool would mix: it does not look at trust anchors or protocols.
    id: u64,
    pub(super) health: Health,
}

/// One address of a server: what is chosen, connected to, checked, and left out when it fails.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) server: Arc<Server>,
    pub(super) address: SocketAddr,
    clock: Arc<dyn Clock>,
    eject_for: Duration,
    /// Requests under way.
    load: AtomicUsize,
    /// Milliseconds; zero while it is not left out.
    out_until: AtomicU64,
    /// What the health check says.
    is_well: AtomicBool,
}

impl Server {
    pub(super) fn new(group: &str, upstream: Upstream, id: u64) -> Self {
        let health = Health::new(group, &upstream);
        Self {
            upstream,
            id,
            health,
        }
    }
}

impl Member {
    pub(super) fn new(
        server: Arc<Server>,
        address: SocketAddr,
        eject_for: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        server.health.set(address, true);
        Self {
            server,
            address,
            clock,
            eject_for,
            load: AtomicUsize::new(0),
            out_until: AtomicU64::new(0),
            is_well: AtomicBool::new(true),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How to connect to it.
    pub(crate) fn peer(&self) -> HttpPeer {
        let upstream = &self.server.upstream;
        let tls = upstream.tls.as_ref();
        // Pingora checks nothing of a certificate if there is no name.
        let name = tls.map(|tls| tls.name.as_ref().unwrap_or(&upstream.host).clone());
        let mut peer = HttpPeer::new(self.address, tls.is_some(), name.unwrap_or_default());
        peer.group_key = self.server.id;
        if let Some(tls) = tls {
            peer.options.verify_cert = tls.verify != Verify::Nothing;
            peer.options.verify_hostname = tls.verify == Verify::Full;
            peer.options.ca = tls.anchors.as_ref().map(TrustAnchors::certificates);
            peer.client_cert_key = tls.identity.as_ref().map(ClientIdentity::pair);
        }
        peer.options.alpn = match (upstream.protocol, tls) {
            (Protocol::Http1, _) => ALPN::H1,
            (Protocol::Http2, Some(_)) => ALPN::H2H1,
            (Protocol::Http2, None) => ALPN::H2,
        };
        peer.options.max_h2_streams = MAX_STREAMS;
        peer.options.h2_ping_interval = Some(PING_EVERY);
        peer.options.connection_timeout = Some(upstream.connect_timeout);
        peer.options.total_connection_timeout = Some(upstream.connect_timeout);
        peer.options.read_timeout = Some(upstream.read_timeout);
        peer.options.write_timeout = Some(upstream.write_timeout);
        peer.options.idle_timeout = Some(upstream.idle_timeout);
        peer
    }

    pub(crate) fn total_timeout(&self) -> Option<Duration> {
        self.server.upstream.total_timeout
    }

    /// The `Host` it is to be told; `None` for the client's.
    pub(crate) fn host(&self, policy: &HostPolicy) -> Option<String> {
        match policy {
            HostPolicy::Client => None,
            HostPolicy::Upstream => Some(self.server.upstream.authority()),
            HostPolicy::Fixed(host) => Some(host.clone()),
        }
    }

    /// Whether a request may be sent to it. When its time out is over, one request may, and the next one only
    /// as much later.
    pub(super) fn admits(&self) -> bool {
        let until = self.out_until.load(Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.clock.now();
        if now < Timestamp::from_millis(until) {
            return false;
        }
        let next = now.after(self.eject_for).as_millis();
        let mine = self
            .out_until
            .compare_exchange(until, next, Relaxed, Relaxed);
        mine.is_ok()
    }

    /// It could not be connected to, or failed before it answered.
    pub(crate) fn failed(&self, error: &dyn fmt::Display) {
        let until = self.clock.now().after(self.eject_for).as_millis();
        let was_out = self.out_until.swap(until, Relaxed) != 0;
        if !was_out {
            tracing::warn!(upstream = %self.server.upstream, address = %self.address, %error, "the upstream server fails: it is left out for now");
            self.tell();
        }
    }

    /// It answered a request.
    pub(crate) fn succeeded(&self) {
        // Nearly always: no write to what all requests share.
        if self.out_until.load(Relaxed) != 0 && self.out_until.swap(0, Relaxed) != 0 {
            tracing::info!(upstream = %self.server.upstream, address = %self.address, "the upstream server answers again");
            self.tell();
        }
    }

    /// The health check has changed its mind.
    pub(super) fn observed(&self, is_well: bool) {
        self.is_well.store(is_well, Relaxed);
        if is_well {
            self.out_until.store(0, Relaxed);
            tracing::info!(upstream = %self.server.upstream, address = %self.address, "the upstream server passes its health check");
        } else {
            tracing::warn!(upstream = %self.server.upstream, address = %self.address, "the upstream server fails its health check");
        }
        self.tell();
    }

    fn tell(&self) {
        let is_in = self.is_well.load(Relaxed) && self.out_until.load(Relaxed) == 0;
        self.server.health.set(self.address, is_in);
    }

    /// Requests under way, by weight.
    pub(super) fn load(&self) -> usize {
        const SCALE: usize = 100;
        let load = self.load.load(Relaxed).saturating_add(1);
        load.saturating_mul(SCALE) / self.server.upstream.weight.max(1)
    }

    /// Counts a request as under way until what is returned is dropped.
    pub(crate) fn begin(self: Arc<Self>) -> Engaged {
        self.load.fetch_add(1, Relaxed);
        Engaged(self)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.server.health.forget(self.address);
    }
}

/// A member that serves a request.
#[derive(Debug)]
pub(crate) struct Engaged(Arc<Member>);

impl std::ops::Deref for Engaged {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.0
    }
}

impl Drop for Engaged {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Relaxed);
    }
}
