use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::ser::{SerializeMap, Serializer};

use super::error::AccessLogError;
use super::escape::push_escaped;
use super::field::Field;
use super::record::{Record, Value};

/// What a line of an [`AccessLog`](super::AccessLog) looks like: `common`, `combined`, `json`, or a text with names in
/// braces: `{remote} {status} "{request}" {tier} {reason}`.
///
/// `{{` and `}}` stand for a brace. What is not known is `-`, in JSON it is left out. The names are in the crate's README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogFormat(Shape);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Json,
    Text(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(Field),
}

const COMMON: &str = r#"{remote} - - [{time_common}] "{request}" {status} {bytes}"#;
const COMBINED: &str =
    r#"{remote} - - [{time_common}] "{request}" {status} {bytes} "{referer}" "{user_agent}""#;

impl AccessLogFormat {
    /// A line, without its end.
    pub(super) fn render(&self, record: &Record<'_>) -> String {
        match &self.0 {
            Shape::Json => json(record),
            Shape::Text(parts) => text(parts, record),
        }
    }
}

fn text(parts: &[Part], record: &Record<'_>) -> String {
    let mut line = String::with_capacity(256);
    for part in parts {
        match part {
            Part::Literal(text) => line.push_str(text),
            Part::Field(field) => match record.value(field) {
                Value::Missing => line.push('-'),
                Value::Number(number) => line.push_str(&number.to_string()),
                Value::Seconds(seconds) => {
                    // Writing to a string cannot fail.
                    let _ = write!(line, "{seconds:.6}");
                }
                Value::Text(text) => push_escaped(&mut line, &text),
            },
        }
    }
    line
}

fn json(record: &Record<'_>) -> String {
    // Writing strings and numbers into memory does not fail.
    let line = write_json(record).unwrap_or_default();
    String::from_utf8(line).unwrap_or_default()
}

fn write_json(record: &Record<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut map = serializer.serialize_map(None)?;
    for (name, field) in Field::NAMED.iter().filter(|(_, it)| !it.is_composed()) {
        match record.value(field) {
            Value::Missing => {}
            Value::Number(number) => map.serialize_entry(name, &number)?,
            Value::Seconds(seconds) => map.serialize_entry(name, &seconds)?,
            Value::Text(text) => {
                let text = super::escape::bounded(&text);
                map.serialize_entry(name, &String::from_utf8_lossy(text))?;
            }
        }
    }
    map.end()?;
    Ok(line)
}

impl FromStr for AccessLogFormat {
    type Err = AccessLogError;

    fn from_str(text: &str) -> Result<Self, AccessLogError> {
        let template = match text {
            "json" => return Ok(Self(Shape::Json)),
            "common" => COMMON,
            "combined" => COMBINED,
            template => template,
        };
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{").or(brace.strip_prefix("}}")) {
                literal.push_str(&brace[..1]);
                rest = after;
                continue;
            }
            let named = brace.strip_prefix('{').and_then(|it| it.split_once('}'));
            let (name, after) = named.ok_or(AccessLogError::Brace)?;
            parts.push(Part::Literal(std::mem::take(&mut literal)));
            parts.push(Part::Field(Field::parse(name)?));
            rest = after;
        }
        literal.push_str(rest);
        parts.push(Part::Literal(literal.replace(['\r', '\n'], " ")));
        Ok(Self(Shape::Text(parts)))
    }
}

impl fmt::Display for AccessLogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shape::Json => f.write_str("json"),
            Shape::Text(_) => f.write_str("text"),
        }
    }
}
