use std::fmt;
use std::sync::Arc;

use crate::config::ProxyConfig;
use crate::in_flight::InFlight;

/// What a [`CachingProxy`](crate::CachingProxy) shows of itself, for an [`Admin`](crate::Admin) listener of the same
/// process. Clones share it.
#[derive(Clone)]
pub struct Insight {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ProxyConfig>,
    in_flight: InFlight,
}

impl Insight {
    pub(crate) fn new(config: Arc<ProxyConfig>, in_flight: InFlight) -> Self {
        Self {
            shared: Arc::new(Shared { config, in_flight }),
        }
    }

    /// What the proxy calls itself, in `Via` and `Cache-Status`.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// The requests being served.
    pub fn in_flight(&self) -> &InFlight {
        &self.shared.in_flight
    }
}

impl fmt::Debug for Insight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insight").finish_non_exhaustive()
    }
}
