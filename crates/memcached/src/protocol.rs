//! The part of Memcached's [meta protocol](https://docs.memcached.org/protocols/meta/) that is needed here.

mod command;
mod reader;

pub(crate) use command::{Command, Condition, OnMiss, Ttl};
pub(crate) use reader::{Answer, Code, Line, Reader, Unreadable};

/// The longest value that is stored, in bytes. The server's limit for items, 1 MiB by default, also counts their names and
/// headers.
pub(crate) const MAX_VALUE_BYTES: usize = 256 * 1024;
/// What the server's limit must leave for names and headers.
pub(crate) const ITEM_OVERHEAD_BYTES: usize = 1024;
