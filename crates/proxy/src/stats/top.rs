use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::heavy::{Heavy, Sketch};

/// Requests a second that are looked at; of more, one in two, in four, in eight...
const LOOKED_AT: u64 = 1000;

/// The objects asked for most, by requests and by bytes, of about the last quarter of an hour.
#[derive(Debug, Default)]
pub(crate) struct Top {
    /// One in so many is looked at: two to the power of this.
    rarity: AtomicU32,
    sketches: Mutex<Sketches>,
}

#[derive(Debug, Default)]
struct Sketches {
    requests: Sketch,
    bytes: Sketch,
}

/// The heaviest names by one measure.
#[derive(Debug)]
pub(crate) struct Ranking {
    pub(crate) heaviest: Vec<Heavy>,
    /// What all that was asked for weighs, of what is remembered.
    pub(crate) total: u64,
}

impl Top {
    /// A response of `bytes` was sent, the `number`th of its kind.
    pub(super) fn offer(&self, number: u64, bytes: u64, url: impl FnOnce() -> String) {
        let rarity = self.rarity.load(Ordering::Relaxed);
        // Scattered, lest a pattern in the requests meets the one of our looks.
        if scatter(number).trailing_zeros() < rarity {
            return;
        }
        // Who would have to wait is as good as not chosen.
        let Some(mut sketches) = self.sketches.try_lock() else {
            return;
        };
        let url = url();
        sketches.requests.add(&url, 1 << rarity);
        sketches.bytes.add(&url, bytes << rarity);
    }

    /// Chooses how many to look at, by what came within a second.
    pub(super) fn pace(&self, requests: u64) {
        let one_in = (requests / LOOKED_AT).max(1).next_power_of_two();
        self.rarity
            .store(one_in.trailing_zeros(), Ordering::Relaxed);
    }

    /// To be called once a minute, so that what was asked for long ago does not count for ever.
    pub(super) fn fade(&self) {
        let mut sketches = self.sketches.lock();
        sketches.requests.fade();
        sketches.bytes.fade();
    }

    /// The `most` heaviest by requests, and by bytes.
    pub(crate) fn rankings(&self, most: usize) -> [Ranking; 2] {
        let sketches = self.sketches.lock();
        [&sketches.requests, &sketches.bytes].map(|sketch| Ranking {
            heaviest: sketch.heaviest(most),
            total: sketch.total(),
        })
    }
}

/// `SplitMix64`'s last step (Steele, Lea and Flood, 2014): every bit of the result depends on all of `number`.
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(top: &Top, numbers: std::ops::Range<u64>) -> u64 {
        let mut looked = 0;
        for number in numbers {
            top.offer(number, 100, || {
                looked += 1;
                format!("/{}", number % 4)
            });
        }
        looked
    }

    #[test]
    fn all_are_looked_at_while_they_are_few() {
        let top = Top::default();
        top.pace(LOOKED_AT);
        assert_eq!(offer(&top, 0..1000), 1000);
        let [requests, bytes] = top.rankings(9);
        assert_eq!((requests.heaviest.len(), requests.total), (4, 1000));
        assert_eq!((bytes.heaviest[0].weight, bytes.total), (25_000, 100_000));
    }

    #[test]
    fn of_many_a_part_stands_for_all() {
        let top = Top::default();
        top.pace(64 * LOOKED_AT);
        let looked = offer(&top, 0..64_000);
        assert!((800..1200).contains(&looked), "{looked}");
        let [requests, _] = top.rankings(9);
        assert_eq!(requests.heaviest.len(), 4, "a pattern does not hide any");
        assert!(
            (50_000..80_000).contains(&requests.total),
            "{}",
            requests.total
        );
    }
}
