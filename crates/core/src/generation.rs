use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hex;
use crate::key::InvalidKey;
use crate::ports::Random;

macro_rules! nonce {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// Draws a new one.
            pub fn random(random: &dyn Random) -> Self {
                // Zero is one value in 2^64; mapping it to one keeps this total.
                Self(NonZeroU64::new(random.next_u64()).unwrap_or(NonZeroU64::MIN))
            }

            /// The value with this number; `None` for zero, which stands for "absent" in fences.
            pub const fn from_u64(value: u64) -> Option<Self> {
                match NonZeroU64::new(value) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// The number itself, never zero.
            pub const fn to_u64(self) -> u64 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, &self.0.get().to_be_bytes())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidKey;

            fn from_str(text: &str) -> Result<Self, InvalidKey> {
                let value = hex::parse(text).map(u64::from_be_bytes);
                value.and_then(Self::from_u64).ok_or(InvalidKey)
            }
        }
    };
}

nonce! {
    /// One filled body of one key. Metadata may be refreshed under a generation; its bytes never
    /// change.
    ///
    /// Drawn at random by whoever fills, and unique *per key*: among a million generations of one
    /// key, two collide with a probability below 3 · 10⁻⁸. Sixty-four bits, because that is what
    /// Pingora's `CacheEntryId` holds.
    Generation
}

nonce! {
    /// The compare-and-swap token of one state of one index record.
    ///
    /// A random nonce chosen by the writer, not a counter: a record that was deleted and made anew never
    /// repeats a version some old [`Fence`](crate::Fence) still holds, and a writer whose answer was
    /// lost can read back and recognise its own.
    Version
}
