use serde::Deserialize;

use super::{Section, Setting, Settings};

/// `[server]`: addresses and threads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ServerSection {
    /// `--listen`.
    pub listen: Option<Setting>,
    /// `--admin`.
    pub admin: Option<Setting>,
    /// `--threads`.
    pub threads: Option<Setting>,
    /// `--grace`.
    pub grace: Option<Setting>,
}

impl Section for ServerSection {
    fn settings<'a>(&'a self, settings: &mut Settings<'a>) {
        settings.set("listen", "server.listen", self.listen.as_ref());
        settings.set("admin", "server.admin", self.admin.as_ref());
        settings.set("threads", "server.threads", self.threads.as_ref());
        settings.set("grace", "server.grace", self.grace.as_ref());
    }
}
