use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use pingora::http::RequestHeader;
use terrace_core::{KeyDigest, Random};

/// Names requests, and chooses which are written.
#[derive(Debug)]
pub(super) struct Ids {
    /// Not to be guessed by clients: who can would choose whether they are written.
    salt: u64,
    next: AtomicU64,
}

/// The header by which others name a request.
const HEADER: &str = "x-request-id";
/// The longest name taken over.
const MAX_ID: usize = 128;

impl Ids {
    pub(super) fn new(random: &dyn Random) -> Self {
        Self {
            salt: random.next_u64(),
            next: AtomicU64::new(random.next_u64()),
        }
    }

    /// What the client calls the request, if that is a plain word, or else a name of our own.
    pub(super) fn of<'a>(&self, req: &'a RequestHeader) -> Cow<'a, str> {
        let given = req.headers.get(HEADER).and_then(|it| it.to_str().ok());
        let is_plain = |id: &&str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
            (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain)
        };
        match given.filter(is_plain) {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(format!("{:016x}", self.next())),
        }
    }

    /// A uniform number that is always the same for one name in this process.
    pub(super) fn hash(&self, id: &str) -> u64 {
        KeyDigest::of(&[&self.salt.to_le_bytes(), id.as_bytes()]).to_u64()
    }

    /// Numbers that do not repeat, and do not look like a sequence.
    fn next(&self) -> u64 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        // A step of SplitMix64, which permutes the numbers.
        let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The greatest hash of `part` of all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part of 2^64, which float to integer conversion keeps within its bounds"
)]
pub(super) fn threshold(part: f64) -> u64 {
    (part * u64::MAX as f64) as u64
}
