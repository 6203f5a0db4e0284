use std::time::SystemTime;

use bytes::Bytes;
use pingora_http::ResponseHeader;

use super::*;

/// A moment with more precision than Terrace's milliseconds: Pingora's own part must keep it.
fn moment(secs: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(secs, 123_456_789)
}

fn header(fields: usize) -> ResponseHeader {
    let mut header = ResponseHeader::build(203, None).unwrap();
    header.append_header("X-CamelCase", "Kept").unwrap();
    header.append_header("Set-Cookie", "a=1").unwrap();
    header.append_header("Set-Cookie", "b=2").unwrap();
    header
        .append_header("x-latin", b"caf\xe9".as_slice())
        .unwrap();
    for field in 0..fields {
        let name = format!("X-Field-{field}");
        header
            .append_header(name, format!("value {field}"))
            .unwrap();
    }
    header
}

fn cache_meta(fields: usize) -> CacheMeta {
    let mut meta = CacheMeta::new(moment(3000), moment(2000), 30, 40, header(fields));
    meta.set_variance([9; 16]);
    meta.set_epoch_override(moment(1500));
    meta
}

/// The header as bytes on the wire: order, case and duplicates count.
fn wire(meta: &CacheMeta) -> Vec<u8> {
    let mut wire = Vec::new();
    meta.response_header().header_to_h1_wire(&mut wire);
    wire
}

fn assert_same(ours: &CacheMeta, pingoras: &CacheMeta) {
    assert_eq!(ours.serialize().unwrap(), pingoras.serialize().unwrap());
    assert_eq!(wire(ours), wire(pingoras));
    assert_eq!(
        ours.response_header().status,
        pingoras.response_header().status
    );
    assert_eq!(
        ours.response_header().version,
        pingoras.response_header().version
    );
    assert_eq!(ours.headers(), pingoras.headers());
}

#[test]
fn what_comes_back_is_what_pingora_itself_reads_back() {
    for fields in [0, 1, 20, 200] {
        let original = cache_meta(fields);
        let meta = encode_meta(&original).unwrap();
        let pingoras = CacheMeta::deserialize(&meta.internal, &meta.header).unwrap();
        // The second comes from the parsed form of the first, as every hit after the first does.
        for _ in 0..2 {
            assert_same(&decode_meta(&meta, None).unwrap(), &pingoras);
        }
        assert_same(&pingoras, &original);
    }
}

/// When it was created and what it took the place of cannot be told to Pingora's constructor.
#[test]
fn the_history_of_a_revalidated_response_comes_back_with_it() {
    let mut original = cache_meta(3);
    original.update_freshness(moment(9000), 1, 2);
    assert_ne!(original.updated(), original.created());
    let meta = encode_meta(&original).unwrap();
    for _ in 0..2 {
        assert_same(&decode_meta(&meta, None).unwrap(), &original);
    }
}

#[test]
fn a_stored_meta_is_read_without_its_parsed_form() {
    let mut meta = encode_meta(&cache_meta(5)).unwrap();
    meta.decoded = Decoded::default();
    assert_same(&decode_meta(&meta, None).unwrap(), &cache_meta(5));
}

#[test]
fn one_hit_cannot_change_the_header_of_another() {
    let meta = encode_meta(&cache_meta(0)).unwrap();
    let mut first = decode_meta(&meta, None).unwrap();
    first
        .response_header_mut()
        .insert_header("Set-Cookie", "mine")
        .unwrap();
    let second = decode_meta(&meta, None).unwrap();
    assert_eq!(second.headers().get_all("set-cookie").iter().count(), 2);
}

#[test]
fn the_moments_are_pingoras_and_the_longer_stale_window_counts() {
    let meta = encode_meta(&cache_meta(0)).unwrap();
    assert_eq!(meta.updated, Timestamp::from_millis(2_000_123));
    assert_eq!(meta.fresh_until, Timestamp::from_millis(3_000_123));
    assert_eq!(meta.stale_until, Timestamp::from_millis(3_040_123));

    let for_ever = SystemTime::from(Timestamp::MAX);
    let endless = CacheMeta::new(for_ever, moment(1), u32::MAX, 0, header(0));
    let endless = encode_meta(&endless).unwrap();
    assert!(endless.stale_until > endless.fresh_until);
}

#[test]
fn a_soft_purge_makes_it_stale_and_leaves_its_windows() {
    let meta = encode_meta(&cache_meta(0)).unwrap();
    let at = Timestamp::from_millis(2_500_000);
    let stale = decode_meta(&meta, Some(at)).unwrap();
    let just_after = SystemTime::from(at) + Duration::from_millis(1);
    assert!(!stale.is_fresh(just_after));
    assert!(stale.serve_stale_while_revalidate(just_after));
    assert!(!stale.serve_stale_while_revalidate(just_after + Duration::from_secs(30)));
    assert_eq!(stale.updated(), moment(2000));

    let later = Timestamp::from_millis(9_000_000);
    let unchanged = decode_meta(&meta, Some(later)).unwrap();
    assert_eq!(unchanged.fresh_until(), moment(3000));
}

#[test]
fn what_pingora_could_not_read_back_is_not_stored() {
    let error = encode_meta(&cache_meta(300)).unwrap_err();
    assert!(error.to_string().contains("read the header"), "{error}");
}

#[test]
fn damage_is_an_error_without_a_word_of_the_header() {
    let good = encode_meta(&cache_meta(3)).unwrap();
    let damaged = [
        Meta {
            internal: Bytes::new(),
            decoded: Decoded::default(),
            ..good.clone()
        },
        Meta {
            internal: Bytes::from_static(&[0x93; 40]),
            decoded: Decoded::default(),
            ..good.clone()
        },
        Meta {
            header: Bytes::new(),
            decoded: Decoded::default(),
            ..good.clone()
        },
        Meta {
            header: good.header.slice(..10),
            decoded: Decoded::default(),
            ..good.clone()
        },
    ];
    for meta in damaged {
        let error = decode_meta(&meta, None).expect_err("it is damaged");
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("Set-Cookie") && !text.contains("Kept"),
            "{text}"
        );
    }
}

#[test]
fn a_foreign_parsed_form_is_an_error_not_a_panic() {
    let meta = Meta {
        decoded: Decoded::default(),
        ..encode_meta(&cache_meta(0)).unwrap()
    };
    meta.decoded.get_or_try_init(|| Some("something else"));
    assert!(decode_meta(&meta, None).is_err());
}
