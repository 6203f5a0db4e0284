use std::sync::Arc;
use std::time::Duration;

use terrace_core::{Clock, OsRandom, Random, Result, Runtime, SystemClock};

use super::chunks::{CHUNK_BYTES, Chunks};
use super::{RedisTier, Shared};
use crate::config::{RedisConfig, invalid};
use crate::link::Link;
use crate::names::Names;
use crate::replicas::Writes;

/// The most chunks a body may have.
const MAX_CHUNKS: u64 = 4096;

/// Settings of a [`RedisTier`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisTierBuilder {
    config: RedisConfig,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    max_object_bytes: u64,
    slack: Duration,
}

impl RedisTier {
    /// A tier at `config`, whose work behind a caller's back runs on `runtime`.
    pub fn builder(config: RedisConfig, runtime: Arc<dyn Runtime>) -> RedisTierBuilder {
        RedisTierBuilder {
            config,
            runtime,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            max_object_bytes: 64 << 20,
            slack: Duration::from_mins(1),
        }
    }
}

impl RedisTierBuilder {
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

    /// The tier. It connects with the first call, so that a cache can start while its Redis is away.
    ///
    /// Errors with `Invalid` for settings that cannot work.
    pub fn build(self) -> Result<RedisTier> {
        if self.max_object_bytes > MAX_CHUNKS * CHUNK_BYTES as u64 {
            return Err(invalid("max_object_bytes is at most 1 GiB"));
        }
        let link = Arc::new(Link::new(&self.config)?);
        let names = Names::new(&self.config.prefix, "tier1");
        let marker = format!("{}wait", names.shard(0));
        let writes = Writes::new(&self.config, &link, marker)?;
        let chunks = Chunks::new(Arc::clone(&link), &self.config.prefix);
        Ok(RedisTier {
            shared: Arc::new(Shared {
                link,
                writes,
                names,
                chunks,
                runtime: self.runtime,
                clock: self.clock,
                random: self.random,
                max_object_bytes: self.max_object_bytes,
                slack: self.slack,
            }),
        })
    }
}
