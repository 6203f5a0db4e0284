use std::fmt;
use std::str::FromStr;

use crate::error::ConfigError;

/// `example.org`, or `*.example.org` for all hosts below it, however deep, without itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(try_from = "String")
)]
pub struct HostPattern {
    /// In lower case, without a dot at its end.
    name: String,
    is_below: bool,
}

impl HostPattern {
    /// Whether it is for `host`, which is in lower case, has no port, and no dot at its end.
    pub(crate) fn matches(&self, host: &[u8]) -> bool {
        let name = self.name.as_bytes();
        if !self.is_below {
            return host == name;
        }
        let label = host.strip_suffix(name).and_then(|it| it.strip_suffix(b"."));
        label.is_some_and(|label| !label.is_empty())
    }

    /// The one host it is for, if it is for one.
    pub(crate) fn exact(&self) -> Option<&[u8]> {
        (!self.is_below).then_some(self.name.as_bytes())
    }
}

impl FromStr for HostPattern {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (name, is_below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_address = name.starts_with('[') && name.ends_with(']') && !is_below;
        let is_label = |label: &str| {
            let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_host_byte)
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        if !is_address && !name.split('.').all(is_label) {
            return Err(ConfigError::Host(text.to_owned()));
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            is_below,
        })
    }
}

impl TryFrom<String> for HostPattern {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_below { "*." } else { "" };
        write!(f, "{star}{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_host_and_a_star_is_all_below() {
        let matches = |pattern: &str, host: &str| {
            let pattern: HostPattern = pattern.parse().unwrap();
            pattern.matches(host.as_bytes())
        };
        assert!(matches("Example.org", "example.org"));
        assert!(matches("example.org.", "example.org"));
        assert!(!matches("example.org", "www.example.org"));
        assert!(matches("*.example.org", "www.example.org"));
        assert!(matches("*.example.org", "a.b.example.org"));
        assert!(!matches("*.example.org", "example.org"));
        assert!(!matches("*.example.org", "badexample.org"));
        assert!(!matches("*.example.org", ".example.org"));
        assert!(matches("[::1]", "[::1]"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "a b",
            "a..b",
            "*.*.org",
            "w*.org",
            "a:80",
            "http://a",
            "münchen.example",
        ] {
            let error = text.parse::<HostPattern>().unwrap_err().to_string();
            assert!(error.contains("*.example.org"), "{text}: {error}");
        }
    }
}
