//! The configuration file: `--config FILE`.
//!
//! What the command line or a variable says comes first, then the file, then the defaults. Values that have an option
//! become that option's default ([`Settings`]), so that both are read and checked by the same code.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Command;
use serde::Deserialize;
use terrace::proxy::settings::{CacheSettings, ForwardedSettings, GroupSettings, PurgeSettings};
use terrace::proxy::{HostPattern, KeyRules, ProxyConfig, Rule, Rules};
use toml::Spanned;
use toml::de::DeTable;

use crate::wiring::Told;

mod keys;
mod log;
mod server;
mod setting;
mod upstream;

pub use keys::Keys;
pub use log::LogSection;
pub use server::ServerSection;
pub use setting::{Plain, Setting, Settings};
pub use upstream::UpstreamSection;

use keys::Named;

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct File {
    /// `[server]`: addresses, connections and threads.
    pub server: ServerSection,
    /// `[upstream]`: where responses come from.
    pub upstream: UpstreamSection,
    /// `[upstreams.NAME]`: where responses come from for rules that say so.
    pub upstreams: BTreeMap<String, GroupSettings>,
    /// `[log]`: what is logged.
    pub log: LogSection,
    /// `[cache]`: the options of the cache.
    pub cache: CacheSettings,
    /// `[forwarded]`: what upstreams are told of clients.
    pub forwarded: ForwardedSettings,
    /// `[purge]`: who may purge.
    pub purge: PurgeSettings,
    /// `[tiers]`: what is kept in which tier.
    pub tiers: Keys,
    /// `[redis]`: where Redis is.
    pub redis: Keys,
    /// `[memcached]`: where Memcached is.
    pub memcached: Keys,
    /// `[s3]`: which bucket, and how to reach it.
    pub s3: Keys,
    /// `[minio]`: the same, of MinIO.
    pub minio: Keys,
    /// `[ceph]`: the same, of Ceph.
    pub ceph: Keys,
    /// `[dynamodb]`: which table, and how to reach it.
    pub dynamodb: Keys,
    /// `[cockroach]`: which database, and how to reach it.
    pub cockroach: Keys,
    /// `[key]`: what keys are made of, where no rule says it.
    pub key: KeyRules,
    /// `[host_alias]`: hosts that are others by another name.
    pub host_alias: BTreeMap<HostPattern, String>,
    /// `[[rule]]`: what differs for parts of sites. The first that matches holds.
    pub rule: Vec<Spanned<Rule>>,
}

impl File {
    /// Whether a rule wants requests counted.
    pub fn counts_requests(&self) -> bool {
        let mut rules = self.rule.iter().map(Spanned::get_ref);
        rules.any(|rule| rule.store.second_request)
    }

    /// The sections whose keys depend on the program.
    fn named(&self) -> [Named<'_>; 8] {
        let named = |name, prefix, heading, keys| Named {
            name,
            prefix,
            heading,
            keys,
        };
        [
            named("tiers", "", "Tiers", &self.tiers),
            named("redis", "redis_", "Redis", &self.redis),
            named("memcached", "memcached_", "Memcached", &self.memcached),
            named("s3", "s3_", "S3", &self.s3),
            named("minio", "minio_", "MinIO", &self.minio),
            named("ceph", "ceph_", "Ceph", &self.ceph),
            named("dynamodb", "dynamodb_", "DynamoDB", &self.dynamodb),
            named("cockroach", "cockroach_", "CockroachDB", &self.cockroach),
        ]
    }
}

/// A section whose values are defaults of options.
pub trait Section {
    /// Says which option each value is for.
    fn settings<'a>(&'a self, settings: &mut Settings<'a>);
}

/// A file that was read.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub file: File,
    path: PathBuf,
    text: String,
}

impl Loaded {
    /// Reads the file at `path`; without one, everything is as if the file were empty.
    pub fn read(path: Option<&Path>) -> Result<Self, FileError> {
        let path = path.unwrap_or(Path::new(""));
        let text = if path.as_os_str().is_empty() {
            String::new()
        } else {
            fs::read_to_string(path).map_err(|error| FileError::whole(path, &error))?
        };
        match toml::from_str(&text) {
            Ok(file) => Ok(Self {
                file,
                path: path.to_owned(),
                text,
            }),
            Err(error) => Err(FileError::of_toml(path, &text, error)),
        }
    }

    /// `command`, with what the file says as the defaults of its options.
    pub(crate) fn apply_to(&self, command: Command) -> Result<Command, FileError> {
        let mut settings = Settings::default();
        self.file.server.settings(&mut settings);
        self.file.upstream.settings(&mut settings);
        self.file.log.settings(&mut settings);
        let named = self.file.named();
        for section in &named {
            for (id, key, setting) in section.settings(&command, self)? {
                settings.set(id, key, Some(setting));
            }
        }
        settings.into_defaults(command, self)
    }

    /// Writes the rules and the keys into `config`, and says where the first mistake in them is.
    pub fn apply_rules(&self, config: &mut ProxyConfig) -> Result<(), FileError> {
        let File {
            key,
            host_alias,
            rule,
            ..
        } = &self.file;
        let mut rules = Rules::default();
        rules.key.clone_from(key);
        rules
            .validate()
            .map_err(|(_, why)| self.error_at(&["key"], why))?;
        rules.host_alias.clone_from(host_alias);
        rules
            .list
            .extend(rule.iter().map(|it| it.get_ref().clone()));
        rules
            .validate()
            .map_err(|(number, why)| self.error_in_rule(number, why))?;
        config.rules = rules;
        Ok(())
    }

    /// Reads the groups of upstreams, and the certificates they name, into `config`.
    pub fn apply_upstreams(&self, config: &mut ProxyConfig) -> Result<(), FileError> {
        for (name, settings) in &self.file.upstreams {
            let group = settings.group().map_err(|why| {
                let what = format!("`upstreams.{name}`: {}", Told(&why));
                self.error_at(&["upstreams", name], what)
            })?;
            config.upstreams.insert(name.clone(), group);
        }
        Ok(())
    }

    /// An error about a rule, counted from 1, or about what there is beside the rules.
    pub fn error_in_rule(&self, number: usize, why: impl fmt::Display) -> FileError {
        let named = number.checked_sub(1);
        let Some(rule) = named.and_then(|index| self.file.rule.get(index)) else {
            return self.error_at(&["host_alias"], why);
        };
        let line = self.line(&rule.span());
        FileError {
            path: self.path.clone(),
            line: None,
            what: format!("rule {number} (`[[rule]]` at line {line}): {why}"),
        }
    }

    /// An error about what stands under `key`, with its line if it does stand there.
    pub fn error_at(&self, key: &[&str], what: impl fmt::Display) -> FileError {
        FileError {
            path: self.path.clone(),
            line: self.line_of(key),
            what: what.to_string(),
        }
    }

    /// The line of what stands under `key`, a path of tables.
    pub fn line_of(&self, key: &[&str]) -> Option<usize> {
        let document = DeTable::parse(&self.text).ok()?;
        let (last, tables) = key.split_last()?;
        let mut table = document.get_ref();
        for name in tables {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        let (name, _) = table.get_key_value(*last)?;
        Some(self.line(&name.span()))
    }

    /// The line `span` begins in, from 1.
    pub fn line(&self, span: &Range<usize>) -> usize {
        line(&self.text, span)
    }

    /// An error in this file.
    pub fn error(&self, span: &Range<usize>, what: impl fmt::Display) -> FileError {
        FileError {
            path: self.path.clone(),
            line: Some(self.line(span)),
            what: what.to_string(),
        }
    }
}

/// What is wrong with the file, on one line.
///
/// It does not show the line itself: what stands there may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    path: PathBuf,
    line: Option<usize>,
    what: String,
}

impl FileError {
    fn whole(path: &Path, what: &dyn fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what: format!("cannot be read: {what}"),
        }
    }

    fn of_toml(path: &Path, text: &str, mut error: toml::de::Error) -> Self {
        let line = error.span().map(|span| line(text, &span));
        // Otherwise it would show the line.
        error.set_input(None);
        let what = error.to_string();
        Self {
            path: path.to_owned(),
            line,
            what: what.trim_end().replace('\n', ", "),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for FileError {}

fn line(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|&&byte| byte == b'\n').count() + 1
}
