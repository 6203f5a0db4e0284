//! What the options of all servers have in common.

use std::fmt;
use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::run::BoxError;
use crate::wiring::{Told, Unusable};

/// A setting, by its name in the file: `redis.url`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting(pub(super) &'static str);

impl Setting {
    /// An error about it.
    pub(super) fn wrong(self, why: impl fmt::Display) -> BoxError {
        format!("{self}: {why}").into()
    }

    /// An error because it is not there. `what` says what to do.
    pub(super) fn missing(self, what: &str) -> BoxError {
        format!("{self} is missing: {what}").into()
    }

    /// What is in the file that it names.
    pub(super) fn file(self, path: &Path) -> Result<Vec<u8>, BoxError> {
        fs::read(path).map_err(|error| self.wrong(format_args!("{}: {error}", path.display())))
    }

    /// Of a secret, or what may hold one: as it was given, or else what is in `file`, without the white space around it.
    pub(super) fn secret(
        self,
        given: Option<&SecretString>,
        file: Option<&Path>,
    ) -> Result<Option<SecretString>, BoxError> {
        let Some(path) = file.filter(|_| given.is_none()) else {
            return Ok(given.cloned());
        };
        let text = String::from_utf8(self.file(path)?);
        let text = text.map_err(|_| self.wrong("the file is not a text"))?;
        let text = SecretString::from(text);
        Ok(Some(text.expose_secret().trim().into()))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = self.0.replace(['.', '_'], "-");
        let variable = self.0.replace('.', "_").to_uppercase();
        write!(f, "`{}` (--{option}, TERRACE_{variable})", self.0)
    }
}

/// Where a URL leads, without the user and the password in it.
pub(super) fn place(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

/// The proxy starts without a tier above the durable one that is away; a misconfigured one is an error.
pub(super) fn unless_away<T>(answered: Result<T, Unusable>) -> Result<(), BoxError> {
    let error = match answered {
        Ok(_) => return Ok(()),
        Err(error) => BoxError::from(error),
    };
    if Unusable::is_away(&error) {
        tracing::warn!(error = %Told(&*error), "L1 is away: the proxy does without it until it comes");
        return Ok(());
    }
    Err(error)
}

/// What the names of all keys in a server begin with.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
    if text.len() <= 64 && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} cannot begin a key: at most 64 visible ASCII characters, without {{ and }}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_a_place_has_no_login() {
        for (url, expected) in [
            ("redis://user:pass@10.0.0.1:6379/1", "10.0.0.1:6379"),
            ("rediss://:p@ss@host", "host"),
            ("postgresql://host/db?user=x&password=y", "host"),
            ("host:1", "host:1"),
        ] {
            assert_eq!(place(url), expected);
        }
    }

    #[test]
    fn a_setting_is_named_in_all_three_ways() {
        let named = Setting("minio.secret_key").to_string();
        let expected = "`minio.secret_key` (--minio-secret-key, TERRACE_MINIO_SECRET_KEY)";
        assert_eq!(named, expected);
    }

    #[test]
    fn a_secret_is_given_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "from the file\n").unwrap();
        let setting = Setting("redis.url_file");
        let read = |given: Option<&str>, file| {
            let given = given.map(SecretString::from);
            let secret = setting.secret(given.as_ref(), file)?;
            Ok::<_, BoxError>(secret.map(|it| it.expose_secret().to_owned()))
        };
        assert_eq!(read(None, None).unwrap(), None);
        assert_eq!(read(Some("given"), Some(&path)).unwrap().unwrap(), "given");
        assert_eq!(read(None, Some(&path)).unwrap().unwrap(), "from the file");
        let missing = read(None, Some(&folder.path().join("none"))).unwrap_err();
        let told = missing.to_string();
        assert!(
            told.contains("`redis.url_file`") && told.contains("none"),
            "{told}"
        );
    }

    #[test]
    fn a_prefix_leaves_the_slots_of_a_cluster_alone() {
        assert!(prefix("terrace:eu").is_ok());
        for wrong in ["{a}", "a b", "ä"] {
            assert!(prefix(wrong).unwrap_err().contains("64"), "{wrong}");
        }
    }
}
