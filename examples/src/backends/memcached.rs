//! Memcached, as L1.

use std::sync::Arc;

use clap::Args;
use terrace::memcached::{MemcachedConfig, MemcachedTier};
use terrace::{Key, Runtime, Tier as _};

use super::setting::{Setting, prefix, unless_away};
use crate::run::BoxError;
use crate::wiring::Unusable;

const SERVERS: Setting = Setting("memcached.servers");

/// How to reach Memcached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memcached")]
pub struct MemcachedArgs {
    /// Where the servers are: `HOST:PORT`, or `unix:/path`, with commas between them. All proxies that share them must write
    /// them in the same way
    #[arg(long, env = "TERRACE_MEMCACHED_SERVERS", value_name = "ADDRESS,…")]
    pub memcached_servers: Option<String>,

    /// Begins the name of every item: two caches may share servers under two of them
    #[arg(
        long,
        env = "TERRACE_MEMCACHED_PREFIX",
        value_name = "TEXT",
        default_value = "terrace",
        value_parser = prefix
    )]
    pub memcached_prefix: String,
}

impl MemcachedArgs {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is: `Memcached 10.0.0.1:11211,10.0.0.2:11211`.
    pub fn place(&self) -> String {
        format!("Memcached {}", self.servers().collect::<Vec<_>>().join(","))
    }

    /// The tier in it, for bodies of at most `max_object_bytes`. It may be away: it is used when it comes.
    pub async fn tier(
        &self,
        max_object_bytes: u64,
        runtime: &Arc<dyn Runtime>,
    ) -> Result<MemcachedTier, BoxError> {
        let tier = MemcachedTier::builder(self.config()?, Arc::clone(runtime));
        let tier = tier.max_object_bytes(max_object_bytes).build();
        let tier = tier.map_err(|error| self.unusable(error))?;
        let answered = tier.fence(&Key::named("start")).await;
        unless_away(answered.map_err(|error| self.unusable(error)))?;
        Ok(tier)
    }

    fn config(&self) -> Result<MemcachedConfig, BoxError> {
        if self.memcached_servers.is_none() {
            return Err(SERVERS.missing("say where Memcached is: HOST:PORT"));
        }
        let mut config = MemcachedConfig::new(self.servers());
        config.prefix.clone_from(&self.memcached_prefix);
        config.validate().map_err(|error| SERVERS.wrong(error))?;
        Ok(config)
    }

    fn servers(&self) -> impl Iterator<Item = &str> {
        let servers = self.memcached_servers.iter();
        servers.flat_map(|it| it.split(',').map(str::trim))
    }

    fn unusable(&self, error: terrace::Error) -> Unusable {
        Unusable::new(format!("{} ({SERVERS})", self.place()), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        let check = |servers: Option<&str>| {
            let args = MemcachedArgs {
                memcached_servers: servers.map(str::to_owned),
                memcached_prefix: "terrace".to_owned(),
            };
            args.check()
        };
        check(Some("10.0.0.1:11211, unix:/run/memcached")).unwrap();
        for (servers, told) in [(None, "missing"), (Some("10.0.0.1"), "'10.0.0.1'")] {
            let error = check(servers).unwrap_err().to_string();
            let named = error.contains("`memcached.servers`");
            assert!(named && error.contains(told), "{error}");
        }
    }
}
