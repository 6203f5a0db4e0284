//! What holds for all keys, of URLs nobody thought of.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::cache::key::CacheHashKey;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::glob::Glob;

const HOST: &[u8] = b"example.org";

fn strict() -> KeyRules {
    let mut rules = KeyRules {
        path: PathRules::ALL,
        ..KeyRules::default()
    };
    rules.query.sort = true;
    rules.query.drop = vec![Glob::new("utm_*"), Glob::new("fbclid")];
    rules
}

fn key(rules: &KeyRules, target: &[u8]) -> [u8; 16] {
    rules
        .key(Scheme::Http, HOST, target, &HeaderMap::new())
        .primary_bin()
}

/// Targets with what matters for rules: escapes, broken ones too, dots, slashes and parameters.
fn target() -> impl Strategy<Value = Vec<u8>> {
    let pieces = select(vec![
        "a", "b", "%61", "%7e", "%2F", "%2e", ".", "..", "/", "//", "?", "&", "=", ";", "+", "%",
        "%6", "utm_x=1", "fbclid", "z=1", "\u{e9}",
    ]);
    vec(pieces, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()).into_bytes())
}

fn name() -> impl Strategy<Value = String> {
    "[a-y~_-]{1,4}"
}

proptest! {
    #[test]
    fn normalising_twice_is_normalising_once(target in target(), keep in any::<bool>()) {
        let mut rules = strict();
        if keep {
            rules.query.drop.clear();
            rules.query.keep = Some(vec![Glob::new("z*"), Glob::new("a")]);
        }
        let once = rules.target(&target).into_owned();
        let twice = rules.target(&once);
        prop_assert_eq!(twice.escape_ascii().to_string(), once.escape_ascii().to_string());
    }

    #[test]
    fn nothing_is_touched_by_default(target in vec(any::<u8>(), 0..40)) {
        let rules = KeyRules::default();
        prop_assert_eq!(&*rules.target(&target), &*target);
    }

    /// A path without anything special in it, and the same with a detour, more slashes, and letters in hexadecimal.
    #[test]
    fn equivalent_paths_are_one_key(
        segments in vec(name(), 1..5),
        detours in vec(select(vec!["/.", "/x/..", "/", "/x/y/../.."]), 5),
        escaped in any::<Index>(),
    ) {
        let plain = format!("/{}", segments.join("/"));
        let mut with_detours = String::new();
        for (segment, detour) in segments.iter().zip(&detours) {
            with_detours.extend([*detour, "/", segment]);
        }
        let letters: Vec<usize> = with_detours
            .bytes()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_alphanumeric())
            .map(|(at, _)| at)
            .collect();
        prop_assume!(!letters.is_empty());
        let at = *escaped.get(&letters);
        let byte = with_detours.as_bytes()[at];
        let spelled = format!("{}%{byte:02x}{}", &with_detours[..at], &with_detours[at + 1..]);
        prop_assert_eq!(key(&strict(), spelled.as_bytes()), key(&strict(), plain.as_bytes()), "{}", spelled);
    }

    /// Parameters of different names in any order, with some that do not matter in between.
    #[test]
    fn equivalent_queries_are_one_key(
        names in proptest::collection::btree_set("[a-e]{1,3}", 1..5),
        at in any::<Index>(),
        noise in select(vec!["utm_source=x", "fbclid=1", "", "%75tm_x", "utm_"]),
    ) {
        let mut parameters: Vec<String> = names.iter().map(|it| format!("{it}=1")).collect();
        let plain = format!("/?{}", parameters.join("&"));
        parameters.reverse();
        parameters.insert(at.index(parameters.len() + 1), noise.to_owned());
        let noisy = format!("/?{}", parameters.join("&"));
        prop_assert_eq!(key(&strict(), noisy.as_bytes()), key(&strict(), plain.as_bytes()), "{}", noisy);
    }

    /// However the same bytes are cut into host, target and tenant.
    #[test]
    fn components_do_not_run_into_each_other(
        all in vec(select(vec![b'a', b'/', b'1', 0]), 0..8),
        one in any::<(Index, Index)>(),
        other in any::<(Index, Index)>(),
    ) {
        let cut = |(first, second): (Index, Index)| {
            let (first, second) = (first.index(all.len() + 1), second.index(all.len() + 1));
            (first.min(second), first.max(second))
        };
        let (one, other) = (cut(one), cut(other));
        let key = |(first, second): (usize, usize)| {
            let tenant = String::from_utf8(all[second..].to_vec()).unwrap();
            let rules = KeyRules { tenant: Some(Tenant::Fixed(tenant)), ..KeyRules::default() };
            let key = rules.key(Scheme::Http, &all[..first], &all[first..second], &HeaderMap::new());
            key.primary_bin()
        };
        prop_assert_eq!(one == other, key(one) == key(other));
    }

    #[test]
    fn different_selectors_are_different_variants(
        one in vec("[a,]{0,2}", 0..3),
        other in vec("[a,]{0,2}", 0..3),
    ) {
        let name = HeaderName::from_static("x-device");
        let rules = KeyRules { headers: vec![name.clone()], ..KeyRules::default() };
        let variant = |values: &[String]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, HeaderValue::from_str(value).unwrap());
            }
            rules.variance(None, &headers)
        };
        prop_assert_eq!(one == other, variant(&one) == variant(&other));
    }
}

#[test]
fn variants_are_told_apart_by_what_is_chosen_only() {
    let rules = KeyRules {
        headers: vec![HeaderName::from_static("x-device")],
        cookies: vec!["currency".to_owned()],
        ..KeyRules::default()
    };
    let variant = |device: &str, cookie: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-device", HeaderValue::from_str(device).unwrap());
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        rules.variance(None, &headers)
    };
    let phone = variant("phone", "currency=EUR; session=1");
    assert_eq!(phone, variant("phone", "session=2;currency=EUR"));
    assert_ne!(phone, variant("desktop", "currency=EUR"));
    assert_ne!(phone, variant("phone", "currency=USD"));
    assert_ne!(phone, variant("phone", "session=1"));
    assert_ne!(variant("phone", "currency"), variant("phone", "other"));
    assert_ne!(phone, rules.variance(Some([1; 16]), &HeaderMap::new()));
    assert_eq!(KeyRules::default().variance(None, &HeaderMap::new()), None);
    let of_vary = Some([1; 16]);
    assert_eq!(
        KeyRules::default().variance(of_vary, &HeaderMap::new()),
        of_vary
    );
}

#[test]
fn tenants_share_nothing() {
    let key = |tenant: Option<Tenant>, name: &'static str, value: &str| {
        let rules = KeyRules {
            tenant,
            ..KeyRules::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        rules.key(Scheme::Http, HOST, b"/", &headers).primary_bin()
    };
    let by_header = || Some(Tenant::Header(HeaderName::from_static("x-tenant")));
    let by_cookie = || Some(Tenant::Cookie("tenant".to_owned()));
    let fixed = |name: &str| Some(Tenant::Fixed(name.to_owned()));
    let all = [
        key(None, "x-tenant", "a"),
        key(by_header(), "x-tenant", "a"),
        key(by_header(), "x-tenant", "b"),
        key(by_header(), "x-tenant", ""),
        key(by_header(), "x-other", "a"),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| one != other), "{at}");
    }
    assert_eq!(key(by_header(), "x-tenant", "a"), key(fixed("a"), "x", ""));
    assert_eq!(
        key(by_cookie(), "cookie", "x=1; tenant=a"),
        key(fixed("a"), "x", "")
    );
}

#[test]
fn the_scheme_may_be_left_out() {
    let rules = KeyRules {
        ignore_scheme: true,
        ..KeyRules::default()
    };
    let key = |rules: &KeyRules, scheme, host: &[u8]| {
        rules
            .key(scheme, host, b"/", &HeaderMap::new())
            .primary_bin()
    };
    let plain = key(&rules, Scheme::Http, b"a:80");
    assert_eq!(plain, key(&rules, Scheme::Https, b"a:443"));
    assert_ne!(plain, key(&KeyRules::default(), Scheme::Http, b"a"));
}
