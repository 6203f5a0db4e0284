use proptest::prelude::*;
use terrace_testkit::SeededRandom;

use super::*;

/// The place of server `me` on a list.
fn on_list(me: u64, list: &[u64]) -> Membership {
    let members = list.iter().copied().map(ServerId).collect();
    Membership::new(ServerId(me), members, "test", Duration::from_mins(5))
}

fn groups() -> impl Iterator<Item = KeyDigest> {
    (0..200_u64).map(|n| KeyDigest::of(&[&n.to_le_bytes()]))
}

fn list(numbers: &[u64]) -> Vec<ServerId> {
    numbers.iter().copied().map(ServerId).collect()
}

/// What server `me` remembers after it was used under each of `lists`.
fn after(me: u64, lists: &[&[u64]]) -> History {
    let random = SeededRandom::new(1);
    let mut history = None;
    for list in lists {
        history = Some(on_list(me, list).join(history, &random).0);
    }
    history.unwrap()
}

#[test]
fn p3_a_group_that_went_and_came_back_does_not_count() {
    // The third server comes, and goes again.
    let (small, large): (&[u64], &[u64]) = (&[1, 2], &[1, 2, 3]);
    let history = after(1, &[small, large, small]);
    let membership = on_list(1, small);
    let mut moved = 0;
    for group in groups().filter(|group| owner(&list(small), *group) == Some(ServerId(1))) {
        let stays = owner(&list(large), group) == Some(ServerId(1));
        moved += u32::from(!stays);
        assert_eq!(membership.has_had(group, &history.eras, 1), stays);
        assert!(membership.has_had(group, &history.eras, 3), "written since");
    }
    assert!(moved > 10, "{moved} groups moved");
}

#[test]
fn a_list_that_is_the_same_changes_nothing() {
    let once = after(1, &[&[1, 2]]);
    assert_eq!(after(1, &[&[1, 2], &[1, 2], &[1, 2]]), once);
}

#[test]
fn p3_what_was_written_before_the_first_era_that_is_remembered_does_not_count() {
    let lists: Vec<Vec<u64>> = (0..20).map(|n| vec![1, 100 + n]).collect();
    let lists: Vec<&[u64]> = lists.iter().map(Vec::as_slice).collect();
    let history = after(1, &lists);
    assert_eq!(history.eras.len(), MAX_ERAS);
    assert_eq!(History::decode(&history.encode()), Some(history.clone()));
    let membership = on_list(1, &[1]);
    for group in groups() {
        assert!(!membership.has_had(group, &history.eras, 12));
        assert!(
            !membership.has_had(group, &history.eras, 21),
            "of the future"
        );
    }
}

#[test]
fn a_memory_that_was_lost_begins_another_epoch() {
    let random = SeededRandom::new(1);
    let membership = on_list(1, &[1, 2]);
    let (first, is_new) = membership.join(None, &random);
    let (second, is_new_again) = membership.join(None, &random);
    assert!(is_new && is_new_again);
    assert_ne!(first.epoch, second.epoch);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_history_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut sealed = bytes.clone();
        sealed.put_u32(crc32c(&bytes));
        for bytes in [bytes, sealed] {
            if let Some(history) = History::decode(&bytes) {
                prop_assert_eq!(&history.encode()[..], &bytes[..]);
            }
        }
    }
}
