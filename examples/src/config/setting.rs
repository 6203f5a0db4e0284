use std::error::Error as _;
use std::fmt;

use clap::{Arg, Command};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use toml::Spanned;

use super::{FileError, Loaded};

/// A value of the file that stands for an option, and where it is.
pub type Setting = Spanned<Plain>;

/// A text, a number or a truth value, as it would be written on a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain(pub String);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AsWritten)
    }
}

struct AsWritten;

impl Visitor<'_> for AsWritten {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Plain, E> {
        Ok(Plain(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Plain, E> {
        Ok(Plain(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Plain, E> {
        Ok(Plain(number.to_string()))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Plain, E> {
        Ok(Plain(truth.to_string()))
    }
}

/// The values of a file that become defaults of options.
#[derive(Debug, Default)]
pub struct Settings<'a>(Vec<(String, String, &'a Setting)>);

impl<'a> Settings<'a> {
    /// `value` is for the option `id`, which clap knows by the name of its field; in the file it is called `key`.
    pub fn set(
        &mut self,
        id: impl Into<String>,
        key: impl Into<String>,
        value: Option<&'a Setting>,
    ) {
        let named = value.map(|value| (id.into(), key.into(), value));
        self.0.extend(named);
    }

    /// `command`, with these values as the defaults of its options.
    pub(crate) fn into_defaults(
        self,
        mut command: Command,
        of: &Loaded,
    ) -> Result<Command, FileError> {
        for (id, key, setting) in self.0 {
            let value = setting.get_ref().0.clone();
            check(&command, &id, &value)
                .map_err(|why| of.error(&setting.span(), format!("`{key}`: {why}")))?;
            command = command.mut_arg(&id, |arg| arg.default_value(value));
        }
        Ok(command)
    }
}

/// Has the option read the value, so that a mistake is told with its place in the file, not with the option's name.
fn check(command: &Command, id: &str, value: &str) -> Result<(), String> {
    let arg = command.get_arguments().find(|arg| arg.get_id() == id);
    let arg = arg.ok_or_else(|| format!("there is no option `{id}`"))?;
    let alone = Arg::new("value").value_parser(arg.get_value_parser().clone());
    let trial = Command::new("trial").no_binary_name(true).arg(alone);
    let read = trial.try_get_matches_from(["--", value]);
    read.map(drop).map_err(|error| match error.source() {
        Some(why) => why.to_string(),
        None => format!(
            "{value:?} is not one of its values{}",
            possible_values(&error)
        ),
    })
}

fn possible_values(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue};
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!(": {}", values.join(", ")),
        _ => String::new(),
    }
}
