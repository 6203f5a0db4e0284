use pingora::cache::key::CacheHashKey;

use super::*;
use crate::key::KeyRules;
use crate::rules::Caching;

fn config(rules: &[(&str, &[&str], &[&str])]) -> ProxyConfig {
    let mut config = ProxyConfig::new("127.0.0.1:9000".parse().unwrap());
    for (name, host, path) in rules {
        let mut rule = Rule::new(*name);
        rule.host = host.iter().map(|it| it.parse().unwrap()).collect();
        rule.path = path.iter().map(|it| Glob::new(it)).collect();
        config.rules.list.push(rule);
    }
    config.validate().unwrap();
    config
}

fn sample() -> RuleSet {
    RuleSet::new(&config(&[
        ("api", &["api.example.org"], &["/v1/*"]),
        ("below", &["*.example.org"], &["/img/*", "*.css"]),
        ("account", &[], &["/account/*"]),
        ("exact", &["example.org", "example.net"], &[]),
        ("late", &["api.example.org"], &[]),
    ]))
}

fn request(method: &str, host: &str, target: &str) -> RequestHeader {
    let mut req = RequestHeader::build(method, target.as_bytes(), None).unwrap();
    req.insert_header(header::HOST, host).unwrap();
    req
}

#[test]
fn the_first_rule_that_matches_holds() {
    let rules = sample();
    for (host, path, expected) in [
        ("api.example.org", "/v1/x", "api"),
        ("API.Example.ORG:8443", "/v1/x", "api"),
        ("api.example.org.", "/v1/x", "api"),
        ("api.example.org", "/img/x", "below"),
        ("api.example.org", "/account/x", "account"),
        ("api.example.org", "/x", "late"),
        ("www.example.org", "/img/x", "below"),
        ("www.example.org", "/deep/a.css", "below"),
        ("www.example.org", "/v1/x", ""),
        ("example.org", "/img/x", "exact"),
        ("example.org", "/account/x", "account"),
        ("other.example", "/account/x", "account"),
        ("other.example", "/x", ""),
        ("", "/x", ""),
    ] {
        let settled = rules.find(host.as_bytes(), path.as_bytes());
        assert!(!settled.is_ambiguous);
        assert_eq!(rules.terms(settled.rule).name, expected, "{host}{path}");
    }
}

#[test]
fn what_two_servers_may_read_as_two_paths_is_ambiguous_if_two_rules_hold() {
    let rules = sample();
    let is_ambiguous = |path: &str| rules.find(b"x", path.as_bytes()).is_ambiguous;
    for path in [
        "/%61ccount/x",
        "//account/x",
        "/x/../account/x",
        "/account/../x",
        "/account/%2e%2e/x",
        "/account%2Fx/../../account/y",
    ] {
        assert!(is_ambiguous(path), "{path}");
    }
    for path in [
        "/a//b",
        "/account/a/../b",
        "/account/%7Ea",
        "/a%20b",
        "/%zz",
    ] {
        assert!(!is_ambiguous(path), "{path}");
    }
}

#[test]
fn a_match_allocates_nothing() {
    let rules = sample();
    for (host, path) in [
        ("api.example.org", "/v1/x"),
        ("www.example.org:80", "/img/x.css"),
        ("other.example", "/none"),
    ] {
        let allocated = allocation_counter::measure(|| {
            rules.find(host.as_bytes(), path.as_bytes());
        });
        assert_eq!(allocated.count_total, 0, "{host}{path}");
    }
}

#[test]
fn the_origin_is_asked_for_what_the_key_says() {
    let mut config = config(&[("raw", &[], &["/raw/*"])]);
    let rules = &mut config.rules;
    rules.key.path = PathRules::ALL;
    rules.key.query.drop = vec![Glob::new("utm_*")];
    rules.list[0].key = Some(KeyRules {
        rewrite: false,
        ..rules.key.clone()
    });
    rules
        .host_alias
        .insert("*.example.org".parse().unwrap(), "example.org".to_owned());
    let rules = RuleSet::new(&config);
    for (method, asked, sent) in [
        ("GET", "/a//b/%7Ec?utm_x=1&d=2", "/a/b/~c?d=2"),
        ("HEAD", "/a?utm_x", "/a"),
        ("PURGE", "/a?utm_x", "/a"),
        ("POST", "/a//b?utm_x", "/a//b?utm_x"),
        ("GET", "/raw/a//b?utm_x", "/raw/a//b?utm_x"),
        // Ambiguous: it passes by.
        ("GET", "/x/../raw/b?utm_x", "/x/../raw/b?utm_x"),
    ] {
        let mut req = request(method, "WWW.example.org:80", asked);
        rules.settle(Scheme::Http, &mut req).unwrap();
        assert_eq!(req.raw_path(), sent.as_bytes(), "{method} {asked}");
        assert_eq!(authority(&req), b"example.org");
        // What was settled stays as it is.
        rules.settle(Scheme::Http, &mut req).unwrap();
        assert_eq!(req.raw_path(), sent.as_bytes(), "{method} {asked}");
    }
    let key = |target| rules.key(Scheme::Http, &request("GET", "example.org", target));
    let same = key("/raw/a//b?utm_x").primary_bin();
    assert_eq!(key("/raw/a/b").primary_bin(), same);
    let mut elsewhere = request("GET", "www.example.org:8080", "/");
    rules.settle(Scheme::Http, &mut elsewhere).unwrap();
    assert_eq!(authority(&elsewhere), b"www.example.org:8080");
}

#[test]
fn a_request_over_http_2_keeps_its_host() {
    let mut config = config(&[]);
    config.rules.key.path = PathRules::ALL;
    let rules = RuleSet::new(&config);
    let uri = http::Uri::from_static("https://example.org/a//b");
    let (parts, ()) = http::Request::builder()
        .uri(uri)
        .version(http::Version::HTTP_2)
        .body(())
        .unwrap()
        .into_parts();
    let mut req = RequestHeader::from(parts);
    rules.settle(Scheme::Https, &mut req).unwrap();
    assert_eq!(authority(&req), b"example.org");
    assert_eq!(req.raw_path(), b"/a/b");
}

#[test]
fn a_cookie_keeps_a_request_out() {
    let mut config = config(&[("blog", &[], &[])]);
    config.rules.list[0].bypass_cookies = vec![Glob::new("wordpress_logged_in_*")];
    let rules = RuleSet::new(&config);
    let terms = rules.terms(RuleId(1));
    let is_kept_out = |cookie: &'static str| {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, http::HeaderValue::from_static(cookie));
        terms.bypass(&headers) == Some("cookie")
    };
    assert!(is_kept_out("a=b; wordpress_logged_in_x=1"));
    assert!(is_kept_out("wordpress_logged_in_"));
    assert!(!is_kept_out("a=wordpress_logged_in_x; b=1"));
    assert!(!is_kept_out(""));
    assert_eq!(terms.bypass(&HeaderMap::new()), None);
}

#[test]
fn what_a_rule_leaves_out_is_as_configured() {
    let mut config = config(&[("a", &[], &["/a"]), ("b", &[], &["/b"])]);
    config.rules.key.query.ignore = true;
    config.rules.list[0].cache = Caching::Bypass;
    config.rules.list[1].key = Some(KeyRules::default());
    let rules = RuleSet::new(&config);
    let terms = |path: &str| rules.terms(rules.find(b"x", path.as_bytes()).rule);
    assert!(terms("/a").key.query.ignore);
    assert!(!terms("/b").key.query.ignore);
    assert_eq!(terms("/a").bypass(&HeaderMap::new()), Some("rule"));
    assert_eq!(terms("/b").bypass(&HeaderMap::new()), None);
    assert_eq!(terms("/").client_directives, config.client_directives);
}
