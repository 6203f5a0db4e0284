use pingora::http::ResponseHeader;

use super::*;

fn demands(lines: &[(&'static str, &str)]) -> Demands {
    let mut req = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, value) in lines {
        req.append_header(*name, *value).unwrap();
    }
    Demands::of(&req)
}

fn of(value: &str) -> Demands {
    demands(&[("cache-control", value)])
}

/// RFC 9111, 5.2.1.
#[test]
fn directives_are_read() {
    assert!(of("no-cache").revalidate);
    assert!(of("x; No-Cache").revalidate);
    assert!(of("no-store").no_store);
    assert!(of("only-if-cached").only_if_cached);
    assert_eq!(of("max-age=5, max-age=9").max_age, Some(5));
    assert_eq!(of("max-age=x").max_age, Some(0));
    assert_eq!(of("min-fresh=5").min_fresh, Some(5));
    assert_eq!(of("max-stale=5").max_stale, Some(5));
    assert_eq!(of("max-stale").max_stale, Some(Seconds::MAX));
    for nothing in ["min-fresh=x", "max-stale=x", "unknown", "x=\"no-cache\""] {
        assert_eq!(of(nothing), Demands::default(), "{nothing}");
    }
}

/// RFC 9111, 5.4.
#[test]
fn pragma_counts_where_there_is_no_cache_control() {
    assert!(demands(&[("pragma", "x, No-Cache")]).revalidate);
    let both = demands(&[("pragma", "no-cache"), ("cache-control", "x")]);
    assert_eq!(both, Demands::default());
}

#[test]
fn what_makes_the_origin_work_can_be_left_out() {
    let all = of("no-cache, max-age=0, min-fresh=1, max-stale, no-store, only-if-cached");
    let left = all.without_freshness();
    assert_eq!(left, of("no-store, only-if-cached"));
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Made at 1000, good until 1100.
fn meta(control: &str) -> CacheMeta {
    let mut header = ResponseHeader::build(200, None).unwrap();
    header.append_header("cache-control", control).unwrap();
    CacheMeta::new(at(1100), at(1000), 0, 0, header)
}

fn verdict(demand: &str, control: &str, now: u64) -> &'static str {
    let verdict = of(demand).verdict(&meta(control), now <= 1100, at(now), &[]);
    match verdict {
        None => "as it is",
        Some(ForcedFreshness::ForceExpired) => "never",
        Some(ForcedFreshness::ForceExpiredServeStale { .. }) => "rather not",
        Some(ForcedFreshness::ForceFresh) => "all the same",
        Some(ForcedFreshness::ForceMiss) => "a miss",
    }
}

#[test]
fn a_stored_response_meets_a_demand_or_does_not() {
    for (demand, control, now, expected) in [
        ("x", "max-age=100", 1050, "as it is"),
        ("no-cache", "max-age=100", 1050, "never"),
        ("no-cache", "max-age=100", 1150, "never"),
        ("no-cache", "max-age=100, immutable", 1050, "never"),
        ("max-age=0", "max-age=100", 1000, "rather not"),
        ("max-age=0", "max-age=100, immutable", 1050, "as it is"),
        ("max-age=50", "max-age=100", 1050, "as it is"),
        ("max-age=49", "max-age=100", 1050, "rather not"),
        ("min-fresh=50", "max-age=100", 1050, "as it is"),
        ("min-fresh=51", "max-age=100", 1050, "rather not"),
        ("min-fresh=51", "max-age=100, immutable", 1050, "rather not"),
        ("max-stale", "max-age=100", 1050, "as it is"),
        ("max-stale", "max-age=100", 9999, "all the same"),
        ("max-stale=50", "max-age=100", 1150, "all the same"),
        ("max-stale=49", "max-age=100", 1150, "as it is"),
        (
            "max-stale, max-age=150",
            "max-age=100",
            1150,
            "all the same",
        ),
        ("max-stale, max-age=149", "max-age=100", 1150, "as it is"),
        (
            "max-stale",
            "max-age=100, must-revalidate",
            1150,
            "as it is",
        ),
        (
            "max-stale",
            "max-age=100, proxy-revalidate",
            1150,
            "as it is",
        ),
        ("max-stale", "s-maxage=100", 1150, "as it is"),
        ("max-stale", "no-cache", 1150, "as it is"),
        ("max-stale, min-fresh=1", "max-age=100", 1150, "as it is"),
    ] {
        let is = verdict(demand, control, now);
        assert_eq!(is, expected, "{demand} of {control} at {now}");
    }
}
