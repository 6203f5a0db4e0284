use super::*;

const BEFORE: &str = "Sat, 21 Nov 2020 05:00:00 GMT";
const WHEN: &str = "Sat, 21 Nov 2020 06:00:00 GMT";
const AFTER: &str = "Sat, 21 Nov 2020 07:00:00 GMT";

fn verdict(asked: &[(&'static str, &str)], there: &[(&'static str, &str)]) -> Verdict {
    verdict_of("GET", 200, asked, there)
}

fn verdict_of(
    method: &str,
    status: u16,
    asked: &[(&'static str, &str)],
    there: &[(&'static str, &str)],
) -> Verdict {
    let mut req = RequestHeader::build(method, b"/", None).unwrap();
    for (name, value) in asked {
        req.append_header(*name, *value).unwrap();
    }
    let mut response = ResponseHeader::build(status, None).unwrap();
    for (name, value) in there {
        response.append_header(*name, *value).unwrap();
    }
    evaluate(
        &req,
        &response,
        crate::date::parse(WHEN.as_bytes(), std::time::UNIX_EPOCH).unwrap(),
    )
}

#[test]
fn if_none_match_compares_weakly() {
    for (asked, there, expected) in [
        ("\"a\"", "\"a\"", Verdict::NotModified),
        ("W/\"a\"", "\"a\"", Verdict::NotModified),
        ("\"a\"", "W/\"a\"", Verdict::NotModified),
        ("\"x\", W/\"a\"", "\"a\"", Verdict::NotModified),
        ("\"x,\"a\"", "\"a\"", Verdict::Met),
        ("*", "\"a\"", Verdict::NotModified),
        ("\"*\"", "\"a\"", Verdict::Met),
        ("\"b\"", "\"a\"", Verdict::Met),
        ("", "\"a\"", Verdict::Met),
    ] {
        let verdict = verdict(&[("if-none-match", asked)], &[("etag", there)]);
        assert_eq!(verdict, expected, "{asked} {there}");
    }
    let two_lines = [("if-none-match", "\"x\""), ("if-none-match", "\"a\"")];
    assert_eq!(
        verdict(&two_lines, &[("etag", "\"a\"")]),
        Verdict::NotModified
    );
    assert_eq!(
        verdict(&[("if-none-match", "*")], &[]),
        Verdict::NotModified
    );
}

#[test]
fn if_none_match_goes_before_if_modified_since() {
    let there = [("etag", "\"a\""), ("last-modified", WHEN)];
    let asked = [("if-none-match", "\"b\""), ("if-modified-since", WHEN)];
    assert_eq!(verdict(&asked, &there), Verdict::Met);
    let asked = [("if-none-match", "\"a\""), ("if-modified-since", BEFORE)];
    assert_eq!(verdict(&asked, &there), Verdict::NotModified);
}

#[test]
fn if_modified_since_takes_the_best_moment_there_is() {
    for (asked, there, expected) in [
        (WHEN, vec![("last-modified", WHEN)], Verdict::NotModified),
        (AFTER, vec![("last-modified", WHEN)], Verdict::NotModified),
        (BEFORE, vec![("last-modified", WHEN)], Verdict::Met),
        (
            "Saturday, 21-Nov-20 06:00:00 GMT",
            vec![("last-modified", WHEN)],
            Verdict::NotModified,
        ),
        (
            "Sat Nov 21 06:00:00 2020",
            vec![("last-modified", WHEN)],
            Verdict::NotModified,
        ),
        ("yesterday", vec![("last-modified", BEFORE)], Verdict::Met),
        (WHEN, vec![("date", BEFORE)], Verdict::NotModified),
        (BEFORE, vec![("date", WHEN)], Verdict::Met),
        // When it came.
        (WHEN, vec![], Verdict::NotModified),
        (BEFORE, vec![], Verdict::Met),
    ] {
        let verdict = verdict(&[("if-modified-since", asked)], &there);
        assert_eq!(verdict, expected, "{asked} {there:?}");
    }
    let twice = [("if-modified-since", WHEN), ("if-modified-since", WHEN)];
    assert_eq!(verdict(&twice, &[("last-modified", BEFORE)]), Verdict::Met);
}

#[test]
fn if_match_compares_strongly() {
    for (asked, there, expected) in [
        ("\"a\"", Some("\"a\""), Verdict::Met),
        ("\"x\", \"a\"", Some("\"a\""), Verdict::Met),
        ("W/\"a\"", Some("W/\"a\""), Verdict::Failed),
        ("\"b\"", Some("\"a\""), Verdict::Failed),
        ("\"a\"", None, Verdict::Failed),
        ("*", None, Verdict::Met),
    ] {
        let there: Vec<_> = there.map(|tag| ("etag", tag)).into_iter().collect();
        let verdict = verdict(&[("if-match", asked)], &there);
        assert_eq!(verdict, expected, "{asked} {there:?}");
    }
}

#[test]
fn if_unmodified_since_counts_where_both_dates_are_known_and_if_match_is_not_there() {
    let there = [("last-modified", WHEN), ("etag", "\"a\"")];
    for (asked, expected) in [
        (WHEN, Verdict::Met),
        (AFTER, Verdict::Met),
        (BEFORE, Verdict::Failed),
        ("yesterday", Verdict::Met),
    ] {
        let asked = ("if-unmodified-since", asked);
        assert_eq!(verdict(&[asked], &there), expected, "{asked:?}");
        assert_eq!(verdict(&[asked], &[]), Verdict::Met);
        let both = [asked, ("if-match", "\"a\"")];
        assert_eq!(verdict(&both, &there), Verdict::Met);
    }
}

#[test]
fn conditions_are_for_what_succeeds_as_a_whole() {
    let (asked, there) = ([("if-none-match", "*")], [("etag", "\"a\"")]);
    for status in [206, 301, 404, 500] {
        let verdict = verdict_of("GET", status, &asked, &there);
        assert_eq!(verdict, Verdict::Met, "{status}");
    }
    assert_eq!(
        verdict_of("HEAD", 200, &asked, &there),
        Verdict::NotModified
    );
    assert_eq!(verdict_of("POST", 200, &asked, &there), Verdict::Met);
}
