use std::sync::Arc;
use std::time::Duration;

use terrace_core::{Clock, OsRandom, Random, Result, Runtime, SystemClock};

use super::chunks::{CHUNK_BYTES, Chunks, MAX_CHUNKS};
use super::{MemcachedTier, Shared};
use crate::config::{MemcachedConfig, invalid};
use crate::servers::Servers;

/// Settings of a [`MemcachedTier`].
#[derive(Debug, Clone)]
#[must_use]
pub struct MemcachedTierBuilder {
    config: MemcachedConfig,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    max_object_bytes: u64,
    slack: Duration,
}

impl MemcachedTier {
    /// A tier at `config`, whose connections live on `runtime`.
    pub fn builder(config: MemcachedConfig, runtime: Arc<dyn Runtime>) -> MemcachedTierBuilder {
        MemcachedTierBuilder {
            config,
            runtime,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            max_object_bytes: 64 << 20,
            slack: Duration::from_mins(1),
        }
    }
}

impl MemcachedTierBuilder {
    /// The longest body it takes, in bytes, at most 1 GiB; longer ones are refused with `Exhausted`. Default: 64 MiB.
    pub fn max_object_bytes(mut self, bytes: u64) -> Self {
        self.max_object_bytes = bytes;
        self
    }

    /// For how long an object stays when it is of no use any more. Default: 1 minute.
    pub fn slack(mut self, slack: Duration) -> Self {
        self.slack = slack;
        self
    }

    /// Tells the time. Default: the operating system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes fences and names. Default: the operating system's random numbers.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The tier. It connects with the first call, so that a cache can start while its servers are away.
    ///
    /// Errors with `Invalid` for settings that cannot work.
    pub fn build(self) -> Result<MemcachedTier> {
        if self.max_object_bytes > u64::from(MAX_CHUNKS) * CHUNK_BYTES as u64 {
            return Err(invalid("max_object_bytes is at most 1 GiB"));
        }
        let servers = Servers::new(&self.config, &self.runtime, &self.random)?;
        let servers = Arc::new(servers);
        Ok(MemcachedTier {
            shared: Arc::new(Shared {
                chunks: Chunks::new(Arc::clone(&servers), &self.config.prefix),
                servers,
                prefix: self.config.prefix,
                runtime: self.runtime,
                clock: self.clock,
                random: self.random,
                max_object_bytes: self.max_object_bytes,
                slack: self.slack,
            }),
        })
    }
}
