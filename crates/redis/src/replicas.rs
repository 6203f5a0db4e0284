use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation, cmd};
use terrace_core::{Error, ErrorKind, Result};

use crate::config::{RedisConfig, Topology, invalid};
use crate::error::Op;
use crate::link::{Connection, Link};

/// How many replicas must have a write before it is acknowledged (Redis's `WAIT`).
///
/// It narrows what a failover can lose, and does not close it: the replicas have the write in memory, and one that does not may
/// become the primary all the same. With sentinels the replica that has received most is preferred, so that what one
/// replica has is lost only if it is lost too, or cut off, or if the old primary acknowledged it when it was itself cut off
/// together with its replicas. So `capabilities()` still says `durable: false`.
///
/// What it costs: a second round trip, to the server and on to its replicas, for each commit, purge and compare-and-swap; reads
/// cost what they did. Such writes share a connection of their own, on which each waits for those before it. Where too few
/// replicas are reachable, they fail after [`timeout`](Self::timeout), although the primary has them: the cache goes on
/// without storing, and purges are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// How many, at least 1.
    pub count: u32,
    /// For how long to wait for them: at least a millisecond, and shorter than
    /// [`response_timeout`](RedisConfig::response_timeout).
    pub timeout: Duration,
}

impl Replicas {
    pub(crate) fn validate(self, config: &RedisConfig) -> Result<()> {
        if self.count == 0 {
            return Err(invalid(
                "replicas.count is at least 1: say None to wait for none",
            ));
        }
        if self.timeout < Duration::from_millis(1) || self.timeout >= config.response_timeout {
            return Err(invalid(
                "replicas.timeout is at least a millisecond, and shorter than response_timeout",
            ));
        }
        if config.topology == Topology::Cluster {
            // A client of a cluster connects anew by itself, and a new connection has nothing to wait for.
            return Err(invalid(
                "replicas cannot be waited for in a cluster: set `min-replicas-to-write` on its nodes instead",
            ));
        }
        Ok(())
    }

    fn wait(self) -> Cmd {
        let mut wait = cmd("WAIT");
        wait.arg(self.count)
            .arg(u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX));
        wait
    }

    /// What it means that `reached` have it.
    fn check(self, op: Op, reached: u32) -> Result<()> {
        if reached >= self.count {
            return Ok(());
        }
        let message = format!(
            "{reached} of {} replicas have the write: are they up, and connected to this primary?",
            self.count
        );
        Err(Error::new(ErrorKind::Unavailable, op.name(), message).maybe_applied())
    }
}

/// The way for writes: as for all the rest, or one on which they wait for replicas.
pub(crate) struct Writes {
    link: Arc<Link>,
    waits: Option<Waits>,
}

struct Waits {
    replicas: Replicas,
    /// A key that nobody reads.
    marker: String,
    /// Writes of which it is not known whether the replicas have them, and how many of them that matters for no more.
    unsure: AtomicU64,
    settled: AtomicU64,
}

impl Writes {
    /// On `link`, or, if they wait, on one of their own: nothing else should stand behind them. `marker` is a key to write to.
    pub(crate) fn new(config: &RedisConfig, link: &Arc<Link>, marker: String) -> Result<Self> {
        let Some(replicas) = config.replicas else {
            return Ok(Self {
                link: Arc::clone(link),
                waits: None,
            });
        };
        Ok(Self {
            link: Arc::new(Link::new(config)?),
            waits: Some(Waits {
                replicas,
                marker,
                unsure: AtomicU64::new(0),
                settled: AtomicU64::new(0),
            }),
        })
    }

    /// Runs a script that writes, and waits for the replicas to have what it wrote.
    pub(crate) async fn script<T: FromRedisValue + Send>(
        &self,
        op: Op,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        match &self.waits {
            None => self.link.script(op, script).await,
            Some(waits) => {
                let write =
                    async |connection: &mut Connection| script.invoke_async(connection).await;
                let written = self.write(op, waits, write).await;
                if written
                    .as_ref()
                    .is_err_and(|error| error.applied() == terrace_core::Applied::Unknown)
                {
                    waits.unsure.fetch_add(1, Ordering::AcqRel);
                }
                written
            }
        }
    }

    /// Where to read: elsewhere than usual after a write of which it is not sure that replicas have it. Who asks whether it took
    /// effect must not take the primary's word for it; so they get it first.
    pub(crate) async fn reader<'a>(&'a self, op: Op, usual: &'a Link) -> Result<&'a Link> {
        let Some(waits) = &self.waits else {
            return Ok(usual);
        };
        let unsure = waits.unsure.load(Ordering::Acquire);
        if waits.settled.load(Ordering::Acquire) >= unsure {
            return Ok(usual);
        }
        // A connection has nothing to wait for before it has written. What this primary had before, its replicas get before.
        let mut set = cmd("SET");
        set.arg(&waits.marker).arg("").arg("PX").arg(1);
        let write = async |connection: &mut Connection| set.query_async(connection).await;
        self.write::<()>(op, waits, write).await?;
        waits.settled.fetch_max(unsure, Ordering::AcqRel);
        Ok(&self.link)
    }

    /// On one connection, for it waits for what was written on it, and for nothing else.
    async fn write<T>(
        &self,
        op: Op,
        waits: &Waits,
        write: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T> {
        let wait = waits.replicas.wait();
        let mut is_written = false;
        let both = async |connection: &mut Connection| {
            let written = write(connection).await?;
            is_written = true;
            let reached: u32 = wait.query_async(connection).await?;
            Ok((written, reached))
        };
        let (written, reached) = match self.link.run(op, both).await {
            Err(error) if is_written => return Err(error.maybe_applied()),
            both => both?,
        };
        waits.replicas.check(op, reached)?;
        Ok(written)
    }
}

impl fmt::Debug for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas = self.waits.as_ref().map(|waits| waits.replicas);
        f.debug_struct("Writes")
            .field("replicas", &replicas)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        let waiting = |mut config: RedisConfig, count, timeout| {
            config.replicas = Some(Replicas { count, timeout });
            config.validate().is_ok()
        };
        let single = || RedisConfig::single("redis://127.0.0.1");
        let second = Duration::from_secs(1);
        assert!(waiting(single(), 2, second));
        assert!(!waiting(single(), 0, second), "for nobody");
        assert!(!waiting(single(), 1, Duration::ZERO), "zero is for ever");
        let longer = single().response_timeout;
        assert!(!waiting(single(), 1, longer), "longer than any answer may");
        let cluster = RedisConfig::cluster(["redis://127.0.0.1"]);
        assert!(!waiting(cluster, 1, second));
    }
}
