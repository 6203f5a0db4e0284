use proptest::prelude::*;

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn plain(value: &str) -> Control {
    Control::plain(&headers(&[("cache-control", value)]))
}

const TARGETS: [HeaderName; 2] = [
    HeaderName::from_static("first-control"),
    HeaderName::from_static("second-control"),
];

fn of(lines: &[(&str, &str)]) -> Control {
    Control::of(&headers(lines), &TARGETS)
}

/// RFC 9111, 4.2.1 and 5.2.2.1.
#[test]
fn lifetimes() {
    for (value, lifetime) in [
        ("max-age=60", Some(60)),
        ("Max-AGE=60", Some(60)),
        (r#"max-age="60""#, Some(60)),
        ("max-age=060", Some(60)),
        ("s-maxage=60, max-age=1", Some(60)),
        ("max-age=60, s-maxage=1", Some(1)),
        ("max-age=60, max-age=1", Some(60)),
        ("max-age=1, max-age=60", Some(1)),
        ("max-age=60, no-cache", Some(0)),
        ("max-age=99999999999", Some(Seconds::MAX)),
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=-60", Some(0)),
        ("max-age='60'", Some(0)),
        ("max-age=60.0", Some(0)),
        ("max-age=60;x", Some(0)),
        ("max-age =60", Some(0)),
        ("max-age= 60", Some(0)),
        ("s-maxage=x, max-age=60", Some(0)),
        (r#"x="max-age=60""#, None),
        (r#"x="max-age=60", max-age=1"#, Some(1)),
        ("public", None),
        ("", None),
    ] {
        assert_eq!(plain(value).lifetime(), lifetime, "{value}");
    }
}

/// RFC 9111, 4.2.1: what may have been meant to restrict does.
#[test]
fn what_is_badly_written_restricts() {
    for value in [
        "no-store",
        "NO-STORE",
        "no-store=1",
        "a; no-store",
        r#"a="b, no-store"#,
    ] {
        assert!(plain(value).no_store, "{value}");
    }
    for value in [
        "private",
        "private; max-age=60",
        "private=",
        r#"private="""#,
        r#"private="a b""#,
    ] {
        assert!(plain(value).private, "{value}");
    }
    for value in [
        "no-cache",
        "no-cache, no-cache=a",
        "no-cache=a, no-cache",
        "no-cache=vary",
    ] {
        assert!(plain(value).no_cache, "{value}");
    }
    assert!(plain("must-revalidate; x").forbids_stale());
    assert!(!plain("public; x").public);
    assert!(!plain(r#"x="no-store""#).no_store);
}

/// RFC 9111, 5.2.2.4 and 5.2.2.7.
#[test]
fn named_fields_are_withheld_alone() {
    for value in [
        r#"no-cache="A, b""#,
        r#"private="a,b""#,
        "no-cache=a, private=b",
        "no-cache=\"a\",no-cache=\"B\"",
    ] {
        let control = plain(value);
        assert_eq!(control.withheld, ["a", "b"], "{value}");
        assert!(!control.no_cache && !control.private, "{value}");
    }
    let many: Vec<String> = (0..=MAX_FIELDS).map(|it| format!("f{it}")).collect();
    let control = plain(&format!("no-cache=\"{}\"", many.join(",")));
    assert!(control.no_cache);
    assert_eq!(control.withheld, [""; 0]);
}

/// RFC 9213, 2.2.
#[test]
fn the_first_valid_target_counts_alone() {
    let plain = ("cache-control", "no-store");
    let control = of(&[
        ("second-control", "max-age=1"),
        ("first-control", "max-age=2"),
        plain,
    ]);
    assert_eq!(control.lifetime(), Some(2));
    assert!(control.is_targeted && !control.no_store);
    for ignored in [
        "",
        "max-age=\"1\"",
        "max-age=1.0",
        "max-age=-1",
        "Max-Age=1",
        "a b",
        "max-age=1, &",
        "no-store=1",
        "private=1",
        "max-age=(1)",
    ] {
        let control = of(&[
            ("first-control", ignored),
            ("second-control", "max-age=3"),
            plain,
        ]);
        assert_eq!(control.lifetime(), Some(3), "{ignored}");
        assert_eq!(
            of(&[("first-control", ignored), plain]),
            Control::plain(&headers(&[plain])),
            "{ignored}"
        );
    }
}

/// RFC 9213, 2.1.
#[test]
fn members_of_a_target_are_typed() {
    let lines = [
        ("first-control", "x=1, max-age=1;p=2"),
        ("first-control", "max-age=5, private=?0"),
    ];
    let control = of(&lines);
    assert_eq!(
        control.lifetime(),
        Some(5),
        "the last one counts, over all lines"
    );
    assert!(!control.private);
    let control = of(&[(
        "first-control",
        r#"no-cache=("a" b), private="c", max-age=999999999999"#,
    )]);
    assert_eq!(control.withheld, ["a", "b", "c"]);
    assert_eq!(control.lifetime(), Some(Seconds::MAX));
    let control = of(&[("first-control", "private, must-revalidate, s-maxage=1")]);
    assert!(control.private && control.forbids_stale());
}

/// Whatever a permitting directive says.
fn is_restricted(control: &Control) -> bool {
    control.no_store || control.private || control.lifetime() == Some(0)
}

proptest! {
    /// No bytes make it panic, and none that follow `no-store` take it back.
    #[test]
    fn arbitrary_bytes_end_well(
        before in proptest::collection::vec(0x20_u8..=0xff, 0..200),
        after in proptest::collection::vec(0x20_u8..=0xff, 0..200),
    ) {
        let mut line = before;
        line.retain(|byte| *byte != 0x7f && *byte != b'"' && *byte != b'\\');
        line.extend(b", no-store, ");
        line.extend(after.into_iter().filter(|byte| *byte != 0x7f));
        let value = HeaderValue::from_bytes(&line).unwrap();
        let mut map = HeaderMap::new();
        map.append(header::CACHE_CONTROL, value.clone());
        prop_assert!(Control::plain(&map).no_store);
        map.append(&TARGETS[0], value);
        let _ = Control::of(&map, &TARGETS);
    }

    /// A directive is what it is in any company of others.
    #[test]
    fn the_order_of_directives_does_not_loosen(
        words in proptest::sample::subsequence(
            vec!["public", "max-age=60", "stale-if-error=9", "x=\"a, b\"", "immutable", "must-understand"], 0..6),
        restriction in proptest::sample::select(vec!["no-store", "private", "no-cache", "max-age=x", "private=\"", "s-maxage"]),
        at in 0_usize..6,
    ) {
        let mut words = words;
        let is_lifetime = restriction.starts_with("max-age");
        words.retain(|word| !(is_lifetime && word.starts_with("max-age")));
        words.insert(at.min(words.len()), restriction);
        prop_assert!(is_restricted(&plain(&words.join(","))), "{words:?}");
    }
}
