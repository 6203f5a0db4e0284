//! Values as people write them in a configuration file, for `#[serde(deserialize_with = "…")]`: durations (`90s`, `1h 30m`),
//! numbers of bytes (`64MiB`), and lists of which a single element may stand for itself.
//!
//! A number without a unit is refused: in one file it would be seconds, in the next one milliseconds.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use terrace_core::Level;

/// A duration with units, in a field that may be left out.
pub fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    from.deserialize_str(Text {
        parse: |text| humantime::parse_duration(text).ok(),
        expected: "a duration with a unit, such as \"90s\", \"10m\" or \"1h 30m\"",
    })
    .map(Some)
}

/// Durations by status codes: `{ 404 = "10s" }`.
pub fn by_status<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<u16, Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Lifetime(#[serde(deserialize_with = "duration")] Option<Duration>);

    let said = BTreeMap::<String, Lifetime>::deserialize(from)?;
    let read = |(status, Lifetime(lifetime)): (String, Lifetime)| {
        let odd = || D::Error::invalid_value(Unexpected::Str(&status), &"a status such as 404");
        Ok((
            status.parse().map_err(|_| odd())?,
            lifetime.unwrap_or_default(),
        ))
    };
    said.into_iter().map(read).collect()
}

/// A number of bytes with a unit, in a field that may be left out.
pub fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    from.deserialize_str(Text {
        parse: |text| Some(text.parse::<ByteSize>().ok()?.as_u64()),
        expected: "a number of bytes, such as \"64MiB\", \"2GB\" or \"4096B\"",
    })
    .map(Some)
}

/// What can be read from text.
pub fn one<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(from)?;
    text.parse().map_err(D::Error::custom)
}

/// As [`list`], in a field that may be left out: an empty list is not the same as none.
pub fn some_list<'de, D, T>(from: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    list(from).map(Some)
}

/// Names of tiers, `"L0"` to `"L3"`, in a field that may be left out.
pub fn levels<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Level>>, D::Error> {
    let names: Vec<String> = list(from)?;
    let level = |name: String| {
        let level = Level::ALL.into_iter().find(|level| level.as_str() == name);
        level
            .ok_or_else(|| D::Error::custom(format!("{name:?} is no tier: write L0, L1, L2 or L3")))
    };
    names
        .into_iter()
        .map(level)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// A list of what can be read from text. `x = "a"` is the same as `x = ["a"]`.
pub fn list<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    from.deserialize_any(List(PhantomData))
}

struct Text<T> {
    parse: fn(&str) -> Option<T>,
    expected: &'static str,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(vec![text.parse().map_err(E::custom)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(text) = from.next_element::<String>()? {
            list.push(text.parse().map_err(A::Error::custom)?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, MapDeserializer};

    use super::*;

    fn read(status: &str, lifetime: &str) -> Result<BTreeMap<u16, Duration>, Error> {
        by_status(MapDeserializer::new([(status, lifetime)].into_iter()))
    }

    #[test]
    fn lifetimes_are_read_by_status() {
        let lifetimes = read("404", "1m 30s").unwrap();
        assert_eq!(lifetimes, BTreeMap::from([(404, Duration::from_secs(90))]));
        for (status, lifetime) in [("4xx", "1m"), ("404", "60"), ("-404", "1m")] {
            let error = read(status, lifetime).unwrap_err().to_string();
            let odd = if lifetime == "60" { lifetime } else { status };
            assert!(error.contains(odd), "{error}");
        }
    }
}
