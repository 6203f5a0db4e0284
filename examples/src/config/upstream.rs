use serde::Deserialize;

use super::{Section, Setting, Settings};

/// `[upstream]`: where responses come from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct UpstreamSection {
    /// `--upstream`.
    pub address: Option<Setting>,
}

impl Section for UpstreamSection {
    fn settings<'a>(&'a self, settings: &mut Settings<'a>) {
        settings.set("upstream", "upstream.address", self.address.as_ref());
    }
}
