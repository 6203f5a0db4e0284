use hyper::header::{CACHE_CONTROL, ETAG};

use crate::support::{Answer, Content, KIB, MIB, Origin, Proxy, Seen};

/// What is asked for again and again.
pub(crate) const OBJECTS: u64 = 24;
/// Kept in the index itself, in L1 and below, and only below.
const SIZES: [u64; 4] = [100, 20 * KIB, 300 * KIB, 3 * MIB / 2];
/// The largest body that L1 takes here.
pub(crate) const L1_GATE: u64 = 100 * KIB;
/// The largest body that the index takes: the default of the durable tier.
const INLINE: u64 = 8 * KIB;

pub(crate) fn path(number: u64) -> String {
    format!("/object/{number}")
}

pub(crate) fn content(number: u64) -> Content {
    Content::new(number, SIZES[usize::try_from(number % 4).expect("small")])
}

/// Whether its body is a blob of its own.
pub(crate) fn is_blob(number: u64) -> bool {
    content(number).len() > INLINE
}

/// An origin that has every one of them, to be stored for a day.
pub(crate) async fn origin() -> Origin {
    Origin::start(|seen: &Seen| {
        let number = seen.path.rsplit('/').next().and_then(|it| it.parse().ok());
        let number: u64 = number.expect("the path of an object");
        Answer::new(content(number))
            .header(ETAG, &format!("\"{number}\""))
            .header(CACHE_CONTROL, "max-age=86400")
    })
    .await
}

/// Which tier serves an object, if one does: `L3`. It must be whole, and right.
pub(crate) async fn tier_of(proxy: &Proxy, number: u64) -> Option<String> {
    let reply = proxy.get(&path(number)).await;
    let cache = reply.cache();
    let Some(tier) = cache.strip_prefix("hit; detail=") else {
        reply.whole().await;
        return None;
    };
    let tier = tier.to_owned();
    reply.expect(&content(number)).await;
    Some(tier)
}
