use std::collections::BTreeMap;

use clap::Command;
use serde::Deserialize;

use super::{FileError, Loaded, Setting};

/// A section whose keys are options that not every program has: `[tiers]`, and one for each backend.
///
/// It takes any key. Which ones there are is known by the options of the program that reads the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Keys(BTreeMap<String, Setting>);

/// A section of backends, and how its options are found.
pub(super) struct Named<'a> {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// What the ids of its options begin with.
    pub(super) prefix: &'static str,
    /// What `--help` calls them.
    pub(super) heading: &'static str,
    pub(super) keys: &'a Keys,
}

impl Named<'_> {
    /// The settings in it as (option, key, value). Errors for a key that `command` has no option for, and for a secret.
    pub(super) fn settings<'a>(
        &'a self,
        command: &Command,
        of: &Loaded,
    ) -> Result<Vec<(String, String, &'a Setting)>, FileError> {
        let found = self.keys.0.iter().map(|(key, setting)| {
            let id = format!("{}{key}", self.prefix);
            let key = format!("{}.{key}", self.name);
            match self.refused(command, &id, setting) {
                None => Ok((id, key, setting)),
                Some(why) => Err(of.error(&setting.span(), format!("`{key}`: {why}"))),
            }
        });
        found.collect()
    }

    fn refused(&self, command: &Command, id: &str, setting: &Setting) -> Option<String> {
        let options = || command.get_arguments().filter(|it| self.has(it));
        let Some(option) = options().find(|it| it.get_id() == id) else {
            let ids = options().filter_map(|it| it.get_id().as_str().strip_prefix(self.prefix));
            let ids: Vec<_> = ids.collect();
            let program = command.get_name();
            return Some(if ids.is_empty() {
                format!("`{program}` has no {}", self.heading)
            } else {
                format!("`{program}` has no such setting, but {}", ids.join(", "))
            });
        };
        let may_be_secret = option.is_hide_env_values_set();
        (may_be_secret && !is_url_without_password(&setting.get_ref().0)).then(|| {
            let variable = option.get_env().unwrap_or_default().to_string_lossy();
            format!(
                "no secret has a place in this file: set {variable}, or name a file by `{}.{}_file`",
                self.name,
                id.trim_start_matches(self.prefix)
            )
        })
    }

    fn has(&self, option: &clap::Arg) -> bool {
        option.get_help_heading() == Some(self.heading)
    }
}

/// Whether it can be shown to everybody. URLs may stand with commas between them.
fn is_url_without_password(text: &str) -> bool {
    text.split(',').all(|url| {
        let Some((_, rest)) = url.split_once("://") else {
            return false;
        };
        // A password may have a slash in it, although it should not.
        let login = rest.rsplit_once('@').map_or("", |(login, _)| login);
        !login.contains(':') && !rest.to_ascii_lowercase().contains("password=")
    })
}

#[test]
fn p11_what_has_a_password_is_seen() {
    for fine in [
        "redis://10.0.0.1:6379/1",
        "rediss://cache@host",
        "redis://a,redis://b:1",
        "postgresql://terrace@host/db?sslmode=verify-full",
    ] {
        assert!(is_url_without_password(fine), "{fine}");
    }
    for secret in [
        "secret",
        "redis://:secret@host",
        "redis://a,redis://user:secret@b",
        "postgresql://host/db?user=terrace&password=secret",
        "redis://user:sec/ret@host",
    ] {
        assert!(!is_url_without_password(secret), "{secret}");
    }
}
