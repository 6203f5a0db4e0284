//! Manifests from outside: whatever the bytes are, reading them ends well.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use terrace_core::{
    BlockChecksums, Generation, Group, GroupStamp, Key, KeyDigest, Location, MAX_MANIFEST_BYTES,
    MAX_TAGS, Manifest, ManifestError, Meta, Reservation, StoredObject, Timestamp, Version, crc32c,
};

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(manifest in manifests()) {
        let encoded = manifest.encode().unwrap();
        prop_assert_eq!(Manifest::decode(&manifest.key, &encoded), Ok(manifest.clone()));
        prop_assert_eq!(Manifest::decode_any(&encoded), Ok(manifest));
    }

    #[test]
    fn a_manifest_is_of_its_key_only(manifest in manifests(), other in keys()) {
        prop_assume!(manifest.key != other);
        let encoded = manifest.encode().unwrap();
        prop_assert_eq!(Manifest::decode(&other, &encoded), Err(ManifestError::ForeignKey));
    }

    #[test]
    fn any_flipped_bit_is_an_error(manifest in manifests(), at in any::<prop::sample::Index>()) {
        let mut encoded = manifest.encode().unwrap().to_vec();
        let bit = at.index(encoded.len() * 8);
        encoded[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Manifest::decode_any(&encoded).is_err(), "bit {} flipped", bit);
    }

    #[test]
    fn any_truncation_is_an_error(manifest in manifests(), at in any::<prop::sample::Index>()) {
        let encoded = manifest.encode().unwrap();
        let len = at.index(encoded.len());
        prop_assert!(Manifest::decode_any(&encoded[..len]).is_err(), "cut to {} bytes", len);
    }

    #[test]
    fn anything_after_the_end_is_an_error(manifest in manifests(), more in vec(any::<u8>(), 1..50)) {
        let mut encoded = manifest.encode().unwrap().to_vec();
        encoded.extend(more);
        prop_assert!(Manifest::decode_any(&encoded).is_err());
    }

    #[test]
    fn arbitrary_bytes_end_well(bytes in vec(any::<u8>(), 0..2000)) {
        prop_assert!(Manifest::decode_any(&bytes).is_err());
    }

    #[test]
    fn arbitrary_payloads_end_well(payload in vec(any::<u8>(), 0..500)) {
        survives(&framed(&payload));
    }

    #[test]
    fn payloads_with_a_changed_byte_end_well(
        manifest in manifests(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let encoded = manifest.encode().unwrap();
        let mut payload = encoded[10..encoded.len() - 4].to_vec();
        let at = at.index(payload.len());
        payload[at] = byte;
        survives(&framed(&payload));
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_of_a_tombstone_is_an_error() {
    let encoded = manifest_of(Key::named("a")).encode().unwrap();
    for bit in 0..encoded.len() * 8 {
        let mut flipped = encoded.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::decode_any(&flipped).is_err(), "bit {bit} flipped");
    }
    for len in 0..encoded.len() {
        assert!(
            Manifest::decode_any(&encoded[..len]).is_err(),
            "cut to {len} bytes"
        );
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let encoded = manifest_of(Key::named("a")).encode().unwrap();
    let mut flipped = encoded.to_vec();
    flipped[4] = 3;
    let sealed = |mut bytes: Vec<u8>| {
        let crc = crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    };
    let mut newer = encoded[..encoded.len() - 4].to_vec();
    newer[4] = 2;
    let newer = sealed(newer);
    let shorter = sealed(encoded[..encoded.len() - 5].to_vec());
    let mut damaged = encoded.to_vec();
    damaged[20] ^= 1;
    let longer = framed(&[&encoded[10..encoded.len() - 4], &[0]].concat());
    let huge = vec![0; MAX_MANIFEST_BYTES + 1];
    for (bytes, expected) in [
        (&b""[..], ManifestError::NotAManifest),
        (&b"TRMF"[..], ManifestError::NotAManifest),
        (&b"<html>"[..], ManifestError::NotAManifest),
        (&newer, ManifestError::Format(2)),
        (&flipped, ManifestError::Checksum),
        (&damaged, ManifestError::Checksum),
        (&longer, ManifestError::Malformed("trailing bytes")),
        (&encoded[..encoded.len() - 1], ManifestError::Checksum),
        (&shorter, ManifestError::Malformed("length")),
        (&huge, ManifestError::TooLarge("over 1 MiB")),
    ] {
        assert_eq!(Manifest::decode_any(bytes), Err(expected));
    }
}

#[test]
fn contradictions_are_not_encoded() {
    let key = Key::named("a");
    let variant = key.variant(KeyDigest::of(&[b"gzip"]));
    let no_group = Manifest {
        group: None,
        ..manifest_of(key)
    };
    let group_of_a_variant = Manifest {
        key: variant,
        ..manifest_of(key)
    };
    let inline = |body: Vec<u8>, checksums: &[u8]| Manifest {
        object: Some(object(
            Location::Inline(body.into()),
            BlockChecksums::of(checksums),
        )),
        ..manifest_of(key)
    };
    let other_length = inline(vec![1, 2], &[1, 2, 3]);
    let with_tags = |tags: Vec<Box<str>>| {
        let mut manifest = inline(Vec::new(), &[]);
        manifest.object.as_mut().unwrap().meta.tags = tags.into();
        manifest
    };
    for bad in [no_group, group_of_a_variant, other_length] {
        assert!(
            matches!(bad.encode(), Err(ManifestError::Malformed(_))),
            "{bad:?}"
        );
    }
    let large_body = vec![0; MAX_MANIFEST_BYTES];
    for bad in [
        inline(large_body.clone(), &large_body),
        with_tags(vec!["t".into(); MAX_TAGS + 1]),
        with_tags(vec!["t".repeat(257).into()]),
    ] {
        assert!(matches!(bad.encode(), Err(ManifestError::TooLarge(_))));
    }
    let largest_tags = with_tags(vec!["t".repeat(256).into(); MAX_TAGS]);
    let encoded = largest_tags.encode().unwrap();
    assert_eq!(Manifest::decode(&key, &encoded), Ok(largest_tags));
}

#[test]
fn checksums_that_no_builder_made_are_neither_written_nor_read() {
    let (block, many) = (16 * 1024_u64, vec![0_u32; 1025]);
    for (len, block_size, blocks) in [
        (5, block, vec![]),
        (5, block, vec![1, 2]),
        (0, block, vec![1]),
        (5, 0, vec![1]),
        (5, block / 2, vec![1]),
        (5, block + 1, vec![1]),
        (u64::MAX, block, vec![1]),
        (1025 * block, block, many),
    ] {
        let made = postcard::to_stdvec(&(len, block_size, &blocks)).unwrap();
        let checksums: BlockChecksums = postcard::from_bytes(&made).unwrap();
        let bad = Manifest {
            object: Some(object(Location::Blob, checksums)),
            ..manifest_of(Key::named("a"))
        };
        let expected = ManifestError::Malformed("checksums");
        assert_eq!(bad.encode(), Err(expected));
        let read = Manifest::decode_any(&framed(&postcard::to_stdvec(&bad).unwrap()));
        assert_eq!(
            read,
            Err(expected),
            "{len} bytes in {} of {block_size}",
            blocks.len()
        );
    }
}

/// `payload` as a manifest is framed, so that it gets past the checksum.
fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"TRMF\x01\x00".to_vec();
    bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    bytes.extend(payload);
    bytes.extend(crc32c(&bytes).to_le_bytes());
    bytes
}

/// Reads `bytes`; what can be read can also be used and written.
fn survives(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode_any(bytes) else {
        return;
    };
    if let Some(object) = &manifest.object {
        let sums = &object.checksums;
        let _ = sums.digest();
        let cover = sums.covering(&(0..sums.len()));
        assert_eq!(cover, 0..sums.len());
        let mut verifier = sums.verifier(0);
        let _ = verifier.push(vec![7; 40_000].into(), &mut VecDeque::new());
    }
    let encoded = manifest.encode().unwrap();
    assert_eq!(Manifest::decode(&manifest.key, &encoded), Ok(manifest));
}

fn manifest_of(key: Key) -> Manifest {
    let hard = Version::from_u64(7).unwrap();
    Manifest::empty(key, Group { hard, soft: None })
}

fn object(location: Location, checksums: BlockChecksums) -> StoredObject {
    StoredObject {
        generation: Generation::from_u64(1).unwrap(),
        stamp: GroupStamp {
            hard: Version::from_u64(7).unwrap(),
            soft: None,
        },
        checksums: Arc::new(checksums),
        location,
        meta: Meta::new(Timestamp::EPOCH, Timestamp::MAX),
        expired_at: None,
    }
}

fn keys() -> impl Strategy<Value = Key> {
    (any::<[u8; 16]>(), any::<Option<[u8; 16]>>()).prop_map(|(primary, variance)| {
        let key = Key::new(KeyDigest::new(primary));
        match variance {
            Some(variance) => key.variant(KeyDigest::new(variance)),
            None => key,
        }
    })
}

fn versions() -> impl Strategy<Value = Version> {
    (1..=u64::MAX).prop_map(|n| Version::from_u64(n).unwrap())
}

fn generations() -> impl Strategy<Value = Generation> {
    (1..=u64::MAX).prop_map(|n| Generation::from_u64(n).unwrap())
}

fn timestamps() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_millis)
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

prop_compose! {
    fn groups()(hard in versions(), soft in proptest::option::of((versions(), timestamps()))) -> Group {
        Group { hard, soft }
    }
}

prop_compose! {
    fn metas()(
        updated in timestamps(),
        fresh_until in timestamps(),
        stale_until in timestamps(),
        internal in bytes(100),
        header in bytes(500),
        tags in vec("\\PC{0,40}", 0..5),
    ) -> Meta {
        let mut meta = Meta::new(updated, fresh_until);
        meta.stale_until = stale_until;
        (meta.internal, meta.header) = (internal, header);
        meta.tags = tags.into_iter().map(Into::into).collect();
        meta
    }
}

prop_compose! {
    fn objects()(
        generation in generations(),
        (hard, soft) in (versions(), proptest::option::of(versions())),
        body in bytes(40_000),
        inline in any::<bool>(),
        meta in metas(),
        expired_at in proptest::option::of(timestamps()),
    ) -> StoredObject {
        StoredObject {
            generation,
            stamp: GroupStamp { hard, soft },
            checksums: Arc::new(BlockChecksums::of(&body)),
            location: if inline { Location::Inline(body) } else { Location::Blob },
            meta,
            expired_at,
        }
    }
}

prop_compose! {
    fn manifests()(
        key in keys(),
        group in groups(),
        object in proptest::option::of(objects()),
        reservation in proptest::option::of((generations(), timestamps())),
    ) -> Manifest {
        let reservation = reservation.map(|(generation, until)| Reservation { generation, until });
        Manifest { object, reservation, ..Manifest::empty(key, group) }
    }
}
