use terrace_core::{
    Error, ErrorKind, Key, Manifest, ManifestError, Record, Result, Timestamp, Version,
};

/// A record of the index, as it was read.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) retain_until: Timestamp,
    /// `None` if the record is damaged: it counts as empty, and is replaced by its version.
    pub(crate) manifest: Option<Manifest>,
}

impl Seen {
    /// Reads the record of `key`.
    ///
    /// Errors with `Unsupported` if a newer Terrace wrote it: what we cannot read we must not replace.
    pub(crate) fn decode(key: &Key, record: &Record) -> Result<Self> {
        let manifest = match Manifest::decode(key, &record.manifest) {
            Ok(manifest) => Some(manifest),
            Err(cause @ ManifestError::Format(_)) => {
                let message = format!(
                    "the record of {key} was written by a newer version; upgrade this node"
                );
                return Err(
                    Error::new(ErrorKind::Unsupported, "durable.decode", message)
                        .with_source(cause),
                );
            }
            Err(cause) => {
                tracing::warn!(%key, %cause, "damaged index record: it counts as empty");
                None
            }
        };
        Ok(Self {
            version: record.version,
            retain_until: record.retain_until,
            manifest,
        })
    }
}

/// A record that says `manifest`. Errors with `Exhausted` if it is too large.
pub(crate) fn encode(
    manifest: &Manifest,
    version: Version,
    retain_until: Timestamp,
) -> Result<Record> {
    let manifest = manifest.encode().map_err(|cause| {
        let kind = match cause {
            ManifestError::TooLarge(_) => ErrorKind::Exhausted,
            _ => ErrorKind::Internal,
        };
        let message = format!("the metadata of {} cannot be stored", manifest.key);
        Error::new(kind, "durable.encode", message).with_source(cause)
    })?;
    Ok(Record {
        version,
        retain_until,
        manifest,
    })
}
