use std::collections::BTreeMap;

use super::*;
use crate::config::ProxyConfig;
use crate::rules::Rule;

/// 1 January 2030.
const NOW: u64 = 1_893_456_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn response(status: u16, headers: &[(&'static str, &str)]) -> ResponseHeader {
    let mut response = ResponseHeader::build(status, None).unwrap();
    response.append_header("content-length", "1").unwrap();
    for (name, value) in headers {
        response.append_header(*name, *value).unwrap();
    }
    response
}

fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut req = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, value) in headers {
        req.append_header(*name, *value).unwrap();
    }
    req
}

fn config() -> ProxyConfig {
    ProxyConfig::new("127.0.0.1:9000".parse().unwrap())
}

fn judged(
    req: &[(&'static str, &str)],
    status: u16,
    headers: &[(&'static str, &str)],
) -> Result<CacheMeta, &'static str> {
    judged_by(&config(), req, &response(status, headers))
}

fn judged_by(
    config: &ProxyConfig,
    req: &[(&'static str, &str)],
    response: &ResponseHeader,
) -> Result<CacheMeta, &'static str> {
    let received = Received::new(response, at(NOW), at(NOW));
    let terms = Terms::new(config, &Rule::new(""));
    match decide(&request(req), response, &received, &terms).cacheable {
        RespCacheable::Cacheable(meta) => Ok(meta),
        RespCacheable::Uncacheable(NoCacheReason::Custom(reason)) => Err(reason),
        RespCacheable::Uncacheable(reason) => panic!("{reason:?}"),
    }
}

fn cached(headers: &[(&'static str, &str)]) -> Result<CacheMeta, &'static str> {
    judged(&[], 200, headers)
}

fn reason(result: Result<CacheMeta, &'static str>) -> &'static str {
    result.map(drop).unwrap_err()
}

#[test]
fn an_explicit_lifetime_counts_from_when_the_response_was_made() {
    let meta = cached(&[("cache-control", "max-age=60")]).unwrap();
    assert_eq!(meta.fresh_until(), at(NOW + 60));
    let meta = cached(&[("cache-control", "max-age=60"), ("age", "20")]).unwrap();
    assert_eq!(meta.fresh_until(), at(NOW + 40));
    assert_eq!(meta.epoch(), at(NOW - 20));
    let date = httpdate::fmt_http_date(at(NOW - 50));
    let meta = cached(&[
        ("cache-control", "max-age=60"),
        ("age", "20"),
        ("date", &date),
    ])
    .unwrap();
    assert_eq!(meta.fresh_until(), at(NOW + 10));
}

#[test]
fn s_maxage_wins_and_an_unreadable_age_is_none() {
    let meta = cached(&[("cache-control", "max-age=1, s-maxage=60"), ("age", "-4")]).unwrap();
    assert_eq!(meta.fresh_until(), at(NOW + 60));
    assert_eq!(meta.epoch_override(), None);
}

#[test]
fn expires_is_read_by_the_origins_clock() {
    let date = httpdate::fmt_http_date(at(NOW + 1000));
    let expires = httpdate::fmt_http_date(at(NOW + 1060));
    let meta = cached(&[("expires", &expires), ("date", &date)]).unwrap();
    assert_eq!(meta.fresh_until(), at(NOW + 60));
}

#[test]
fn what_the_origin_forbids_is_not_stored() {
    let control = |value| reason(cached(&[("cache-control", value)]));
    assert_eq!(control("no-store, max-age=60"), "no-store");
    assert_eq!(control("private, max-age=60"), "private");
    assert_eq!(reason(cached(&[])), "no-lifetime");
    assert_eq!(
        reason(cached(&[("cache-control", "max-age=60"), ("vary", "*")])),
        "vary"
    );
}

#[test]
fn what_is_made_for_one_client_needs_a_permission() {
    let authorized = [("authorization", "Basic eA==")];
    let answer = |control| judged(&authorized, 200, &[("cache-control", control)]);
    assert_eq!(reason(answer("max-age=60")), "authorization");
    assert!(answer("public, max-age=60").is_ok());
    assert!(answer("s-maxage=60").is_ok());
    let cookie = |control| cached(&[("cache-control", control), ("set-cookie", "a=b")]);
    assert!(cookie("max-age=60").is_ok());
    let modified = httpdate::fmt_http_date(at(NOW - 1000));
    let guessed = [("last-modified", modified.as_str()), ("set-cookie", "a=b")];
    assert_eq!(reason(cached(&guessed)), "set-cookie");
    let mut strict = config();
    strict.set_cookie = SetCookie::Public;
    let cookie = |control| {
        let response = response(200, &[("cache-control", control), ("set-cookie", "a=b")]);
        judged_by(&strict, &[], &response)
    };
    assert_eq!(reason(cookie("max-age=60")), "set-cookie");
    assert!(cookie("public, max-age=60").is_ok());
    assert!(cookie("s-maxage=60").is_ok());
    assert!(cookie("max-age=60, private=\"set-cookie\"").is_ok());
}

#[test]
fn statuses_that_are_not_a_whole_answer_are_not_stored() {
    for status in [103, 206, 304, 416] {
        let answer = judged(&[], status, &[("cache-control", "max-age=60")]);
        assert_eq!(reason(answer), "status", "{status}");
    }
    for status in [200, 301, 404, 503] {
        assert!(
            judged(&[], status, &[("cache-control", "max-age=60")]).is_ok(),
            "{status}"
        );
    }
}

#[test]
fn a_body_whose_end_cannot_be_told_from_a_cut_is_not_stored() {
    let mut response = response(200, &[("cache-control", "max-age=60")]);
    response.remove_header("content-length");
    let answer = judged_by(&config(), &[], &response);
    assert_eq!(reason(answer), "close-delimited");
}

#[test]
fn what_is_stale_on_arrival_is_stored_only_if_it_can_be_of_use() {
    assert_eq!(
        reason(cached(&[("cache-control", "no-cache")])),
        "stale-on-arrival"
    );
    let aged = [("cache-control", "max-age=60"), ("age", "60")];
    assert_eq!(reason(cached(&aged)), "stale-on-arrival");
    let meta = cached(&[("cache-control", "no-cache"), ("etag", "\"a\"")]).unwrap();
    assert!(!meta.is_fresh(at(NOW)));
    let control = ("cache-control", "max-age=0, stale-while-revalidate=9");
    assert_eq!(cached(&[control]).unwrap().stale_while_revalidate_sec(), 9);
}

#[test]
fn no_cache_closes_the_stale_windows() {
    let control = "no-cache, stale-while-revalidate=9, stale-if-error=9";
    let meta = cached(&[("cache-control", control), ("etag", "\"a\"")]).unwrap();
    assert_eq!(meta.stale_while_revalidate_sec(), 0);
    assert_eq!(meta.stale_if_error_sec(), 0);
}

#[test]
fn the_default_lifetime_is_for_statuses_that_allow_it() {
    let mut config = config();
    config.freshness.default_ttl = Some(Duration::from_secs(5));
    let judged = |status| judged_by(&config, &[], &response(status, &[]));
    assert_eq!(judged(404).unwrap().fresh_until(), at(NOW + 5));
    assert_eq!(reason(judged(403)), "no-lifetime");
    assert_eq!(reason(judged(500)), "no-lifetime");
}

#[test]
fn stored_headers_are_without_age_and_without_private_fields() {
    let meta = cached(&[
        ("cache-control", "max-age=60, private=\"x-secret\""),
        ("x-secret", "1"),
        ("age", "1"),
    ]);
    let meta = meta.unwrap();
    assert!(!meta.headers().contains_key("x-secret"));
    assert!(!meta.headers().contains_key("age"));
}

#[test]
fn what_changed_long_ago_is_taken_to_stay() {
    let ago = |seconds| httpdate::fmt_http_date(at(NOW - seconds));
    let modified = |seconds, more: &[(&'static str, &'static str)]| {
        let mut headers = vec![("last-modified", ago(seconds))];
        headers.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        cached(&headers)
    };
    assert_eq!(modified(1000, &[]).unwrap().fresh_until(), at(NOW + 100));
    assert_eq!(
        modified(1 << 30, &[]).unwrap().fresh_until(),
        at(NOW + 86_400)
    );
    assert_eq!(reason(modified(0, &[])), "no-lifetime");
    assert_eq!(
        reason(modified(1000, &[("pragma", "no-cache")])),
        "no-lifetime"
    );
    let of_no_use = modified(1000, &[("expires", "0")]).unwrap();
    assert!(!of_no_use.is_fresh(at(NOW)));
}

#[test]
fn the_operator_names_lifetimes_by_status() {
    let mut config = config();
    config.freshness.by_status = BTreeMap::from([(404, Duration::from_secs(7))]);
    let judged = |status, headers: &[(&'static str, &str)]| {
        judged_by(&config, &[], &response(status, headers)).map(|meta| meta.fresh_until())
    };
    assert_eq!(judged(404, &[]), Ok(at(NOW + 7)));
    assert_eq!(
        judged(404, &[("cache-control", "max-age=9")]),
        Ok(at(NOW + 9))
    );
    assert_eq!(
        judged(404, &[("cache-control", "no-store")]),
        Err("no-store")
    );
    assert_eq!(judged(410, &[]), Err("no-lifetime"));
}

#[test]
fn an_answer_is_as_old_as_it_took_to_come() {
    let response = response(200, &[("age", "10, 90")]);
    let received = Received::new(&response, at(NOW - 5), at(NOW));
    assert_eq!(received.age, Duration::from_secs(15));
}

#[test]
fn what_is_withheld_goes_to_its_client_and_not_into_the_store() {
    let response = response(
        200,
        &[
            ("cache-control", "max-age=60, no-cache=\"a\", private=\"b\""),
            ("a", "1"),
            ("a", "2"),
            ("b", "3"),
        ],
    );
    let received = Received::new(&response, at(NOW), at(NOW));
    let decision = decide(
        &request(&[]),
        &response,
        &received,
        &Terms::new(&config(), &Rule::new("")),
    );
    assert_eq!(decision.withheld.get_all("a").iter().count(), 2);
    assert_eq!(decision.withheld["b"], "3");
    let RespCacheable::Cacheable(meta) = decision.cacheable else {
        panic!("it can be stored");
    };
    assert!(!meta.headers().contains_key("a") && !meta.headers().contains_key("b"));
}
