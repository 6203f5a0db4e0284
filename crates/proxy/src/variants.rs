use std::time::SystemTime;

use parking_lot::Mutex;
use pingora::cache::key::HashBinary;
use quick_cache::sync::Cache;

/// Why one more is not stored.
pub(crate) const TOO_MANY: &str = "variants";

/// URLs of which the variants are counted. The one asked for longest ago is forgotten first, and then counts anew.
const MAX_URLS: usize = 4096;

/// How many variants of each URL are stored, so that a client that makes up header values cannot fill the cache with
/// copies of one page.
///
/// It counts what this process has let in and what has not outlived its use since, not what the tiers hold: after a
/// restart it starts anew.
#[derive(Debug)]
pub(crate) struct Variants {
    max: usize,
    urls: Cache<HashBinary, Known>,
}

/// Shared by the clones that the cache hands out.
type Known = std::sync::Arc<Mutex<Vec<(HashBinary, SystemTime)>>>;

impl Variants {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            urls: Cache::new(MAX_URLS),
        }
    }

    /// Whether the variant `variance` of `url`, of use until `until`, may be stored. If so, it counts.
    pub(crate) fn admits(
        &self,
        url: HashBinary,
        variance: HashBinary,
        until: SystemTime,
        now: SystemTime,
    ) -> bool {
        let known = self
            .urls
            .get_or_insert_with(&url, || Ok::<_, ()>(Known::default()));
        let Ok(known) = known else {
            return true;
        };
        let mut known = known.lock();
        if let Some(there) = known.iter_mut().find(|(it, _)| *it == variance) {
            there.1 = until;
            return true;
        }
        if known.len() >= self.max {
            known.retain(|(_, until)| *until > now);
        }
        let has_room = known.len() < self.max;
        if has_room {
            known.push((variance, until));
        }
        has_room
    }

    /// Its variants are gone: they were purged.
    pub(crate) fn forget(&self, url: &HashBinary) {
        self.urls.remove(url);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn new_variants_are_let_in_while_there_is_room() {
        let variants = Variants::new(2);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let admits =
            |variance, until, now| variants.admits([0; 16], [variance; 16], at(until), at(now));
        assert!(admits(1, 10, 0));
        assert!(admits(2, 20, 0));
        assert!(!admits(3, 30, 0));
        assert!(admits(1, 15, 0), "it is there already");
        assert!(
            variants.admits([1; 16], [3; 16], at(30), at(0)),
            "another URL"
        );
        assert!(!admits(3, 30, 14));
        assert!(admits(3, 30, 15), "the first one has had its time");
        variants.forget(&[0; 16]);
        assert!(admits(4, 40, 15));
    }
}
