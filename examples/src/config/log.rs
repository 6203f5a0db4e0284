use serde::Deserialize;

use super::{Section, Setting, Settings};

/// `[log]`: what is logged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LogSection {
    /// `--access-log`.
    pub access: Option<Setting>,
    /// `--access-log-format`.
    pub access_format: Option<Setting>,
    /// `--access-log-sample`.
    pub access_sample: Option<Setting>,
}

impl Section for LogSection {
    fn settings<'a>(&'a self, settings: &mut Settings<'a>) {
        settings.set("access_log", "log.access", self.access.as_ref());
        let format = self.access_format.as_ref();
        settings.set("access_log_format", "log.access_format", format);
        let sample = self.access_sample.as_ref();
        settings.set("access_log_sample", "log.access_sample", sample);
    }
}
