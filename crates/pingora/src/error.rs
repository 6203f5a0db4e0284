use std::error::Error as StdError;

use metrics::{counter, describe_counter};
use pingora_error::{BError, Error, ErrorType};

/// A [`TerraceStorage`](crate::TerraceStorage) was given its tiers a second time; it keeps the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyInstalled;

impl std::fmt::Display for AlreadyInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "this storage already has its tiers: install them once, from one background service",
        )
    }
}

impl StdError for AlreadyInstalled {}

const ERRORS: &str = "terrace_pingora_errors_total";

/// What the bridge could not do, by name: a metric label and the context of an error.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    DecodeMeta,
    EncodeMeta,
    UpdateMeta,
    ReadBody,
    Seek,
    Fill,
    StreamingWrite,
    Purge,
    Expire,
}

#[expect(
    clippy::unnecessary_box_returns,
    reason = "Pingora's errors come in boxes"
)]
impl Op {
    const ALL: [Self; 9] = [
        Self::DecodeMeta,
        Self::EncodeMeta,
        Self::UpdateMeta,
        Self::ReadBody,
        Self::Seek,
        Self::Fill,
        Self::StreamingWrite,
        Self::Purge,
        Self::Expire,
    ];

    /// Says what is counted, and counts nothing: the first failure is to be seen as a change.
    pub(crate) fn describe() {
        describe_counter!(ERRORS, "Operations of the bridge to Pingora that failed");
        for op in Self::ALL {
            counter!(ERRORS, "op" => op.as_str()).increment(0);
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::DecodeMeta => "decode_meta",
            Self::EncodeMeta => "encode_meta",
            Self::UpdateMeta => "update_meta",
            Self::ReadBody => "read_body",
            Self::Seek => "seek",
            Self::Fill => "fill",
            Self::StreamingWrite => "streaming_write",
            Self::Purge => "purge",
            Self::Expire => "expire",
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(self) {
        counter!(ERRORS, "op" => self.as_str()).increment(1);
    }

    /// Counts a failure, and makes Pingora's error of it.
    pub(crate) fn error(self, cause: impl StdError + Send + Sync + 'static) -> BError {
        self.failed();
        // Pingora prints a cause, but not the causes of a foreign cause.
        let context = format!("terrace {}{}", self.as_str(), Sources(&cause));
        Error::because(ErrorType::InternalError, context, cause).into_in()
    }

    /// Counts a failure without a cause, and makes Pingora's error of it.
    pub(crate) fn explain(self, message: &str) -> BError {
        self.failed();
        let context = format!("terrace {}: {message}", self.as_str());
        Error::explain(ErrorType::InternalError, context).into_in()
    }
}

/// The sources of an error, on one line.
struct Sources<'a>(&'a (dyn StdError + 'static));

impl std::fmt::Display for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ", because {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use terrace_core::ErrorKind;

    use super::*;

    #[test]
    fn an_error_says_what_was_done_and_every_cause() {
        let disk = std::io::Error::other("no space left");
        let core = terrace_core::Error::new(ErrorKind::Unavailable, "disk.read", "cannot read")
            .with_source(disk);
        let text = Op::ReadBody.error(core).to_string();
        for part in ["read_body", "disk.read: cannot read", "no space left"] {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
    }
}
