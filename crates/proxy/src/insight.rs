use std::fmt;
use std::sync::Arc;

use crate::config::ProxyConfig;

/// What a [`CachingProxy`](crate::CachingProxy) shows of itself, for an [`Admin`](crate::Admin) listener of the same
/// process. Clones share it.
#[derive(Clone)]
pub struct Insight {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ProxyConfig>,
}

impl Insight {
    pub(crate) fn new(config: Arc<ProxyConfig>) -> Self {
        Self {
            shared: Arc::new(Shared { config }),
        }
    }

    /// How the proxy was configured.
    pub(crate) fn config(&self) -> &ProxyConfig {
        &self.shared.config
    }
}

impl fmt::Debug for Insight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insight").finish_non_exhaustive()
    }
}
