//! What a server remembers of the lists of servers it was used under.
//!
//! When a list changes, groups move, and purges with them. A group that comes back to a server later would bring back
//! what was purged elsewhere meanwhile. So each server has one item with an *epoch*, a random number that is as old as the
//! server's memory, and the last *eras*: the lists it was used under, numbered. Each group's head names the epoch and the
//! era it was written in, and counts only if the server had the group in all eras since.
//!
//! A server that is on no list is not told of it. Its item expires when nobody refreshes it for a while, and then what it
//! holds is of another epoch.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use terrace_core::{KeyDigest, Random, crc32c};

use crate::protocol::Ttl;
use crate::servers::{ServerId, owner};

/// How many lists a server remembers. What was written before the first of them does not count any more.
const MAX_ERAS: usize = 8;
/// More than there can be.
const MAX_MEMBERS: usize = 256;
const FORMAT: u8 = 1;

/// What a server remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) epoch: u64,
    /// In order, never empty.
    pub(crate) eras: Vec<Era>,
}

/// A list of servers, in use for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Era {
    pub(crate) number: u32,
    /// In order.
    members: Vec<ServerId>,
}

/// A server's place on the list of this process.
#[derive(Debug)]
pub(crate) struct Membership {
    me: ServerId,
    members: Arc<[ServerId]>,
    /// The item's name.
    pub(crate) name: String,
    /// For how long the item stays when nobody refreshes it.
    pub(crate) ttl: Ttl,
    /// How often it is refreshed.
    pub(crate) refresh: Duration,
}

impl Membership {
    /// `members` are in order.
    pub(crate) fn new(
        me: ServerId,
        members: Arc<[ServerId]>,
        prefix: &str,
        absence: Duration,
    ) -> Self {
        Self {
            me,
            members,
            name: format!("{prefix}:members"),
            ttl: Ttl::at_least(absence),
            refresh: (absence / 4).min(Duration::from_secs(5)),
        }
    }

    /// The history with this process's list as its last era, and whether it has changed by that.
    pub(crate) fn join(&self, history: Option<History>, random: &dyn Random) -> (History, bool) {
        let Some(mut history) = history else {
            return (self.begin(random), true);
        };
        let last = history.eras.last();
        if last.is_some_and(|era| *era.members == *self.members) {
            return (history, false);
        }
        let Some(number) = last.and_then(|era| era.number.checked_add(1)) else {
            return (self.begin(random), true);
        };
        history.eras.push(self.era(number));
        let excess = history.eras.len().saturating_sub(MAX_ERAS);
        history.eras.drain(..excess);
        (history, true)
    }

    fn begin(&self, random: &dyn Random) -> History {
        History {
            epoch: random.next_u64(),
            eras: vec![self.era(1)],
        }
    }

    fn era(&self, number: u32) -> Era {
        Era {
            number,
            members: self.members.to_vec(),
        }
    }

    /// Whether this server has had `group` in all eras since `era`.
    pub(crate) fn has_had(&self, group: KeyDigest, eras: &[Era], era: u32) -> bool {
        let mut since = eras.iter().skip_while(|it| it.number < era);
        let is_known = since.next().is_some_and(|it| it.number == era);
        is_known && since.all(|it| owner(&it.members, group) == Some(self.me))
    }
}

impl History {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = vec![FORMAT];
        bytes.put_u64(self.epoch);
        for era in &self.eras {
            bytes.put_u32(era.number);
            // At most 64 are configured.
            bytes.put_u16(u16::try_from(era.members.len()).unwrap_or(u16::MAX));
            for ServerId(id) in &era.members {
                bytes.put_u64(*id);
            }
        }
        bytes.put_u32(crc32c(&bytes));
        bytes.into()
    }

    /// Nothing if these bytes are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (mut rest, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c(rest) != u32::from_be_bytes(*crc) || rest.try_get_u8().ok()? != FORMAT {
            return None;
        }
        let epoch = rest.try_get_u64().ok()?;
        let mut eras: Vec<Era> = Vec::new();
        while rest.has_remaining() {
            let number = rest.try_get_u32().ok()?;
            let count = usize::from(rest.try_get_u16().ok()?);
            let is_next = eras.last().is_none_or(|last| last.number < number);
            if !is_next || count > MAX_MEMBERS || eras.len() == MAX_ERAS {
                return None;
            }
            let members = (0..count).map(|_| rest.try_get_u64().ok().map(ServerId));
            let members = members.collect::<Option<_>>()?;
            eras.push(Era { number, members });
        }
        (!eras.is_empty()).then_some(Self { epoch, eras })
    }
}

#[cfg(test)]
#[path = "membership/tests.rs"]
mod tests;
