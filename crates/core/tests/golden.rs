//! Every manifest format ever written stays readable: the files in `golden` are what it looked like.
//!
//! `TERRACE_BLESS=1 cargo test -p terrace-core --test golden` writes files that are missing. It never changes one:
//! a format that has been written somewhere is not up for change, it gets a successor.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use terrace_core::{
    BlockChecksums, Generation, Group, GroupStamp, Key, KeyDigest, Location, Manifest, Meta,
    Reservation, State, StoredObject, Timestamp, Version,
};

#[test]
fn golden_files_decode_to_their_values_and_encode_to_their_bytes() {
    let bless = std::env::var_os("TERRACE_BLESS").is_some();
    for (name, state, manifest) in samples() {
        let path = directory().join(name);
        let encoded = manifest.encode().unwrap();
        if bless && !path.exists() {
            std::fs::write(&path, &encoded).unwrap();
        }
        let golden = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let decoded = Manifest::decode(&manifest.key, &golden).unwrap();
        assert_eq!(decoded, manifest, "{name}");
        assert_eq!(decoded.state(), state, "{name}");
        assert!(encoded == golden, "{name} encodes to other bytes");
    }
}

#[test]
fn there_is_a_sample_for_every_golden_file() {
    let files: BTreeSet<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let samples: BTreeSet<_> = samples()
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    assert_eq!(files, samples);
}

#[test]
fn a_manifest_begins_with_magic_and_format_and_ends_with_its_crc() {
    let golden = std::fs::read(directory().join("v1-tombstone.bin")).unwrap();
    assert_eq!(&golden[..6], b"TRMF\x01\x00");
    let payload = u32::from_le_bytes(golden[6..10].try_into().unwrap());
    assert_eq!(golden.len(), 10 + payload as usize + 4);
    let (rest, crc) = golden.split_last_chunk().unwrap();
    assert_eq!(terrace_core::crc32c(rest), u32::from_le_bytes(*crc));
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn samples() -> Vec<(&'static str, State, Manifest)> {
    let primary = Key::named("https://example.com/");
    let group = Group {
        hard: version(7),
        soft: None,
    };
    let inline = Manifest {
        object: Some(object(Location::Inline(Bytes::from_static(b"hello")))),
        ..Manifest::empty(primary, group)
    };
    let empty = Manifest {
        object: Some(object(Location::Inline(Bytes::new()))),
        ..Manifest::empty(primary, group)
    };
    let blob = Manifest {
        object: Some(object(Location::Blob)),
        ..Manifest::empty(primary, group)
    };
    let expired = Manifest {
        object: Some(StoredObject {
            expired_at: Some(Timestamp::from_millis(1_700_000_300_000)),
            ..object(Location::Blob)
        }),
        ..Manifest::empty(primary, group)
    };
    let pending = Manifest {
        reservation: Some(reservation()),
        ..Manifest::empty(primary, group)
    };
    let renewal = Manifest {
        reservation: Some(reservation()),
        ..inline.clone()
    };
    let softly_purged = Group {
        hard: version(8),
        soft: Some((version(u64::MAX), Timestamp::from_millis(1_700_000_200_000))),
    };
    let tombstone = Manifest::empty(primary, softly_purged);
    let key = primary.variant(KeyDigest::of(&[b"accept-encoding", b"gzip"]));
    let variant = Manifest {
        object: Some(StoredObject {
            stamp: softly_purged.stamp(),
            ..object(Location::Blob)
        }),
        ..Manifest::empty(key, group)
    };
    vec![
        ("v1-live-inline.bin", State::Live, inline),
        ("v1-live-empty.bin", State::Live, empty),
        ("v1-live-blob.bin", State::Live, blob),
        ("v1-expired.bin", State::Expired, expired),
        ("v1-pending.bin", State::Pending, pending),
        ("v1-live-and-pending.bin", State::Live, renewal),
        ("v1-tombstone.bin", State::Tombstone, tombstone),
        ("v1-variant.bin", State::Live, variant),
    ]
}

/// An object with everything in it; a body in the blob store has 200 blocks.
fn object(location: Location) -> StoredObject {
    let checksums = match &location {
        Location::Inline(body) => BlockChecksums::of(body),
        Location::Blob => {
            let body: Vec<u8> = (0..=255).cycle().take(200 * 16 * 1024 - 1).collect();
            BlockChecksums::of(&body)
        }
    };
    StoredObject {
        generation: generation(0x0123_4567_89ab_cdef),
        stamp: GroupStamp {
            hard: version(7),
            soft: None,
        },
        checksums: Arc::new(checksums),
        location,
        meta: Meta {
            updated: Timestamp::from_millis(1_700_000_000_000),
            fresh_until: Timestamp::from_millis(1_700_000_060_000),
            stale_until: Timestamp::MAX,
            internal: Bytes::from_static(&[0, 1, 2, 0xff]),
            header: Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"),
            tags: vec!["product-1".into(), "ünïcödé".into(), "".into()].into(),
            ..Meta::new(Timestamp::EPOCH, Timestamp::EPOCH)
        },
        expired_at: None,
    }
}

fn reservation() -> Reservation {
    Reservation {
        generation: generation(42),
        until: Timestamp::from_millis(1_700_000_900_000),
    }
}

fn generation(n: u64) -> Generation {
    Generation::from_u64(n).unwrap()
}

fn version(n: u64) -> Version {
    Version::from_u64(n).unwrap()
}
