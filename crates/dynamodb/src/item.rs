//! What is stored: one item per key.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use terrace_core::{Key, Record, Timestamp};

/// The item's key: a [`Key`] in its text form.
pub(crate) const KEY: &str = "cache_key";
/// The record's version, as its sixteen hexadecimal digits.
pub(crate) const VERSION: &str = "version";
/// From when on the record counts as absent, in milliseconds since 1970.
pub(crate) const RETAIN_UNTIL: &str = "retain_until";
/// The manifest's bytes.
pub(crate) const MANIFEST: &str = "manifest";
/// From when on DynamoDB may remove the item, in seconds since 1970: its time to live. Missing for never.
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// DynamoDB takes items of 400 KiB, names and numbers included; ours take less than 1 KiB.
pub(crate) const MAX_RECORD_BYTES: usize = (400 - 1) * 1024;

/// DynamoDB removes by its own clock. Nobody's clock is so far behind it that the record is still there to them.
const SLACK: Duration = Duration::from_hours(1);

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn key(key: &Key) -> AttributeValue {
    AttributeValue::S(key.to_string())
}

/// The item of `record`, written at `now`.
pub(crate) fn encode(of: &Key, record: &Record, now: Timestamp) -> Item {
    let attributes = [
        (KEY, key(of)),
        (VERSION, AttributeValue::S(record.version.to_string())),
        (RETAIN_UNTIL, moment(record.retain_until)),
        (
            MANIFEST,
            AttributeValue::B(Blob::new(record.manifest.to_vec())),
        ),
    ];
    let expires_at = expires_at(record.retain_until, now).map(|at| (EXPIRES_AT, at));
    attributes
        .into_iter()
        .chain(expires_at)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The record in `item`; `None` if it is not one we have written.
pub(crate) fn decode(mut item: Item) -> Option<Record> {
    let version = item.get(VERSION)?.as_s().ok()?.parse().ok()?;
    let retain_until = item.get(RETAIN_UNTIL)?.as_n().ok()?.parse().ok()?;
    let AttributeValue::B(manifest) = item.remove(MANIFEST)? else {
        return None;
    };
    Some(Record {
        version,
        retain_until: Timestamp::from_millis(retain_until),
        manifest: manifest.into_inner().into(),
    })
}

pub(crate) fn moment(moment: Timestamp) -> AttributeValue {
    AttributeValue::N(moment.as_millis().to_string())
}

/// The present moment, which is always before "never".
pub(crate) fn present(now: Timestamp) -> AttributeValue {
    moment(now.min(Timestamp::MAX.before(Duration::from_millis(1))))
}

pub(crate) fn is_retained(record: &Record, now: Timestamp) -> bool {
    now < record.retain_until || record.retain_until == Timestamp::MAX
}

/// When DynamoDB may remove what is retained until `retain_until`. Not in the past: what should have been removed
/// five years ago, it leaves alone.
pub(crate) fn expires_at(retain_until: Timestamp, now: Timestamp) -> Option<AttributeValue> {
    /// The end of the year 9999. DynamoDB does not say what it makes of later moments.
    const NEVER: u64 = 253_402_300_799;
    let removable = retain_until.max(now).after(SLACK);
    let seconds = removable.as_millis().div_ceil(1000);
    (seconds <= NEVER).then(|| AttributeValue::N(seconds.to_string()))
}

#[cfg(test)]
mod tests {
    use terrace_core::{KeyDigest, Version};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(2_000_000_000_000);

    fn sample() -> (Key, Record) {
        let record = Record {
            version: Version::from_u64(u64::MAX - 7).unwrap(),
            retain_until: NOW.after(Duration::from_millis(1)),
            manifest: (0..=255).collect(),
        };
        let key = Key::named("a").variant(KeyDigest::of(&[b"gzip"]));
        (key, record)
    }

    #[test]
    fn records_come_back() {
        let (key, record) = sample();
        assert_eq!(decode(encode(&key, &record, NOW)), Some(record));
    }

    #[test]
    fn the_server_removes_nothing_that_is_there_to_somebody() {
        let seconds = |retain_until| match expires_at(retain_until, NOW) {
            Some(AttributeValue::N(seconds)) => seconds.parse::<u64>().ok(),
            other => {
                assert_eq!(other, None);
                None
            }
        };
        let now = NOW.as_millis() / 1000;
        assert_eq!(
            seconds(NOW.after(Duration::from_millis(1))),
            Some(now + 3601)
        );
        assert_eq!(seconds(Timestamp::EPOCH), Some(now + 3600), "long ago");
        assert_eq!(seconds(Timestamp::MAX), None);
        assert_eq!(seconds(Timestamp::from_millis(u64::MAX - 1)), None);
    }

    #[test]
    fn never_has_not_come_by_any_clock() {
        let (_, record) = sample();
        let never = Record {
            retain_until: Timestamp::MAX,
            ..record
        };
        assert!(is_retained(&never, Timestamp::MAX));
        assert_ne!(present(Timestamp::MAX), moment(Timestamp::MAX));
        assert_eq!(present(NOW), moment(NOW));
    }

    #[test]
    fn items_of_somebody_else_are_none() {
        let (key, record) = sample();
        let whole = encode(&key, &record, NOW);
        let text = |it: &str| Some(AttributeValue::S(it.to_owned()));
        let number = |it: &str| Some(AttributeValue::N(it.to_owned()));
        let damages = [
            (VERSION, None),
            (VERSION, number("7")),
            (VERSION, text("")),
            (VERSION, text("0000000000000000")),
            (VERSION, text("FFFFFFFFFFFFFFF8")),
            (VERSION, text("00000000000000001")),
            (VERSION, Some(AttributeValue::Null(true))),
            (RETAIN_UNTIL, None),
            (RETAIN_UNTIL, text("1")),
            (RETAIN_UNTIL, number("-1")),
            (RETAIN_UNTIL, number("1.5")),
            (RETAIN_UNTIL, number("1E+400")),
            (RETAIN_UNTIL, number("18446744073709551616")),
            (MANIFEST, None),
            (MANIFEST, text("bytes")),
            (MANIFEST, Some(AttributeValue::L(Vec::new()))),
            (MANIFEST, Some(AttributeValue::M(HashMap::new()))),
        ];
        for (name, damage) in damages {
            let mut item = whole.clone();
            item.remove(name);
            item.extend(damage.clone().map(|value| (name.to_owned(), value)));
            assert_eq!(decode(item), None, "{name}: {damage:?}");
        }
        assert_eq!(decode(Item::new()), None);
    }
}
