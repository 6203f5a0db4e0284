use std::borrow::Cow;
use std::time::SystemTime;

use http::{HeaderValue, Version, header};

use super::field::Field;
use crate::done::Done;
use crate::key;

/// What a line tells of a request.
pub(super) struct Record<'a> {
    done: &'a Done<'a>,
    id: &'a str,
}

/// One of its values.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    Number(u64),
    Seconds(f64),
    /// As it was received: to be escaped.
    Text(Cow<'a, [u8]>),
}

impl<'a> Record<'a> {
    pub(super) fn new(done: &'a Done<'a>, id: &'a str) -> Self {
        Self { done, id }
    }

    pub(super) fn value(&self, field: &Field) -> Value<'a> {
        let done = self.done;
        let req = done.req();
        match field {
            Field::Time => owned(humantime::format_rfc3339_millis(done.at.into()).to_string()),
            Field::CommonTime => common_time(done.at.into()),
            Field::Id => plain(self.id),
            Field::TraceId => trace_id(req.headers.get("traceparent")),
            Field::Remote => done
                .peer()
                .map_or(Value::Missing, |it| owned(it.to_string())),
            Field::Method => Value::Text(Cow::Borrowed(req.method.as_str().as_bytes())),
            Field::Scheme => plain(done.scheme().as_str()),
            Field::Host => bytes(key::authority(req)),
            Field::Path => bytes(req.raw_path()),
            Field::Version => plain(version(req.version)),
            Field::Request => Value::Text(Cow::Owned(self.request_line())),
            Field::Status if done.status == 0 => Value::Missing,
            Field::Status => Value::Number(done.status.into()),
            Field::Bytes => Value::Number(done.bytes),
            Field::Duration => Value::Seconds(done.took.as_secs_f64()),
            Field::Outcome => plain(done.outcome),
            Field::Tier => done.tier().map_or(Value::Missing, plain),
            Field::CacheStatus => done
                .cache_status()
                .map_or(Value::Missing, |it| bytes(it.as_bytes())),
            Field::Reason => done.reason().map_or(Value::Missing, plain),
            Field::UpstreamStatus => {
                let status = done.upstream_status().map(u64::from);
                status.map_or(Value::Missing, Value::Number)
            }
            Field::Generation => {
                let generation = done.generation().map(|it| owned(it.to_string()));
                generation.unwrap_or(Value::Missing)
            }
            Field::Referer => value(req.headers.get(header::REFERER)),
            Field::UserAgent => value(req.headers.get(header::USER_AGENT)),
            Field::Header(name) => value(req.headers.get(name)),
        }
    }

    fn request_line(&self) -> Vec<u8> {
        let req = self.done.req();
        let method = req.method.as_str().as_bytes();
        let version = version(req.version).as_bytes();
        [method, req.raw_path(), version].join(&b' ')
    }
}

fn plain(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text.as_bytes()))
}

fn owned<'a>(text: String) -> Value<'a> {
    Value::Text(Cow::Owned(text.into_bytes()))
}

fn bytes(text: &[u8]) -> Value<'_> {
    if text.is_empty() {
        return Value::Missing;
    }
    Value::Text(Cow::Borrowed(text))
}

fn value(value: Option<&HeaderValue>) -> Value<'_> {
    bytes(value.map_or(b"", HeaderValue::as_bytes))
}

/// The second part of a `traceparent` (W3C Trace Context), if it looks like one.
fn trace_id(header: Option<&HeaderValue>) -> Value<'_> {
    let text = header.and_then(|it| it.to_str().ok());
    let id = text.and_then(|text| text.split('-').nth(1));
    let id = id.filter(|id| id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit()));
    id.map_or(Value::Missing, plain)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// `06/Nov/1994:08:49:37 +0000`, made of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn common_time<'a>(at: SystemTime) -> Value<'a> {
    let date = httpdate::fmt_http_date(at);
    let words: Vec<&str> = date.split(' ').collect();
    match words[..] {
        [_, day, month, year, time, _] => owned(format!("{day}/{month}/{year}:{time} +0000")),
        // It has always six words.
        _ => Value::Missing,
    }
}
