use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Script, ScriptInvocation, cmd};
use terrace_core::{
    Cas, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key,
    MAX_MANIFEST_BYTES, OsRandom, Random, Record, Result, Timestamp, Version,
};

use crate::config::RedisConfig;
use crate::error::Op;
use crate::link::Link;
use crate::names::{Names, SHARDS};
use crate::record::{self, CALL_BYTES};
use crate::replicas::Writes;
use crate::script;

/// A script holds up everybody else.
const MAX_KEYS_PER_SCRIPT: usize = 500;

/// An index store in Redis, or Valkey.
///
/// # What a crash and a failover may lose
///
/// Redis replicates after it has answered, and writes its log to disk once a second unless it is told otherwise. So a
/// write that was acknowledged can be lost: the last second's with the machine, and with a failover whatever the new
/// primary had not received. [`capabilities`](IndexStore::capabilities) says so (`durable: false`). A lost
/// fill is fetched again; **a lost purge is forgotten**, and what it removed may be served until it
/// expires. Where that is not acceptable, use an index that is durable, and Redis as a tier above it.
///
/// [`Replicas`](crate::Replicas) narrow what a failover can lose: a write is then acknowledged when so many have it.
///
/// The server must not evict: set `maxmemory-policy noeviction`, or use a server of its own. An evicted record
/// is a lost one.
///
/// # How it works
///
/// A record is one string, its expiry Redis's own; one command reads it. Writes are scripts that compare and write in
/// one step. Each of 64 shards has a sorted set of its keys, for scans, in the same slot of a cluster. A
/// call that the client had to send again, because a cluster moved a slot, is recognised and takes effect once.
#[derive(Debug)]
pub struct RedisIndex {
    link: Arc<Link>,
    writes: Writes,
    names: Names,
    /// Names this process's calls.
    instance: u64,
    calls: AtomicU64,
}

impl RedisIndex {
    /// An index at `config`. Connects with the first call, so that a cache can start while its Redis is away.
    pub fn new(config: &RedisConfig) -> Result<Self> {
        Self::with_random(config, &OsRandom)
    }

    /// As [`new`](Self::new), with another source of randomness.
    pub fn with_random(config: &RedisConfig, random: &dyn Random) -> Result<Self> {
        let link = Arc::new(Link::new(config)?);
        let names = Names::new(&config.prefix, "index");
        let marker = format!("{}wait", names.shard(0));
        Ok(Self {
            writes: Writes::new(config, &link, marker)?,
            link,
            names,
            instance: random.next_u64(),
            calls: AtomicU64::new(0),
        })
    }

    fn call(&self) -> [u8; CALL_BYTES] {
        let mut call = [0; CALL_BYTES];
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        call[..8].copy_from_slice(&self.instance.to_be_bytes());
        call[8..].copy_from_slice(&number.to_be_bytes());
        call
    }

    fn record_name(&self, key: &Key) -> String {
        self.names.of(key, format_args!("{key}"))
    }

    fn keys_name(&self, shard: u64) -> String {
        format!("{}keys", self.names.shard(shard))
    }

    /// Writes `record` if the present one's version is `expected`, or there is none.
    async fn write(
        &self,
        op: Op,
        key: &Key,
        expected: Option<Version>,
        record: &Record,
    ) -> Result<Cas> {
        if record.manifest.len() > MAX_MANIFEST_BYTES {
            let message = format!(
                "a record of {} bytes; at most {MAX_MANIFEST_BYTES} fit",
                record.manifest.len()
            );
            return Err(Error::new(ErrorKind::Exhausted, op.name(), message));
        }
        let call = self.call();
        let mut write = self.on_record(&script::WRITE, key);
        write
            .arg(
                expected
                    .map(record::version_bytes)
                    .as_ref()
                    .map_or(&[][..], |bytes| bytes),
            )
            .arg(&call[..])
            .arg(record::encode(record, call))
            .arg(record::expiry(record.retain_until))
            .arg(key.to_string());
        self.cas(op, &write).await
    }

    /// A script on one key's record and its shard's set of keys.
    fn on_record<'a>(&self, script: &'a Script, key: &Key) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation
            .key(self.record_name(key))
            .key(self.keys_name(Names::shard_of(key.primary())));
        invocation
    }

    async fn cas(&self, op: Op, invocation: &ScriptInvocation<'_>) -> Result<Cas> {
        let applied: bool = self.writes.script(op, invocation).await?;
        Ok(if applied { Cas::Applied } else { Cas::Conflict })
    }
}

#[async_trait]
impl IndexStore for RedisIndex {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        const OP: Op = Op::new("redis.get");
        let link = self.writes.reader(OP, &self.link).await?;
        let mut get = cmd("GET");
        get.arg(self.record_name(key));
        let Some(bytes) = link.command::<Option<Bytes>>(OP, &get).await? else {
            return Ok(None);
        };
        let record = record::decode(&bytes).ok_or_else(|| OP.damaged("a record"))?;
        Ok(Some(record))
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        self.write(Op::write("redis.put_new"), key, None, record)
            .await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        self.write(Op::write("redis.cas_update"), key, Some(expected), record)
            .await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        let mut delete = self.on_record(&script::DELETE, key);
        let call = self.call();
        let number = u128::from_be_bytes(call);
        let marker = self.names.of(key, format_args!("call:{number:032x}"));
        delete
            .key(marker)
            .arg(&record::version_bytes(expected)[..])
            .arg(key.to_string());
        self.cas(Op::write("redis.delete"), &delete).await
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        let mut touch = self.on_record(&script::TOUCH, key);
        touch
            .arg(&record::version_bytes(expected)[..])
            .arg(&retain_until.as_millis().to_be_bytes()[..])
            .arg(record::expiry(retain_until));
        self.cas(Op::write("redis.touch_ttl"), &touch).await
    }

    /// One script for each shard that is touched.
    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        const OP: Op = Op::new("redis.scan");
        let limit = limit.max(1);
        let mut position = Position::after(after)?;
        let mut records = Vec::new();
        while position.shard < SHARDS && records.len() < limit {
            let wanted = (limit - records.len()).min(MAX_KEYS_PER_SCRIPT);
            let mut scan = script::SCAN.prepare_invoke();
            scan.key(self.keys_name(position.shard))
                .arg(self.names.shard(position.shard))
                .arg(&position.after)
                .arg(wanted);
            let found: Vec<(String, Option<Bytes>)> = self.link.script(OP, &scan).await?;
            let is_last = found.len() < wanted;
            for (name, bytes) in found {
                // One without a record has expired.
                if let Some(bytes) = bytes {
                    let key = name.parse().map_err(|_| OP.damaged("a key"))?;
                    // A damaged one is the reader's to deal with: it will be told by `get`.
                    records.extend(record::decode(&bytes).map(|record| (key, record)));
                }
                position.after = name;
            }
            if is_last {
                position = Position::start_of(position.shard + 1);
            }
        }
        let next = (position.shard < SHARDS).then(|| position.cursor());
        Ok(IndexPage { records, next })
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: false,
            max_record_bytes: MAX_MANIFEST_BYTES,
        }
    }
}

/// How far a scan has come.
struct Position {
    shard: u64,
    /// The last key seen there; empty at its start.
    after: String,
}

impl Position {
    fn start_of(shard: u64) -> Self {
        Self {
            shard,
            after: String::new(),
        }
    }

    fn after(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self::start_of(0));
        };
        let parse = || {
            let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
            let (shard, after) = text.split_once(':')?;
            let is_key = after.is_empty() || after.parse::<Key>().is_ok();
            is_key.then_some(Self {
                shard: shard.parse().ok()?,
                after: after.to_owned(),
            })
        };
        parse().ok_or_else(|| {
            let message = "the cursor is another store's; hand back the one this store gave out";
            Error::new(ErrorKind::Invalid, "redis.scan", message)
        })
    }

    fn cursor(&self) -> Cursor {
        Cursor::new(format!("{}:{}", self.shard, self.after))
    }
}
