use std::collections::HashMap;
use std::thread;

use proptest::prelude::*;

use super::*;

fn key(n: u64) -> KeyDigest {
    KeyDigest::of(&[&n.to_le_bytes()])
}

/// A key whose block is not among those that the first 2,400 requests age.
fn key_aged_late(frequency: &Frequency) -> KeyDigest {
    (0..1000)
        .map(key)
        .find(|key| frequency.wrap(key.to_u64()) > 300)
        .unwrap()
}

#[test]
fn requests_are_counted_up_to_the_bound() {
    let frequency = Frequency::new(1 << 16);
    let key = key_aged_late(&frequency);
    let counts: Vec<_> = (0..300).map(|_| frequency.record(key)).collect();
    let expected: Vec<_> = (1..=300).map(|n: u32| n.min(255)).collect();
    assert_eq!(counts, expected);
}

#[test]
fn what_was_asked_for_once_is_forgotten_after_a_window() {
    const WINDOW: u64 = 1 << 14;
    let frequency = Frequency::new(usize::try_from(WINDOW).unwrap());
    for n in 0..WINDOW + 1024 {
        frequency.record(key(n));
    }
    let remembered = (0..1024).filter(|&n| frequency.record(key(n)) > 1).count();
    assert!(remembered < 1024 / 20, "{remembered} of 1024");
}

#[test]
fn each_window_ages_every_block_once() {
    let frequency = Frequency::new(1024);
    let full = u64::MAX;
    for word in frequency.blocks.iter().flat_map(|block| &block.0) {
        word.store(full, Ordering::Relaxed);
    }
    // Saturated counters are not moved by the requests themselves, or up again to at most 255.
    for n in 0..1024 {
        frequency.record(key(n));
    }
    for word in frequency.blocks.iter().flat_map(|block| &block.0) {
        for byte in word.load(Ordering::Relaxed).to_le_bytes() {
            assert!((127..255).contains(&byte), "aged once: {byte}");
        }
    }
}

#[test]
fn no_request_is_lost_between_threads() {
    let frequency = Frequency::new(1 << 16);
    let key = key_aged_late(&frequency);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    frequency.record(key);
                }
            });
        }
    });
    assert_eq!(frequency.record(key), 201);
}

#[test]
fn windows_are_bounded() {
    assert_eq!(Frequency::new(0).blocks.len(), 1);
    assert_eq!(Frequency::new(9).blocks.len(), 2);
    assert_eq!(Frequency::new(24).blocks.len(), 4);
    assert_eq!(Frequency::new(usize::MAX).blocks.len(), MAX_BLOCKS);
}

/// One-hit wonders as fast as the window remembers them: the share taken for a second request.
#[test]
fn few_first_requests_are_taken_for_second_ones() {
    let frequency = Frequency::new(1 << 14);
    let mistaken = (0..1 << 16)
        .filter(|&n| frequency.record(key(n)) > 1)
        .count();
    assert!(mistaken < (1 << 16) / 50, "{mistaken} of 65536");
}

/// A key asked for twice, with a quarter of the window between: mostly remembered.
#[test]
fn most_second_requests_within_a_quarter_of_the_window_are_seen() {
    const WINDOW: u64 = 1 << 14;
    let frequency = Frequency::new(usize::try_from(WINDOW).unwrap());
    let mut seen = 0;
    for n in 0..4 * WINDOW {
        frequency.record(key(n));
        if let Some(earlier) = n.checked_sub(WINDOW / 8) {
            // Both are recorded, so that a quarter of the window passes between two requests of one key.
            seen += u64::from(frequency.record(key(earlier)) > 1);
        }
    }
    assert!(seen > 4 * WINDOW * 7 / 10, "{seen} of {}", 4 * WINDOW);
}

proptest! {
    /// Collisions only add: no key's answer is below an exact count that is aged with its block.
    #[test]
    fn it_never_tells_less_than_an_aged_exact_count(
        window in 1_usize..256,
        keys in proptest::collection::vec(0_u64..40, 0..600),
    ) {
        let frequency = Frequency::new(window);
        let mut exact: HashMap<u64, u32> = HashMap::new();
        for (request, n) in (0_u64..).zip(keys) {
            if request % REQUESTS_PER_BLOCK as u64 == 0 {
                let aged = frequency.wrap(request / REQUESTS_PER_BLOCK as u64);
                for (n, count) in &mut exact {
                    if frequency.wrap(key(*n).to_u64()) == aged {
                        *count /= 2;
                    }
                }
            }
            let count = exact.entry(n).or_default();
            *count = (*count + 1).min(Frequency::MAX_COUNT);
            let told = frequency.record(key(n));
            prop_assert!(told >= *count && told <= Frequency::MAX_COUNT);
        }
    }
}
