use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use metrics::{Gauge, gauge};
use parking_lot::Mutex;

use super::Upstream;

/// Whether a server is well, as the metrics tell: 1 while one of its addresses is, else 0.
///
/// Labelled by what is configured, so that there are no more series than servers.
pub(super) struct Health {
    gauge: Gauge,
    addresses: Mutex<BTreeMap<SocketAddr, bool>>,
}

impl Health {
    pub(super) fn new(group: &str, upstream: &Upstream) -> Self {
        let labels = [
            ("group", group.to_owned()),
            ("upstream", upstream.to_string()),
        ];
        Self {
            gauge: gauge!("terrace_proxy_upstream_healthy", &labels),
            addresses: Mutex::default(),
        }
    }

    pub(super) fn set(&self, address: SocketAddr, is_well: bool) {
        let mut addresses = self.addresses.lock();
        addresses.insert(address, is_well);
        self.tell(&addresses);
    }

    pub(super) fn forget(&self, address: SocketAddr) {
        let mut addresses = self.addresses.lock();
        addresses.remove(&address);
        self.tell(&addresses);
    }

    /// Whether one of its addresses is well; `None` if none is known.
    pub(super) fn is_well(&self) -> Option<bool> {
        let addresses = self.addresses.lock();
        addresses
            .values()
            .copied()
            .reduce(|one, other| one || other)
    }

    fn tell(&self, addresses: &BTreeMap<SocketAddr, bool>) {
        let is_well = addresses.values().any(|is_well| *is_well);
        self.gauge.set(f64::from(u8::from(is_well)));
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addresses.lock().fmt(f)
    }
}
