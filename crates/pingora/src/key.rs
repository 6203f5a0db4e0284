use pingora_cache::CacheKey;
use pingora_cache::key::{CacheHashKey, CompactCacheKey};
use terrace_core::{Key, KeyDigest};

/// The Terrace key of a Pingora key.
///
/// Pingora's own digests, so that the two name the same things. A `user_tag` is in neither of
/// them although two Pingora keys that differ in it are different keys; a tag that is not empty is therefore mixed into
/// the primary digest, and an empty one costs nothing.
pub fn key(key: &CacheKey) -> Key {
    from_parts(key)
}

/// The same for the compact form, which eviction managers and purges carry.
pub fn compact_key(key: &CompactCacheKey) -> Key {
    from_parts(key)
}

fn from_parts(key: &impl CacheHashKey) -> Key {
    let mut primary = KeyDigest::new(key.primary_bin());
    let tag = key.user_tag();
    if !tag.is_empty() {
        primary = KeyDigest::of(&[b"user_tag", primary.as_bytes(), tag.as_bytes()]);
    }
    let group = Key::new(primary);
    match key.variance_bin() {
        Some(variance) => group.variant(KeyDigest::new(variance)),
        None => group,
    }
}

/// A Pingora key that maps to storage names of its own for each Terrace key, and back to nothing else.
pub(crate) fn to_cache_key(key: &Key) -> CacheKey {
    let mut cache_key = CacheKey::new(Vec::new(), "");
    cache_key.set_primary_bin_override(*key.primary().as_bytes());
    if let Some(variance) = key.variance() {
        cache_key.set_variance_key(*variance.as_bytes());
    }
    cache_key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varied(tag: &str) -> CacheKey {
        let mut key = CacheKey::new("https://example.com/", tag);
        key.set_variance_key([7; 16]);
        key
    }

    #[test]
    fn both_forms_of_a_pingora_key_are_one_terrace_key() {
        for tag in ["", "tenant"] {
            let plain = CacheKey::new("https://example.com/", tag);
            assert_eq!(key(&plain), compact_key(&plain.to_compact()));
            assert_eq!(key(&varied(tag)), compact_key(&varied(tag).to_compact()));
            assert_eq!(key(&varied(tag)).group(), key(&plain));
        }
    }

    #[test]
    fn without_a_tag_the_digests_are_pingoras_own() {
        let ours = key(&varied(""));
        assert_eq!(*ours.primary().as_bytes(), varied("").primary_bin());
        assert_eq!(ours.variance(), Some(KeyDigest::new([7; 16])));
    }

    #[test]
    fn tags_separate() {
        let keys = ["", "a", "b"].map(|tag| key(&CacheKey::new("x", tag)));
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[1], keys[2]);
    }

    #[test]
    fn a_terrace_key_makes_the_round_trip() {
        let ours = key(&varied("tenant"));
        assert_eq!(key(&to_cache_key(&ours)), ours);
        assert_eq!(key(&to_cache_key(&ours.group())), ours.group());
    }
}
