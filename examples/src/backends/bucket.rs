//! What S3, MinIO and Ceph have in common.

use std::path::Path;

use secrecy::SecretString;
use terrace::object_store::s3::{BucketOptions, Credentials};

use super::login::{Given, both};
use super::setting::Setting;
use crate::run::BoxError;

/// The name of a bucket.
pub(super) fn bucket(text: &str) -> Result<String, String> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    if (3..=63).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no name of a bucket: 3 to 63 letters, digits, '-' and '.'"
        ))
    }
}

/// A pair of keys as credentials, if they are given.
pub(super) fn credentials(
    access: Given<&str>,
    secret: Given<SecretString>,
) -> Result<Option<Credentials>, BoxError> {
    let keys = both(access, secret)?;
    Ok(keys.map(|(access, secret)| Credentials::keys(access, secret)))
}

/// What rarely differs between stores.
pub(super) fn options(
    prefix: &str,
    authority: Option<(Setting, &Path)>,
    create: bool,
) -> Result<BucketOptions, BoxError> {
    let mut options = BucketOptions::default();
    prefix.clone_into(&mut options.bodies.prefix);
    options.authority = authority
        .map(|(setting, path)| setting.file(path))
        .transpose()?;
    options.create_bucket = create;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_plain_name() {
        assert!(bucket("terrace-bodies.eu").is_ok());
        for wrong in ["", "ab", "a/b/c", "with space"] {
            assert!(bucket(wrong).unwrap_err().contains("3 to 63"), "{wrong}");
        }
    }
}
