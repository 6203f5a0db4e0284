use std::time::Duration;

use secrecy::SecretString;
use terrace_core::{Error, ErrorKind, Result};

/// Which table, where it is, and how long to wait for it.
///
/// What is `None` is found as every AWS program finds it: in the environment (`AWS_REGION`, `AWS_PROFILE`,
/// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_DYNAMODB`, …), in `~/.aws`, and from the container or machine it runs on.
#[derive(Debug, Clone)]
pub struct DdbConfig {
    /// The table's name: 3 to 255 letters, digits, `_`, `-` and `.`. Two caches may not share one.
    pub table: String,
    /// How to make the table, and turn its time to live on, where that is missing. Default: not at all; a
    /// table that is missing is then an error, because a mistyped name or region would otherwise be a new,
    /// empty and paid-for table.
    pub create: Option<Billing>,
    /// The region, such as `eu-central-1`.
    pub region: Option<String>,
    /// The profile of `~/.aws` to use.
    pub profile: Option<String>,
    /// Another endpoint: a VPC endpoint, or a DynamoDB Local at `http://127.0.0.1:8000`.
    pub endpoint: Option<String>,
    /// Credentials that do not change. Prefer those of the container or machine, which do.
    pub credentials: Option<DdbCredentials>,
    /// How many calls, and so connections, there are at a time; further calls wait. From 1 to 10,000. Default: 128.
    pub connections: usize,
    /// How long to wait for a connection. Default: 1 s.
    pub connect_timeout: Duration,
    /// How long to wait for one answer. Default: 2 s.
    pub attempt_timeout: Duration,
    /// How long a call may take, with its wait for a connection and its repeats. Default: 5 s. Callers with
    /// shorter deadlines drop the call before.
    pub call_timeout: Duration,
    /// How often a call is tried, where a repeat does no harm. From 1 to 10. Default: 3.
    pub attempts: u32,
    /// How long [`DdbIndex::connect`](crate::DdbIndex::connect) may take, a new table included. Default: 60 s.
    pub start_timeout: Duration,
}

/// What a new table costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// For each request.
    OnDemand,
    /// For capacity, used or not. What exceeds it is throttled.
    Provisioned {
        /// Reads of 4 KiB a second. At least 1.
        read_units: u32,
        /// Writes of 1 KiB a second. At least 1.
        write_units: u32,
    },
}

/// An access key.
#[derive(Debug, Clone)]
pub struct DdbCredentials {
    /// Its name, which is no secret.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
    /// What temporary credentials come with besides.
    pub session_token: Option<SecretString>,
}

impl DdbConfig {
    /// The table called `table`, in the region and with the credentials of the environment.
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            create: None,
            region: None,
            profile: None,
            endpoint: None,
            credentials: None,
            connections: 128,
            connect_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(2),
            call_timeout: Duration::from_secs(5),
            attempts: 3,
            start_timeout: Duration::from_mins(1),
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        check(
            (3..=255).contains(&self.table.len()) && self.table.bytes().all(is_named),
            "table: 3 to 255 letters, digits, '_', '-' and '.'",
        )?;
        check(
            !matches!(
                self.create,
                Some(Billing::Provisioned { read_units, write_units })
                    if read_units == 0 || write_units == 0
            ),
            "create: a provisioned table has at least one unit for reads, and one for writes",
        )?;
        check(
            (1..=10_000).contains(&self.connections),
            "connections: from 1 to 10,000",
        )?;
        check((1..=10).contains(&self.attempts), "attempts: from 1 to 10")?;
        let timeouts = [
            self.connect_timeout,
            self.attempt_timeout,
            self.call_timeout,
            self.start_timeout,
        ];
        check(
            timeouts.iter().all(|timeout| !timeout.is_zero()),
            "a timeout of zero would fail every call",
        )?;
        let is_url = |url: &String| {
            (url.starts_with("http://") || url.starts_with("https://")) && !url.contains('@')
        };
        check(
            self.endpoint.as_ref().is_none_or(is_url),
            "endpoint: a URL that begins with http:// or https://, without a user",
        )
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self, region: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("table {} in {region} at {endpoint}", self.table),
            None => format!("table {} in {region}", self.table),
        }
    }
}

fn check(holds: bool, message: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(invalid(message))
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "dynamodb.config", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        DdbConfig::new("terrace").validate().unwrap();
    }

    #[test]
    fn nonsense_is_refused_by_its_name() {
        type Break = fn(&mut DdbConfig);
        let broken: [(&str, Break); 7] = [
            ("table", |c| c.table = "ab".to_owned()),
            ("table", |c| c.table = "terrace index".to_owned()),
            ("create", |c| {
                c.create = Some(Billing::Provisioned {
                    read_units: 1,
                    write_units: 0,
                });
            }),
            ("connections", |c| c.connections = 0),
            ("attempts", |c| c.attempts = 0),
            ("timeout", |c| c.call_timeout = Duration::ZERO),
            ("endpoint", |c| {
                c.endpoint = Some("localhost:8000".to_owned());
            }),
        ];
        for (field, change) in broken {
            let mut config = DdbConfig::new("terrace");
            change(&mut config);
            let error = config.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(field), "{error}");
        }
    }

    #[test]
    fn p11_no_secret_is_in_any_output() {
        let mut config = DdbConfig::new("terrace");
        config.credentials = Some(DdbCredentials {
            access_key_id: "AKIA".to_owned(),
            secret_access_key: "canary".into(),
            session_token: Some("canary".into()),
        });
        let said = format!("{config:?} {config:#?}");
        assert!(!said.contains("canary"), "{said}");
    }
}
