use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::FutureExt as _;
use terrace_core::{
    Cas, Clock, Cursor, Error, ErrorKind, IndexCapabilities, IndexPage, IndexStore, Key, OsRandom,
    Random, Record, Result, Retry, Runtime, Timestamp, Version,
};

use crate::calls::{Calls, Sent, sent, within};
use crate::client::client;
use crate::config::DdbConfig;
use crate::cursor;
use crate::error::{Op, Refusal, is_conflict};
use crate::item::{self, EXPIRES_AT, KEY, MAX_RECORD_BYTES, RETAIN_UNTIL};
use crate::table::{Found, Search};

/// Records of one page. DynamoDB ends a page at 1 MiB besides.
const MAX_PAGE: usize = 1000;
/// There is no record, or one past its retention.
const IS_ABSENT: &str = "attribute_not_exists(cache_key) OR retain_until <= :now";
/// There is the record expected, within its retention.
const IS_EXPECTED: &str = "version = :expected AND retain_until > :now";

/// An index in a DynamoDB table.
///
/// A record is one item. Reads are strongly consistent, and one request; a write is one conditional request. All methods
/// may be called by any number of tasks of the runtime it was connected on.
///
/// # Clocks
///
/// DynamoDB's conditions know no clock, so **the caller's decides** what is past its retention: the
/// [`Clock`] given to [`connect`](Self::connect). Two nodes whose clocks differ disagree about a record for as long as they
/// differ: one may have seen it gone when another still changes it. That matters where somebody relies on a
/// record being there, as fills rely on tombstones; how much `DurableTier` bears, its documentation says
/// (half of `tombstone_ttl`, half an hour by default). The same clock signs the requests, uncorrected: DynamoDB refuses those
/// that are signed more than five minutes off its own time, so that the clocks of any two nodes that get an
/// answer differ by ten minutes at most. (DynamoDB Local does not look.)
///
/// DynamoDB removes expired items itself, by its time to live and by its own clock, usually within days. The
/// moment it is told is an hour after the record's retention, so that nobody whose requests it takes still counts on
/// what it removes.
///
/// # Lost answers
///
/// A write that got no answer may have taken effect, and is not repeated: its error says
/// [`Applied::Unknown`](terrace_core::Applied). Repeated is what certainly had no effect (throttling, no connection), and
/// what has none (reads), with growing and random pauses, within [`call_timeout`](DdbConfig::call_timeout). The SDK's own
/// repeats are off: it repeats writes, too, and the repeat of one that was applied is refused by it.
///
/// # Global tables
///
/// In a table with replicas in other regions, the last writer wins: a compare-and-swap in one region knows nothing of
/// one in another, and both succeed. **All nodes that share an index must use one region's replica.** Even
/// then the other regions lag, and a failover to one forgets the last writes, purges among them:
/// [`capabilities`](IndexStore::capabilities) says `durable: false` for a table with replicas. (A table with strong
/// consistency between regions has no time to live, and is refused.)
///
/// # Size
///
/// An item has at most 400 KiB, so a record has at most 399 KiB. Writing costs a unit for each KiB of a record, reading one for
/// each 4 KiB; keep `inline_max` of `DurableTier` small.
pub struct DdbIndex {
    client: Client,
    calls: Calls,
    clock: Arc<dyn Clock>,
    table: String,
    /// What was seen of the table; nothing if it could not be reached.
    found: Option<Found>,
}

impl DdbIndex {
    /// An index in the table that `config` names, checked: its key, its time to live, its replicas. Makes the table if
    /// [`create`](DdbConfig::create) says so, and waits until it is ready; any number of processes may do so at once.
    ///
    /// A table that cannot be *reached* is no error, unless it may have to be made: a cache starts while its index is
    /// away, with a warning; calls fail until it is back, and [`capabilities`](IndexStore::capabilities) says
    /// `durable: false`, because what was not looked at is not promised.
    ///
    /// `runtime` is for deadlines and pauses; `clock` decides what is past its retention, and signs. Connections
    /// belong to the tokio runtime that this and later calls run on.
    ///
    /// Errors: `NotFound` if there is no table; `Invalid` if it has other keys or no time to live, or the configuration is
    /// wrong; `Denied` without credentials, or with wrong ones; `Timeout` and `Unavailable` if a table that is to be made
    /// is not ready within [`start_timeout`](DdbConfig::start_timeout). Dropping it may leave a new table behind.
    pub async fn connect(
        config: DdbConfig,
        runtime: Arc<dyn Runtime>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Self::with_random(config, runtime, clock, &OsRandom).await
    }

    /// As [`connect`](Self::connect), with another source of randomness, which only lengthens pauses.
    pub async fn with_random(
        config: DdbConfig,
        runtime: Arc<dyn Runtime>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self> {
        config.validate()?;
        let client = client(&config, Arc::clone(&clock)).boxed();
        let found = within(&*runtime, config.start_timeout, client).await;
        let (client, place) = found.ok_or_else(|| {
            let message =
                "neither the environment nor the machine says its region in time: set `region`";
            Error::new(ErrorKind::Timeout, "dynamodb.connect", message)
        })??;
        let calls = Calls::new(&config, place, Arc::clone(&runtime), random);
        let search = Search {
            client: &client,
            calls: &calls,
            runtime: &*runtime,
            config: &config,
        };
        let found = match search.run().boxed().await {
            Ok(found) => Some(found),
            Err(error) if error.retry() == Retry::Later && config.create.is_none() => {
                tracing::warn!(%error, "going on without a look at the index's table");
                None
            }
            Err(error) => return Err(error),
        };
        if found.is_some_and(|found| found.is_replicated) {
            tracing::warn!(
                place = calls.place(),
                "the index's table has replicas in other regions: a failover to one may forget purges"
            );
        }
        Ok(Self {
            client,
            calls,
            clock,
            table: config.table,
            found,
        })
    }

    fn now(&self) -> AttributeValue {
        item::present(self.clock.now())
    }

    /// Writes `record` if `condition` holds.
    async fn put(
        &self,
        op: Op,
        key: &Key,
        record: &Record,
        condition: &str,
        expected: Option<Version>,
    ) -> Result<Cas> {
        let len = record.manifest.len();
        if len > MAX_RECORD_BYTES {
            let message = format!("a record of {len} bytes; at most {MAX_RECORD_BYTES} fit");
            return Err(Error::new(ErrorKind::Exhausted, op.name(), message));
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::encode(key, record, self.clock.now())))
            .condition_expression(condition)
            .expression_attribute_values(":now", self.now());
        let put = match expected {
            Some(expected) => put.expression_attribute_values(":expected", version(expected)),
            None => put,
        };
        self.cas(op, || sent(put.clone().send())).await
    }

    /// Whether the condition held of what `send` wrote.
    async fn cas<T: Send + 'static, E: Refusal>(
        &self,
        op: Op,
        send: impl Fn() -> Sent<T, E>,
    ) -> Result<Cas> {
        let answer = |answer: Result<T, Box<SdkError<E>>>| match answer {
            Ok(_) => Ok(Cas::Applied),
            Err(error) if is_conflict(&error) => Ok(Cas::Conflict),
            Err(error) => Err(error),
        };
        let send = || send().map(answer).boxed();
        self.calls.run(op, send).await
    }
}

#[async_trait]
impl IndexStore for DdbIndex {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        const OP: Op = Op::new("dynamodb.get");
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(KEY, item::key(key))
            .consistent_read(true);
        let Some(item) = self.calls.run(OP, || sent(get.clone().send())).await?.item else {
            return Ok(None);
        };
        let record = item::decode(item).ok_or_else(|| OP.damaged(self.calls.place(), key))?;
        Ok(Some(record).filter(|record| item::is_retained(record, self.clock.now())))
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        const OP: Op = Op::write("dynamodb.put_new");
        self.put(OP, key, record, IS_ABSENT, None).await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        const OP: Op = Op::write("dynamodb.cas_update");
        self.put(OP, key, record, IS_EXPECTED, Some(expected)).await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        const OP: Op = Op::write("dynamodb.delete");
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(KEY, item::key(key))
            .condition_expression(IS_EXPECTED)
            .expression_attribute_values(":expected", version(expected))
            .expression_attribute_values(":now", self.now());
        self.cas(OP, || sent(delete.clone().send())).await
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        const OP: Op = Op::write("dynamodb.touch_ttl");
        let touch = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, item::key(key))
            .condition_expression(IS_EXPECTED)
            .expression_attribute_values(":expected", version(expected))
            .expression_attribute_values(":now", self.now())
            .expression_attribute_values(":until", item::moment(retain_until));
        let touch = match item::expires_at(retain_until, self.clock.now()) {
            Some(expires_at) => touch
                .update_expression(format!(
                    "SET {RETAIN_UNTIL} = :until, {EXPIRES_AT} = :expires"
                ))
                .expression_attribute_values(":expires", expires_at),
            None => {
                touch.update_expression(format!("SET {RETAIN_UNTIL} = :until REMOVE {EXPIRES_AT}"))
            }
        };
        self.cas(OP, || sent(touch.clone().send())).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        const OP: Op = Op::new("dynamodb.scan");
        let limit = i32::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1);
        let mut scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(limit);
        if let Some(after) = after {
            let key = AttributeValue::S(cursor::parse(after)?.to_owned());
            scan = scan.exclusive_start_key(KEY, key);
        }
        let page = self.calls.run(OP, || sent(scan.clone().send())).await?;
        let next = match page
            .last_evaluated_key
            .as_ref()
            .and_then(|key| key.get(KEY))
        {
            None => None,
            Some(AttributeValue::S(key)) => Some(cursor::after(key)),
            Some(_) => return Err(OP.damaged(self.calls.place(), "a key that is no text")),
        };
        let now = self.clock.now();
        let records = page
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(|item| {
                let found = of_item(item);
                if found.is_none() {
                    // One damaged item must not keep a walk from the others.
                    tracing::warn!(
                        place = self.calls.place(),
                        "skipped an item this cache did not write"
                    );
                }
                found.filter(|(_, record)| item::is_retained(record, now))
            });
        Ok(IndexPage {
            records: records.collect(),
            next,
        })
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: self.found.is_some_and(|found| !found.is_replicated),
            max_record_bytes: MAX_RECORD_BYTES,
        }
    }
}

fn version(version: Version) -> AttributeValue {
    AttributeValue::S(version.to_string())
}

fn of_item(item: item::Item) -> Option<(Key, Record)> {
    let key = item.get(KEY)?.as_s().ok()?.parse().ok()?;
    Some((key, item::decode(item)?))
}

impl fmt::Debug for DdbIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DdbIndex")
            .field("calls", &self.calls)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}
