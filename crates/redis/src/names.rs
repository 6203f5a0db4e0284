use std::fmt::{self, Write as _};

use terrace_core::{Key, KeyDigest};

/// Into how many parts keys are divided. A part is one slot of a cluster, so that scripts may touch what is in it.
pub(crate) const SHARDS: u64 = 64;

/// The names of Redis keys.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str, kind: &str) -> Self {
        Self {
            prefix: format!("{prefix}:{kind}"),
        }
    }

    pub(crate) fn shard_of(digest: KeyDigest) -> u64 {
        digest.to_u64() % SHARDS
    }

    /// What all names in `shard` begin with. Redis Cluster places a key by what is in braces.
    pub(crate) fn shard(&self, shard: u64) -> String {
        format!("{{{}:{shard:02x}}}", self.prefix)
    }

    /// The name of `what` in `key`'s shard.
    pub(crate) fn of(&self, key: &Key, what: fmt::Arguments<'_>) -> String {
        // Room for the longest: it is made for every command.
        let mut name = String::with_capacity(self.prefix.len() + 80);
        let shard = Self::shard_of(key.primary());
        // Writing to a string does not fail.
        let _ = write!(name, "{{{}:{shard:02x}}}{what}", self.prefix);
        name
    }
}
