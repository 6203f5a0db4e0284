//! Which server has what: rendezvous hashing.
//!
//! Each server draws a number for each group, and the highest has the group (Thaler and Ravishankar, *Using name-based
//! mappings to increase hit rates*, 1998). A server that comes or goes moves its own groups and no others, they spread
//! evenly without virtual nodes, and there is nothing to build or to keep.

use std::sync::Arc;

use terrace_core::{KeyDigest, Random, Result, Runtime};

use crate::config::MemcachedConfig;
use crate::link::{Link, Plan};
use crate::membership::Membership;

/// A server, whatever list it is on: a digest of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServerId(pub(crate) u64);

impl ServerId {
    pub(crate) fn of(address: &str) -> Self {
        Self(KeyDigest::of(&[address.as_bytes()]).to_u64())
    }
}

/// Who of `members` has `group`.
pub(crate) fn owner(members: &[ServerId], group: KeyDigest) -> Option<ServerId> {
    let drawn = |id: &ServerId| mix(id.0 ^ mix(group.to_u64()));
    members.iter().copied().max_by_key(|id| (drawn(id), *id))
}

/// A bijection that leaves no bit where it was (what `SplitMix64` ends with).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The ways to all servers.
#[derive(Debug)]
pub(crate) struct Servers {
    members: Arc<[ServerId]>,
    /// In the order of `members`.
    links: Vec<Link>,
}

impl Servers {
    /// Connects to nothing yet.
    pub(crate) fn new(
        config: &MemcachedConfig,
        runtime: &Arc<dyn Runtime>,
        random: &Arc<dyn Random>,
    ) -> Result<Self> {
        config.validate()?;
        let mut named: Vec<_> = config
            .servers
            .iter()
            .map(|address| (ServerId::of(address), address))
            .collect();
        named.sort_unstable();
        let members: Arc<[ServerId]> = named.iter().map(|(id, _)| *id).collect();
        let link = |&(me, address): &(ServerId, &String)| {
            Link::new(Plan {
                address: address.clone(),
                membership: Membership::new(
                    me,
                    Arc::clone(&members),
                    &config.prefix,
                    config.absence,
                ),
                connect_timeout: config.connect_timeout,
                response_timeout: config.response_timeout,
                runtime: Arc::clone(runtime),
                random: Arc::clone(random),
            })
        };
        let links = named.iter().map(link).collect();
        Ok(Self { members, links })
    }

    /// The server that has `group`, all of it: its objects, and the chunks of their bodies.
    ///
    /// All are connected to from the first call on: each has to learn of the list, for it may have been on another.
    pub(crate) fn of(&self, group: KeyDigest) -> &Link {
        for link in &self.links {
            link.start();
        }
        let owner = owner(&self.members, group);
        let at = owner.and_then(|id| self.members.iter().position(|member| *member == id));
        // There is at least one, and the owner is one of them.
        &self.links[at.unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: u64) -> KeyDigest {
        KeyDigest::of(&[&n.to_le_bytes()])
    }

    fn members(n: usize) -> Vec<ServerId> {
        (0..n)
            .map(|n| ServerId::of(&format!("10.0.0.{n}:11211")))
            .collect()
    }

    #[test]
    fn a_server_that_comes_takes_groups_to_itself_only() {
        let (before, after) = (members(4), members(5));
        for n in 0..10_000 {
            let (old, new) = (owner(&before, group(n)), owner(&after, group(n)));
            assert!(
                new == old || new == Some(after[4]),
                "group {n} moved elsewhere"
            );
        }
    }

    #[test]
    fn all_have_about_as_many() {
        let members = members(5);
        for id in &members {
            let theirs = (0..10_000).filter(|n| owner(&members, group(*n)) == Some(*id));
            let theirs = theirs.count();
            assert!((1_800..2_200).contains(&theirs), "{theirs} of 10000");
        }
    }

    #[test]
    fn the_order_of_the_list_is_nothing() {
        let mut reversed = members(7);
        reversed.reverse();
        for n in 0..100 {
            assert_eq!(owner(&members(7), group(n)), owner(&reversed, group(n)));
        }
    }
}
