use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigError;

use super::RuleError;

/// For how long a response is good, counted from when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct Ttl {
    /// Where the origin does not say it.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub default: Option<Duration>,
    /// At least, although the origin says less. Not against `no-store`, `private` or `no-cache`.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub min: Option<Duration>,
    /// At most, although the origin says more.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub max: Option<Duration>,
    /// So long, whatever the origin says. Not against `no-store`, `private` or `no-cache`.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub fixed: Option<Duration>,
}

impl Ttl {
    pub(super) fn validate(&self, key: &str) -> Result<(), RuleError> {
        let others = [self.default, self.min, self.max];
        if self.fixed.is_some() && others.iter().any(Option::is_some) {
            return Err(RuleError::new(format!(
                "`{key}.fixed` leaves nothing for `{key}.default`, `{key}.min` or `{key}.max` to do"
            )));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && max < min
        {
            return Err(RuleError::new(format!(
                "`{key}.max` is less than `{key}.min`"
            )));
        }
        Ok(())
    }

    /// What becomes of a lifetime that the origin gave, or that was assumed.
    pub(super) fn bound(&self, lifetime: Duration) -> Duration {
        let at_least = self.min.map_or(lifetime, |min| lifetime.max(min));
        self.max.map_or(at_least, |max| at_least.min(max))
    }
}

/// One status, `404`, or a class of them, `4xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(try_from = "String")
)]
pub enum Statuses {
    /// That one.
    One(u16),
    /// All that begin with the digit.
    Class(u16),
}

impl FromStr for Statuses {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let class = text.strip_suffix("xx").unwrap_or("").parse::<u16>();
        if let Ok(class @ 2..=5) = class {
            return Ok(Self::Class(class));
        }
        match text.parse::<u16>() {
            // Interim, partial and confirming responses are not stored by themselves.
            Ok(status @ 200..=599) if status != 206 && status != 304 => Ok(Self::One(status)),
            _ => Err(ConfigError::Statuses(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Statuses {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_classes_are_read() {
        for text in ["404", "4xx", "200", "599"] {
            assert_eq!(text.parse::<Statuses>().unwrap().to_string(), text);
        }
        for text in ["", "xx", "1xx", "40x", "99", "600", "206", "304", "4XX"] {
            let error = text.parse::<Statuses>().unwrap_err().to_string();
            assert!(error.contains("5xx"), "{text}: {error}");
        }
    }
}
