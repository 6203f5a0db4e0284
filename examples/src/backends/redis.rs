//! Redis, as an index or as L1.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use terrace::backend::IndexStore as _;
use terrace::redis::{RedisConfig, RedisIndex, RedisTier, Replicas};
use terrace::{Key, Runtime, Tier as _};

use super::setting::{Setting, place, prefix, unless_away};
use crate::Unusable;
use crate::cli::secret;
use crate::run::BoxError;
use crate::tiers::Forgets;

const URL: Setting = Setting("redis.url");
const URL_FILE: Setting = Setting("redis.url_file");
const CA: Setting = Setting("redis.ca");

const REPLICAS_TIMEOUT: Duration = Duration::from_secs(1);

/// How to reach Redis, or Valkey.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisArgs {
    /// Where Redis is: `redis://[USER:PASSWORD@]HOST:PORT[/DATABASE]`, or `rediss://` for TLS. Of sentinels, or of a cluster, several
    /// with commas between them. A URL with a password belongs into the variable, or into a file
    #[arg(long, env = "TERRACE_REDIS_URL", value_name = "URL,…", hide_env_values = true, value_parser = secret)]
    pub redis_url: Option<SecretString>,

    /// A file with nothing but that
    #[arg(long, env = "TERRACE_REDIS_URL_FILE", value_name = "FILE")]
    pub redis_url_file: Option<PathBuf>,

    /// The URLs are of sentinels, who know the primary by this name
    #[arg(
        long,
        env = "TERRACE_REDIS_SENTINEL",
        value_name = "NAME",
        conflicts_with = "redis_cluster"
    )]
    pub redis_sentinel: Option<String>,

    /// The URLs are of nodes of a cluster
    #[arg(long, env = "TERRACE_REDIS_CLUSTER")]
    pub redis_cluster: bool,

    /// How many replicas must have a write within a second, or it has failed. Narrows what a failover forgets, purges included,
    /// at the price of a round trip for each write
    #[arg(
        long,
        env = "TERRACE_REDIS_REPLICAS",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=16),
        conflicts_with = "redis_cluster"
    )]
    pub redis_replicas: Option<u32>,

    /// Who may sign the certificates of Redis, in PEM, instead of those the system trusts
    #[arg(long, env = "TERRACE_REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,

    /// Begins the name of every key in Redis: two caches may share a server under two of them
    #[arg(
        long,
        env = "TERRACE_REDIS_PREFIX",
        value_name = "TEXT",
        default_value = "terrace",
        value_parser = prefix
    )]
    pub redis_prefix: String,
}

impl RedisArgs {
    /// What is wrong with the options.
    pub fn check(&self) -> Result<(), BoxError> {
        self.config().map(drop)
    }

    /// Where it is, without passwords: `Redis 10.0.0.1:6379`.
    pub fn place(&self) -> String {
        // An error is for `check` to tell.
        let urls = self.urls().unwrap_or_else(|_| "".into());
        let places: Vec<_> = urls.expose_secret().split(',').map(place).collect();
        format!("Redis {}", places.join(","))
    }

    /// The index in it.
    pub async fn index(&self) -> Result<RedisIndex, BoxError> {
        let index = RedisIndex::new(&self.config()?).map_err(|error| self.unusable(error))?;
        // Otherwise the first request would be the one to find out.
        let answered = index.get(&Key::named("start")).await;
        answered.map_err(|error| self.unusable(error))?;
        Ok(index)
    }

    /// The tier in it, for bodies of at most `max_object_bytes`. It may be away: it is used when it comes.
    pub async fn tier(
        &self,
        max_object_bytes: u64,
        runtime: &Arc<dyn Runtime>,
    ) -> Result<RedisTier, BoxError> {
        let tier = RedisTier::builder(self.config()?, Arc::clone(runtime));
        let tier = tier.max_object_bytes(max_object_bytes).build();
        let tier = tier.map_err(|error| self.unusable(error))?;
        let answered = tier.fence(&Key::named("start")).await;
        unless_away(answered.map_err(|error| self.unusable(error)))?;
        Ok(tier)
    }

    fn config(&self) -> Result<RedisConfig, BoxError> {
        let urls = self.urls()?;
        let urls: Vec<_> = urls.expose_secret().split(',').map(str::trim).collect();
        let mut config = match &self.redis_sentinel {
            Some(name) => RedisConfig::sentinel(name, urls),
            None if self.redis_cluster => RedisConfig::cluster(urls),
            None if urls.len() > 1 => {
                let why = "several are of sentinels (`redis.sentinel`) or of a cluster (`redis.cluster`): say which";
                return Err(URL.wrong(why));
            }
            None => RedisConfig::single(urls.concat()),
        };
        config.prefix.clone_from(&self.redis_prefix);
        config.replicas = self.redis_replicas.map(|count| Replicas {
            count,
            timeout: REPLICAS_TIMEOUT,
        });
        config.authority = self
            .redis_ca
            .as_deref()
            .map(|path| CA.file(path))
            .transpose()?;
        RedisIndex::new(&config).map_err(|error| URL.wrong(error))?;
        Ok(config)
    }

    fn urls(&self) -> Result<SecretString, BoxError> {
        let file = self.redis_url_file.as_deref();
        let urls = URL_FILE.secret(self.redis_url.as_ref(), file)?;
        urls.ok_or_else(|| URL.missing("say where Redis is: redis://HOST:PORT"))
    }

    fn unusable(&self, error: terrace::Error) -> Unusable {
        Unusable::new(format!("{} ({URL})", self.place()), error)
    }
}

/// The server forgets by itself.
impl Forgets for RedisIndex {}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        redis: RedisArgs,
    }

    fn args(line: &str) -> RedisArgs {
        let words = ["redis"].into_iter().chain(line.split_whitespace());
        Only::try_parse_from(words).unwrap().redis
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        for (line, told) in [
            (
                "",
                "`redis.url` (--redis-url, TERRACE_REDIS_URL) is missing",
            ),
            ("--redis-url redis://a,redis://b", "`redis.sentinel`"),
            ("--redis-url 6379", "`redis.url`"),
            ("--redis-url redis://a --redis-ca /no/ca.pem", "`redis.ca`"),
            ("--redis-url-file /no/file", "`redis.url_file`"),
        ] {
            let error = args(line).check().unwrap_err().to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
        for line in [
            "--redis-url redis://a",
            "--redis-url redis://a,redis://b --redis-cluster",
            "--redis-url redis://a,redis://b --redis-sentinel cache",
        ] {
            args(line).check().unwrap();
        }
    }

    #[test]
    fn replicas_are_waited_for_where_that_is_possible() {
        let one = "--redis-url redis://a --redis-replicas 2";
        let replicas = args(one).config().unwrap().replicas;
        assert_eq!(replicas.map(|it| it.count), Some(2));
        let cluster = format!("redis {one} --redis-cluster");
        let error = Only::try_parse_from(cluster.split_whitespace()).unwrap_err();
        assert!(error.to_string().contains("--redis-cluster"), "{error}");
    }

    #[test]
    fn p11_no_password_is_in_any_output() {
        let args = args("--redis-url redis://user:canary@10.0.0.1:6379/3");
        let told = format!("{args:?} {}", args.place());
        assert!(!told.contains("canary"), "{told}");
        assert!(told.contains("Redis 10.0.0.1:6379"), "{told}");
    }
}
