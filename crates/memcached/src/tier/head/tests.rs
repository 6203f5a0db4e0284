use proptest::prelude::*;

use super::*;

fn group() -> KeyDigest {
    KeyDigest::of(&[b"group"])
}

fn object(variant: u8, meta_bytes: usize) -> Stored {
    let mut meta = Meta::new(Timestamp::from_millis(1), Timestamp::from_millis(2));
    meta.header = vec![variant; meta_bytes].into();
    let body = BodyName {
        generation: Generation::from_u64(u64::from(variant) + 1).unwrap(),
        fill: 9,
        chunks: 0,
        prefix_apart: 0,
    };
    let variance = (variant > 0).then(|| KeyDigest::of(&[&[variant]]));
    let prefix = Bytes::from_static(b"body");
    Stored::new(variance, &meta, &BlockChecksums::of(&prefix), body, prefix).unwrap()
}

fn head(objects: impl IntoIterator<Item = Stored>) -> Head {
    let mut head = Head::new(3, 4, [5; 16]);
    head.objects.extend(objects);
    head
}

#[test]
fn a_head_comes_back() {
    let mut written = head([object(0, 10), object(1, 0)]);
    written.objects[1].expired_at = Some(Timestamp::from_millis(7));
    let read = Head::decode(group(), written.encode(group())).unwrap();
    assert_eq!(read, written);
    assert_eq!(written.encode(group()).len(), written.bytes());
    let found = read.find(None).unwrap();
    assert_eq!(found.meta().unwrap().header.len(), 10);
    assert_eq!(found.checksums().unwrap().len(), 4);
}

#[test]
fn p10_it_does_not_come_back_under_another_group() {
    let bytes = head([object(0, 10)]).encode(group());
    assert!(Head::decode(KeyDigest::of(&[b"another"]), bytes).is_none());
}

#[test]
fn p2_no_flipped_bit_and_no_cut_goes_unnoticed() {
    let bytes = head([object(0, 3), object(1, 0)]).encode(group());
    let is_whole = |head: Head| head.objects.iter().all(|it| it.checksums().is_some());
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        let read = Head::decode(group(), flipped.into());
        assert!(!read.is_some_and(is_whole), "byte {at}");
        assert!(
            Head::decode(group(), bytes.slice(..at)).is_none(),
            "{at} bytes"
        );
    }
}

#[test]
fn the_oldest_goes_where_there_is_no_room() {
    let mut head = head([]);
    let mut gone = Vec::new();
    for variant in 0..200 {
        gone.extend(head.add(object(variant, 5_000)).unwrap());
        assert!(head.encode(group()).len() <= MAX_VALUE_BYTES);
    }
    assert!(head.objects.len() > 40, "{}", head.objects.len());
    assert_eq!(gone.len() + head.objects.len(), 200);
    assert_eq!(gone[0].variance, None);
    let error = head.add(object(1, MAX_VALUE_BYTES)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_head_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut sealed = BytesMut::from(&bytes[..]);
        sealed.put_u32(check(group(), &bytes));
        prop_assert!(Head::decode(group(), bytes.into()).is_none_or(|head| head.objects.len() < 300));
        if let Some(head) = Head::decode(group(), sealed.clone().freeze()) {
            prop_assert_eq!(head.encode(group()), sealed.freeze());
        }
    }

    /// What follows the format is read, whatever it is.
    #[test]
    fn objects_of_any_kind_are_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = BytesMut::from(&head([object(1, 3)]).encode(group())[..]);
        bytes.truncate(bytes.len() - 4);
        bytes.put_slice(&tail);
        let crc = check(group(), &bytes);
        bytes.put_u32(crc);
        if let Some(head) = Head::decode(group(), bytes.clone().freeze()) {
            for object in &head.objects {
                let _ = (object.meta(), object.checksums());
            }
            prop_assert_eq!(head.encode(group()), bytes.freeze());
        }
    }
}

#[test]
fn what_is_replaced_needs_no_room() {
    let long = |variant| Stored {
        prefix: vec![variant; ROOMY_BYTES * 2 / 3].into(),
        ..object(variant, 0)
    };
    assert!(head([long(0)]).has_room_for(&long(0)));
    assert!(head([object(0, 0)]).has_room_for(&long(1)));
    assert!(!head([long(0)]).has_room_for(&long(1)));
}
