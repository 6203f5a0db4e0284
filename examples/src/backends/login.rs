//! Endpoints, and the keys to them.

use secrecy::SecretString;

use super::setting::Setting;
use crate::run::BoxError;

/// A URL without anything but scheme, host and port.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let has_host = ["http://", "https://"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|host| !host.is_empty() && !host.contains('@'))
    });
    if has_host {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not an endpoint: write https://HOST[:PORT]"
        ))
    }
}

/// A setting, and what was given for it.
pub(super) type Given<T> = (Setting, Option<T>);

/// A pair of keys, if it is given; half of one is an error.
pub(super) fn both<T>(
    (access_setting, access): Given<T>,
    (secret_setting, secret): Given<SecretString>,
) -> Result<Option<(T, SecretString)>, BoxError> {
    const OTHER: &str = "the other half of the keys is given";
    match (access, secret) {
        (None, None) => Ok(None),
        (Some(access), Some(secret)) => Ok(Some((access, secret))),
        (None, Some(_)) => Err(access_setting.missing(OTHER)),
        (Some(_), None) => Err(secret_setting.missing(OTHER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_scheme_and_no_login() {
        for fine in ["https://minio.internal:9000", "http://127.0.0.1:9000"] {
            assert_eq!(endpoint(fine).as_deref(), Ok(fine));
        }
        for wrong in [
            "minio:9000",
            "ftp://minio",
            "https://",
            "https://user:secret@minio",
        ] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn half_of_the_keys_is_none() {
        let keys = |access: Option<&'static str>, secret: Option<&str>| {
            both(
                (Setting("minio.access_key"), access),
                (Setting("minio.secret_key"), secret.map(Into::into)),
            )
        };
        assert!(keys(None, None).unwrap().is_none());
        assert!(keys(Some("id"), Some("canary")).unwrap().is_some());
        let told = keys(Some("id"), None).unwrap_err().to_string();
        assert!(told.contains("TERRACE_MINIO_SECRET_KEY"), "{told}");
        let told = keys(None, Some("canary")).unwrap_err().to_string();
        assert!(told.contains("`minio.access_key`"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}
